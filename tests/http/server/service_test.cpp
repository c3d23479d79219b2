// Service on every back end: the same requests, the same bytes back, and nothing left behind.

#include <gtest/gtest.h>

#include <atomic>
#include <cstdio>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "client.hpp"
#include "http/service_impl.hpp"
#include "http/sim/answer_checker.hpp"
#include "http/sim/sim_site.hpp"
#include "ksvc/backend/basic_io_uring.hpp"
#include "ksvc/backend/epoll.hpp"
#include "ksvc/backend/fixed_buffer_io_uring.hpp"
#include "ksvc/backend/fixed_file_io_uring.hpp"
#include "ksvc/backend/sqpoll_io_uring.hpp"
#include "ksvc/notify/shared_reactor_notifier.hpp"
#include "ksvc/reactor/shared_reactor.hpp"
#include "net/listener.hpp"
#include "server_test.hpp"

namespace weft::http::test {

namespace {

// Direct descriptors, pinned memory, single accepts and a polling thread together.
using WholeIoUring = ksvc::CompositeIoUring<ksvc::UringOptions{.sqpoll = true,
                                                               .fixed_files = true,
                                                               .fixed_buffers = true,
                                                               .multishot_accept = false,
                                                               .zero_copy_send = true}>;
using Backends =
    testing::Types<ksvc::Epoll, ksvc::BasicIoUring, ksvc::SqpollIoUring, ksvc::FixedFileIoUring,
                   ksvc::FixedBufferIoUring, WholeIoUring, ksvc::SharedReactorBackend<ksvc::Epoll>,
                   ksvc::SharedReactorBackend<ksvc::BasicIoUring>>;

template <class Backend>
struct WorkerOn {
  using Type = gvt::Worker<Backend>;
};
template <class Backend>
struct WorkerOn<ksvc::SharedReactorBackend<Backend>> {
  using Type = gvt::Worker<ksvc::SharedReactorBackend<Backend>, ksvc::MonotonicClock,
                           ksvc::SharedReactorNotifier>;
};

struct BackendName {
  template <class Backend>
  static std::string GetName(int) {
    std::string name = Backend::name();
    for (char& c : name) c = c == '+' ? '_' : c;
    return name;
  }
};

// One worker with its service on a thread of its own.
template <class Backend>
class ServiceTest : public testing::Test {
 protected:
  using Worker = typename WorkerOn<Backend>::Type;

  struct Command : gvt::Runnable {
    Command(ServiceTest& owner, Run run) : Runnable(run), test(owner) {}
    ServiceTest& test;
  };

  void serve(const ksvc::BackendOptions& backend_options = {}) {
    auto opened = net::listen_on({}, 1);
    ASSERT_TRUE(opened);
    port_ = opened->port;
    std::promise<int> ready;
    auto failed = ready.get_future();
    thread_ = std::thread([this, &ready, &backend_options, listener = opened->fds.front()] {
      run(ready, backend_options, listener);
    });
    if (const int os_errno = failed.get(); os_errno != 0) {
      thread_.join();
      GTEST_SKIP() << std::strerror(os_errno);
    }
  }
  void drain() { end_by(drain_command_); }
  void cut_off() { end_by(stop_command_); }
  Client connect() const { return Client(port_); }

  SimSite site_;
  WorkerCounters counters_;
  ConnectionCount count_;

 private:
  using TemporaryFile = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

  // As long as any that random asks want.
  static TemporaryFile make_file() {
    TemporaryFile file(std::tmpfile(), &std::fclose);
    const std::string bytes = big_body(300'000);
    EXPECT_EQ(std::fwrite(bytes.data(), 1, bytes.size(), file.get()), bytes.size());
    std::fflush(file.get());
    return file;
  }
  void end_by(Command& command) {
    worker_->post(command);
    posted_ = true;
    posted_.notify_one();
    thread_.join();
  }
  void run(std::promise<int>& ready, const ksvc::BackendOptions& backend_options, int listener) {
    gvt::WorkerOptions options;
    options.backend = backend_options;
    if (sanitized) options.scheduler.stack_bytes = 256 * 1024;
    auto made = Worker::create(options);
    if (!made) {
      ::close(listener);
      return ready.set_value(made.error().os_errno);
    }
    worker_ = std::move(made).value();
    site_.file = ::fileno(file_.get());
    service_.emplace(*worker_, site_.site, listener, counters_, count_);
    service_->start();
    ready.set_value(0);
    worker_->run();
    // It may have ended while the other thread is still within post().
    posted_.wait(false);
    service_.reset();
    worker_.reset();
  }
  static void begin_drain(gvt::Runnable& self) {
    static_cast<Command&>(self).test.service_->begin_drain();
  }
  static void stop(gvt::Runnable& self) { static_cast<Command&>(self).test.worker_->stop(); }

  TemporaryFile file_ = make_file();
  std::uint16_t port_ = 0;
  std::atomic<bool> posted_{false};
  std::thread thread_;
  std::unique_ptr<Worker> worker_;
  std::optional<Service<Worker>> service_;
  Command drain_command_{*this, &ServiceTest::begin_drain};
  Command stop_command_{*this, &ServiceTest::stop};
};
TYPED_TEST_SUITE(ServiceTest, Backends, BackendName);

// Sends all at once, half-closes, and reads what comes until the server ends.
std::string what_is_wrong(Client& client, const std::vector<Ask>& asks, bool half_close) {
  std::string bytes;
  for (const Ask& ask : asks) bytes += ask.bytes;
  AnswerChecker checker(asks);
  checker.sent(bytes.size());
  std::thread sender([&] {
    client.send(bytes);
    if (half_close) client.shutdown_write();
  });
  while (checker.answered() < asks.size()) {
    char block[16 * 1024];
    const ssize_t got = ::recv(client.fd(), block, sizeof block, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    if (!checker.receive({block, static_cast<std::size_t>(got)}).empty()) break;
  }
  sender.join();
  if (!checker.wrong().empty()) return checker.wrong();
  if (checker.answered() == asks.size()) return {};
  return "ended before the answer to " + asks[checker.answered()].bytes;
}

std::vector<Ask> random_asks(Random& random, std::size_t count) {
  std::vector<Ask> asks;
  while (asks.size() < count) {
    Ask ask = random_ask(random);
    if (!ask.closes) asks.push_back(std::move(ask));
  }
  return asks;
}

}  // namespace

TYPED_TEST(ServiceTest, answers_whole_pipelines_to_the_byte_and_drains) {
  this->serve();
  if (this->IsSkipped()) return;
  constexpr std::size_t kClients = 8;
  std::vector<std::string> wrong(kClients);
  std::vector<std::thread> clients;
  for (std::size_t i = 0; i < kClients; ++i) {
    clients.emplace_back([this, i, &wrong] {
      Random random(i);
      Client client = this->connect();
      wrong[i] = what_is_wrong(client, random_asks(random, 30), i % 2 == 0);
    });
  }
  for (std::thread& client : clients) client.join();
  for (const std::string& what : wrong) EXPECT_EQ(what, "");
  this->drain();
  EXPECT_EQ(this->counters_.accepted.value(), kClients);
  EXPECT_EQ(this->counters_.closed.value(), kClients);
}

TYPED_TEST(ServiceTest, without_free_blocks_loses_no_byte) {
  ksvc::BackendOptions options;
  options.buffers = {2, 512};
  this->serve(options);
  if (this->IsSkipped()) return;
  constexpr std::size_t kClients = 16;
  std::vector<std::string> wrong(kClients);
  std::vector<std::thread> clients;
  for (std::size_t i = 0; i < kClients; ++i) {
    clients.emplace_back([this, i, &wrong] {
      Random random(100 + i);
      std::vector<Ask> asks;
      for (int n = 0; n < 10; ++n) {
        std::string body(random.between(1, 20'000), ' ');
        for (char& c : body) c = static_cast<char>(random.between(1, 255));
        asks.push_back(post_echo(body));
      }
      Client client = this->connect();
      wrong[i] = what_is_wrong(client, asks, false);
    });
  }
  for (std::thread& client : clients) client.join();
  for (const std::string& what : wrong) EXPECT_EQ(what, "");
  this->drain();
}

TYPED_TEST(ServiceTest, being_cut_off_ends_clients_and_leaves_no_descriptors) {
  const std::size_t before = open_descriptors();
  {
    this->serve();
    if (this->IsSkipped()) return;
    Client idle = this->connect();
    EXPECT_EQ(idle.get("/hello").body, "hello");
    Client parked = this->connect();
    parked.send("GET /sleep/60000 HTTP/1.1\r\nHost: a\r\n\r\n");
    Client amid = this->connect();
    amid.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf");
    // The counter is as of a turn's beginning, so something must happen for it to move.
    EXPECT_TRUE(eventually(
        [&] { return idle.get("/hello").body == "hello" && this->counters_.parked.value() == 2; }));
    this->cut_off();
    EXPECT_TRUE(idle.is_ended());
    EXPECT_TRUE(parked.is_ended());
    EXPECT_TRUE(amid.is_ended());
  }
  EXPECT_TRUE(eventually([before] { return open_descriptors() <= before; }))
      << open_descriptors() << " instead of " << before;
}

}  // namespace weft::http::test
