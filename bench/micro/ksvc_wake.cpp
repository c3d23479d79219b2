// What it takes to wake a loop that sleeps: two threads that wake each other in turn, by each
// notifier on each back end that can watch it, on one core and on two. Beside them two threads that
// do the same with nothing but an eventfd. A figure is the time of one wake, from one thread's call
// until the other thread calls.

#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "ksvc/backend/basic_io_uring.hpp"
#include "ksvc/backend/composite_io_uring_impl.hpp"
#include "ksvc/backend/epoll.hpp"
#include "ksvc/notify/event_fd_notifier.hpp"
#include "ksvc/notify/futex_notifier.hpp"
#include "ksvc/notify/ring_message_notifier.hpp"
#include "ksvc/router/kernel_features.hpp"
#include "ksvc_rows.hpp"

namespace {

using namespace weft;
using bench::Rows;

constexpr unsigned kExchanges = 200;

// A notifier watched by a back end's loop.
template <class Backend, class NotifierType>
class WatchingSide {
 public:
  using Notifier = NotifierType;

  // On the thread that will wait.
  void open() {
    backend_ = std::move(Backend::create({}).value());
    notifier.watch(*backend_, kId);
    backend_->submit_and_wait(0, ksvc::kNoDeadline);
  }
  void wait() {
    woken_ = false;
    while (!woken_) {
      backend_->submit_and_wait(1, ksvc::kNoDeadline);
      backend_->drain(*this);
    }
  }
  void complete(const ksvc::Completion& completion) noexcept {
    notifier.acknowledge();
    if (!completion.more) notifier.watch(*backend_, kId);
    woken_ = true;
  }
  void wake() { notifier.wake(); }
  void close() { backend_.reset(); }

  Notifier notifier;

 private:
  static constexpr ksvc::CorrelationId kId = 64;

  std::unique_ptr<Backend> backend_;
  bool woken_ = false;
};

// A loop that waits on the word itself.
struct FutexSide {
  void open() {}
  void wait() {
    while (!notifier.wait()) {
    }
    notifier.acknowledge();
  }
  void wake() { notifier.wake(); }
  void close() {}

  ksvc::FutexNotifier notifier;
};

// No notifier and no loop: a read that blocks.
struct RawSide {
  RawSide() : fd(::eventfd(0, EFD_CLOEXEC)) {}
  ~RawSide() { ::close(fd); }
  RawSide(const RawSide&) = delete;
  RawSide& operator=(const RawSide&) = delete;

  void open() {}
  void wait() {
    std::uint64_t value = 0;
    while (::read(fd, &value, sizeof value) != sizeof value) {
    }
  }
  void wake() {
    const std::uint64_t one = 1;
    while (::write(fd, &one, sizeof one) != sizeof one) {
    }
  }
  void close() {}

  int fd;
};

template <class Side>
double nanoseconds_per_wake(int first_core, int second_core) {
  Side first;
  Side second;
  std::atomic<bool> ready{false};
  std::thread answering([&] {
    bench::pin_this_thread(second_core);
    second.open();
    ready.store(true, std::memory_order_release);
    ready.notify_one();
    for (unsigned i = 0; i < kExchanges; ++i) {
      second.wait();
      first.wake();
    }
    second.close();
  });
  bench::pin_this_thread(first_core);
  first.open();
  ready.wait(false, std::memory_order_acquire);
  const double spent = bench::nanoseconds_per(kExchanges, [&](std::size_t) {
    second.wake();
    first.wait();
  });
  answering.join();
  first.close();
  return spent / 2;
}

template <class Side>
void add_wakes(Rows& rows, const std::string& name, const bench::RowsArguments& arguments) {
  rows.add("wake_" + name + "_same_core", "ns", [arguments] {
    return nanoseconds_per_wake<Side>(arguments.first_core, arguments.first_core);
  });
  rows.add("wake_" + name + "_cross_core", "ns", [arguments] {
    return nanoseconds_per_wake<Side>(arguments.first_core, arguments.second_core);
  });
}

// What it costs to wake somebody who was woken and has not looked yet.
template <class Notifier>
void add_further_wake(Rows& rows, const std::string& name, Notifier& notifier) {
  rows.add_operation("further_wake_" + name, 2'000, [&notifier](std::size_t) { notifier.wake(); });
}

void add_ring_notifiers(Rows& rows, const bench::RowsArguments& arguments) {
  using Ring = ksvc::BasicIoUring;
  if (!Ring::create({})) return rows.skip("wake_eventfd_on_ring", "io_uring is refused here");
  add_wakes<WatchingSide<Ring, ksvc::EventFdNotifier>>(rows, "eventfd_on_ring", arguments);
  if (ksvc::probe_kernel_features().uring_opcodes.test(ksvc::uring_abi::kOpFutexWait)) {
    add_wakes<WatchingSide<Ring, ksvc::FutexNotifier>>(rows, "futex_on_ring", arguments);
  } else {
    rows.skip("wake_futex_on_ring", "the kernel's rings have no futexes (Linux 6.7)");
  }
  if (ksvc::RingMessageNotifier::supported(ksvc::MessageSender::kernel_call) ||
      ksvc::RingMessageNotifier::supported(ksvc::MessageSender::own_ring)) {
    add_wakes<WatchingSide<Ring, ksvc::RingMessageNotifier>>(rows, "message_on_ring", arguments);
  } else {
    rows.skip("wake_message_on_ring", "the kernel's rings have no messages (Linux 5.18)");
  }
}

}  // namespace

int main(int count, char** words) {
  const auto arguments = bench::RowsArguments::from(count, words);
  bench::pin_this_thread(arguments.first_core);
  Rows rows;
  add_wakes<RawSide>(rows, "raw_eventfd", arguments);
  add_wakes<WatchingSide<ksvc::Epoll, ksvc::EventFdNotifier>>(rows, "eventfd_on_epoll", arguments);
  add_ring_notifiers(rows, arguments);
  add_wakes<FutexSide>(rows, "futex", arguments);
  ksvc::EventFdNotifier event_fd;
  ksvc::FutexNotifier futex;
  add_further_wake(rows, "eventfd", event_fd);
  add_further_wake(rows, "futex", futex);
  rows.run(arguments.rounds);
  rows.print();
}
