// A trait implementation of one's own: the HTTP server, woken through a pipe.
//
//     pipe_notifier [PORT]        until its standard input ends
#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <thread>

#include "http/service_impl.hpp"
#include "ksvc/backend/epoll.hpp"
#include "net/listener.hpp"

using namespace weft;
class PipeNotifier {
 public:
  PipeNotifier() {
    if (::pipe2(ends_, O_CLOEXEC | O_NONBLOCK) != 0) std::abort();
  }
  ~PipeNotifier() { ::close(ends_[0]), ::close(ends_[1]); }

  void wake() noexcept { (void)!::write(ends_[1], "", 1); }  // a full pipe has woken it already
  void acknowledge() noexcept {
    for (char bytes[64]; ::read(ends_[0], bytes, sizeof bytes) == sizeof bytes;) continue;
  }
  template <ksvc::Submits<ksvc::PollReadable> Backend>
  void watch(Backend& backend, ksvc::CorrelationId corr_id) {
    backend.submit(ksvc::PollReadable{ends_[0]}, corr_id);
  }

 private:
  int ends_[2];
};

using Worker = gvt::Worker<ksvc::Epoll, ksvc::MonotonicClock, PipeNotifier>;
int main(int argc, char** argv) {
  http::Site site;
  (void)site.router.add(http::Method::get, "/", 0);
  site.endpoints.push_back({[](void*, http::Exchange& exchange) {
    exchange.response().body.assign("Woken through a pipe\n");
  }});
  const auto port = static_cast<std::uint16_t>(argc > 1 ? std::atoi(argv[1]) : 8080);
  const auto listeners = net::listen_on({.port = port}, 1);
  if (!listeners) return std::cerr << listeners.error().message() << '\n', 1;
  const auto worker = Worker::create({}).value();
  http::WorkerCounters counters;
  http::ConnectionCount connections;
  http::Service<Worker> service(*worker, site, listeners->fds[0], counters, connections);
  static http::Service<Worker>* const serving = &service;
  gvt::Runnable drain([](gvt::Runnable&) { serving->begin_drain(); });
  std::jthread end_of_input([&] {
    while (std::cin.get() != EOF) continue;
    worker->post(drain);
  });
  std::cout << "http://127.0.0.1:" << listeners->port << std::endl;
  service.start();
  worker->run();
}
