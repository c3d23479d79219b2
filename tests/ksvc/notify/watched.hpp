// Every notifier on a back end that can watch it, and the owner's part of the protocol.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>

#include "ksvc/backend/basic_io_uring.hpp"
#include "ksvc/backend/epoll.hpp"
#include "ksvc/clock/monotonic_clock.hpp"
#include "ksvc/notify/event_fd_notifier.hpp"
#include "ksvc/notify/futex_notifier.hpp"
#include "ksvc/notify/ring_message_notifier.hpp"
#include "ksvc/notify/shared_reactor_notifier.hpp"
#include "ksvc/reactor/shared_reactor.hpp"

namespace weft::ksvc::testing {

inline constexpr std::chrono::seconds kHangGuard{30};

struct CallMessageNotifier : RingMessageNotifier {
  CallMessageNotifier() : RingMessageNotifier(MessageSender::kernel_call) {}
};
struct OwnRingMessageNotifier : RingMessageNotifier {
  OwnRingMessageNotifier() : RingMessageNotifier(MessageSender::own_ring) {}
};

template <class N, class B>
struct Watched {
  using Notifier = N;
  using Backend = B;
};

using EveryWatched =
    ::testing::Types<Watched<EventFdNotifier, BasicIoUring>, Watched<EventFdNotifier, Epoll>,
                     Watched<FutexNotifier, BasicIoUring>,
                     Watched<CallMessageNotifier, BasicIoUring>,
                     Watched<OwnRingMessageNotifier, BasicIoUring>,
                     Watched<SharedReactorNotifier, SharedReactorBackend<Epoll>>>;

struct WatchedNames {
  template <class W>
  static std::string GetName(int) {
    std::string name = std::string(W::Notifier::name()) + "_on_" + W::Backend::name();
    for (char& c : name) c = c == ' ' ? '_' : c;
    if constexpr (std::is_same_v<typename W::Notifier, OwnRingMessageNotifier>) {
      name += "_by_own_ring";
    }
    return name;
  }
};

// Why the kernel, or what confines the process, does not let this notifier be used.
template <class N>
std::optional<std::string> missing_for() {
  if constexpr (std::is_same_v<N, CallMessageNotifier>) {
    if (!RingMessageNotifier::supported(MessageSender::kernel_call)) {
      return "messages to rings by a call need Linux 6.13";
    }
  }
  if constexpr (std::is_same_v<N, OwnRingMessageNotifier>) {
    if (!RingMessageNotifier::supported(MessageSender::own_ring)) {
      return "messages between rings need Linux 5.18";
    }
  }
  if constexpr (std::is_same_v<N, FutexNotifier>) {
    auto backend = BasicIoUring::create({});
    if (!backend) return "io_uring is refused here";
    const std::atomic<std::uint32_t> word{1};
    (*backend)->submit(FutexWait{&word, 0}, 8);
    (*backend)->submit_and_wait(1, MonotonicClock().now() + kHangGuard);
    struct Sink {
      void complete(const Completion& completion) noexcept { result = completion.result; }
      int result = 0;
    } sink;
    (*backend)->drain(sink);
    if (sink.result != -EAGAIN) return "waiting for a word by a ring needs Linux 6.7";
  }
  return std::nullopt;
}

// A back end that watches a notifier, and acknowledges as a worker does: at each completion, and
// then watches again when that was the final one.
template <class W>
class Watcher {
 public:
  using Notifier = typename W::Notifier;
  using Backend = typename W::Backend;
  static_assert(WatchedBy<Notifier, Backend>);

  // Why it cannot be made here.
  static std::optional<std::string> missing() {
    if (!Backend::create({})) return std::string(Backend::name()) + " is refused here";
    return missing_for<Notifier>();
  }

  explicit Watcher(Notifier& notifier)
      : notifier_(notifier), backend_(Backend::create({}).value()) {}

  void watch() { notifier_.watch(*backend_, kWakeId); }

  // Completions of the watch that came by then.
  int wait(std::chrono::nanoseconds at_most = kHangGuard) {
    const int before = wakes_;
    const TimePoint deadline = MonotonicClock().now() + at_most;
    do {
      backend_->submit_and_wait(1, deadline);
      backend_->drain(*this);
    } while (wakes_ == before && MonotonicClock().now() < deadline);
    return wakes_ - before;
  }
  // Completions of the watch that are there. Twice, since one operation may make the next.
  int look() {
    const int before = wakes_;
    for (int i = 0; i < 2; ++i) {
      backend_->submit_and_wait(0, kNoDeadline);
      backend_->drain(*this);
    }
    return wakes_ - before;
  }

  void complete(const Completion& completion) noexcept {
    EXPECT_EQ(completion.corr_id, kWakeId);
    ++wakes_;
    notifier_.acknowledge();
    if (!completion.more) watch();
  }

 private:
  static constexpr CorrelationId kWakeId = 0x1230;

  Notifier& notifier_;
  std::unique_ptr<Backend> backend_;
  int wakes_ = 0;
};

}  // namespace weft::ksvc::testing
