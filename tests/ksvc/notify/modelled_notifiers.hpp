// The notifiers for Interleavings: the code of the real ones on a model of what the kernel does.
//
// Each has wake() and acknowledge(), and for the owner watch(), completed() (a condition to wait
// for) and consume(), which takes the completion as a drain does.
#pragma once

#include <chrono>
#include <cstdint>

#include "ksvc/notify/futex_notifier.hpp"
#include "ksvc/notify/interleaving.hpp"
#include "ksvc/notify/wake_state.hpp"

namespace weft::ksvc::testing {

// All its state is the kernel's: a counter, and a poll that was told to look at it again.
class ModelledEventFd {
 public:
  void wake() noexcept {
    counter_.fetch_add(1, std::memory_order_seq_cst);
    told_.store(1, std::memory_order_seq_cst);
  }
  void acknowledge() noexcept { counter_.exchange(0, std::memory_order_seq_cst); }

  void watch() noexcept {}
  bool completed() const noexcept { return told_.peek() != 0 && counter_.peek() != 0; }
  void consume() noexcept { told_.exchange(0, std::memory_order_seq_cst); }
  static const char* name() noexcept { return "event_fd"; }

 private:
  CheckedAtomic<int> counter_{0};
  CheckedAtomic<int> told_{0};
};

// One word, on which a ring waits since the last watch().
struct ModelledFutexCalls {
  static void wake(const CheckedAtomic<std::uint32_t>&) noexcept {
    Interleavings::current()->step();
    if (waiting->peek() == 0) return;
    waiting->poke(0);
    completions->poke(1);
  }
  static void wait(const CheckedAtomic<std::uint32_t>&, std::uint32_t,
                   std::chrono::nanoseconds) noexcept {}

  static inline thread_local CheckedAtomic<int>* waiting = nullptr;
  static inline thread_local CheckedAtomic<int>* completions = nullptr;
};

class ModelledFutex {
 public:
  ModelledFutex() {
    ModelledFutexCalls::waiting = &waiting_;
    ModelledFutexCalls::completions = &completions_;
  }

  void wake() noexcept { real_.wake(); }
  void acknowledge() noexcept { real_.acknowledge(); }

  // The kernel compares the word and joins the queue as one step.
  void watch() noexcept {
    Interleavings::current()->step();
    Interleavings::current()->observed(real_.word().peek());
    if (real_.word().peek() != 0) {
      completions_.poke(1);
    } else {
      waiting_.poke(1);
    }
  }
  bool completed() const noexcept { return completions_.peek() != 0; }
  void consume() noexcept {
    Interleavings::current()->step();
    completions_.poke(0);
  }
  static const char* name() noexcept { return "futex"; }

 private:
  BasicFutexNotifier<CheckedAtomic, ModelledFutexCalls> real_;
  CheckedAtomic<int> waiting_{0};
  CheckedAtomic<int> completions_{0};  // 1: there is one to drain, or more
};

// `State` says who sends; that only one does at a time is checked here.
template <class State>
class ModelledRingMessageWith {
 public:
  void wake() noexcept {
    if (!summarised([&] { return state_.begin_wake(); })) return;
    do {
      send();
    } while (summarised([&] { return state_.finish_wake(); }));
  }
  void acknowledge() noexcept {
    summarised([this] { state_.acknowledge(); });
  }

  void watch() noexcept {
    if (summarised([this] { return state_.watch(); })) complete();
  }
  bool completed() const noexcept { return completions_.peek() != 0; }
  void consume() noexcept {
    Interleavings::current()->step();
    completions_.poke(0);
  }
  static const char* name() noexcept { return "ring_message"; }

 private:
  void send() noexcept {
    if (sending_.exchange(1, std::memory_order_seq_cst) != 0) {
      Interleavings::current()->fail("two threads send at once");
    }
    complete();
    sending_.store(0, std::memory_order_seq_cst);
  }

  void complete() noexcept {
    Interleavings::current()->step();
    completions_.poke(1);
  }

  State state_;
  CheckedAtomic<int> sending_{0};
  CheckedAtomic<int> completions_{0};  // 1: there is one to drain, or more
};

using ModelledRingMessage = ModelledRingMessageWith<WakeState<CheckedAtomic>>;

}  // namespace weft::ksvc::testing
