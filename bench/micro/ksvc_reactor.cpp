// What sharing a reactor costs: NOPs in batches, and a byte there and back through a socket, on a
// back end of one's own and by way of a reactor on the same core and on another one.
//
// Wall-clock time, and beside it the processor time of both threads together.

#include <sys/socket.h>
#include <unistd.h>

#include <ctime>
#include <memory>
#include <string>
#include <utility>

#include "ksvc/backend/basic_io_uring.hpp"
#include "ksvc/backend/epoll.hpp"
#include "ksvc/reactor/shared_reactor.hpp"
#include "ksvc_rows.hpp"

namespace {

using namespace weft;
using bench::Rows;

constexpr unsigned kNops = 2048;
constexpr unsigned kEchoes = 256;
constexpr unsigned kBatches[] = {1, 16, 64};

struct CountingSink {
  void complete(const ksvc::Completion& completion) noexcept {
    failed += completion.result < 0;
    ++count;
  }
  unsigned count = 0;
  unsigned failed = 0;
};

template <class Backend>
void await(Backend& backend, unsigned count) {
  CountingSink sink;
  while (sink.count < count) {
    backend.submit_and_wait(count - sink.count, ksvc::kNoDeadline);
    backend.drain(sink);
  }
  if (sink.failed != 0) std::abort();
}

template <class Backend>
void nops(Backend& backend, unsigned batch) {
  for (unsigned left = kNops; left != 0; left -= batch) {
    for (unsigned i = 0; i < batch; ++i) backend.submit(ksvc::Nop{}, 64 + i);
    await(backend, batch);
  }
}

// Both ends of the connection are the back end's.
template <class Backend>
void echoes(Backend& backend, const int (&fds)[2]) {
  char byte = 'x';
  for (unsigned i = 0; i < kEchoes; ++i) {
    for (const int end : {0, 1}) {
      backend.submit(ksvc::ReceiveInto{fds[1 - end], &byte, 1}, 1);
      backend.submit(ksvc::Send{fds[end], "x", 1}, 2);
      await(backend, 2);
    }
  }
}

double processor_ns() {
  timespec time{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

template <class Work>
void add(Rows& rows, const std::string& name, unsigned operations, const Work& work) {
  rows.add(name, "ns", [work, operations] {
    return bench::nanoseconds_per(1, [&](std::size_t) { work(); }) / operations;
  });
  rows.add(name + "_cpu", "ns", [work, operations] {
    const double before = processor_ns();
    work();
    return (processor_ns() - before) / operations;
  });
}

template <class Backend>
std::shared_ptr<Backend> add_backend(Rows& rows, const std::string& name, const int (&fds)[2],
                                     Result<std::unique_ptr<Backend>> made) {
  if (!made) {
    rows.skip("nop_" + name, made.error().message());
    return nullptr;
  }
  std::shared_ptr<Backend> backend = std::move(made).value();
  for (const unsigned batch : kBatches) {
    add(rows, "nop_" + name + "_" + std::to_string(batch), kNops,
        [&backend = *backend, batch] { nops(backend, batch); });
  }
  add(rows, "echo_" + name, kEchoes, [&backend = *backend, &fds] { echoes(backend, fds); });
  return backend;
}

// The reactor's thread stays on the core that it was started on.
template <class Backend>
auto on_reactor(int reactor_core, int own_core) {
  bench::pin_this_thread(reactor_core);
  auto made = ksvc::SharedReactorBackend<Backend>::create({});
  bench::pin_this_thread(own_core);
  return made;
}

}  // namespace

int main(int count, char** words) {
  const auto arguments = bench::RowsArguments::from(count, words);
  const int here = arguments.first_core;
  const int there = arguments.second_core;
  bench::pin_this_thread(here);
  int fds[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0) std::abort();
  Rows rows;
  using ksvc::BasicIoUring;
  using ksvc::Epoll;
  const auto own = add_backend(rows, "own_ring", fds, BasicIoUring::create({}));
  const auto near = add_backend(rows, "same_core", fds, on_reactor<BasicIoUring>(here, here));
  const auto far = add_backend(rows, "other_core", fds, on_reactor<BasicIoUring>(there, here));
  const auto own_epoll = add_backend(rows, "own_epoll", fds, Epoll::create({}));
  const auto far_epoll = add_backend(rows, "other_core_epoll", fds, on_reactor<Epoll>(there, here));
  rows.run(arguments.rounds);
  rows.print();
}
