// WakeState: who must send the one message that any number of wakes come to.
//
// Invariants.
// - Between two acknowledgements at most one message is sent, and one is, if there was a wake.
// - At most one thread sends at a time, so what it sends with needs no lock: a wake that finds
//   another one sending, on another thread or below it in a signal handler, leaves its message to
//   that one.
// - Each wake happens before the acknowledgement it counts for: every step exchanges the state,
//   even for the same one.
// begin_wake() and finish_wake() from any thread and from signal handlers, the rest the owner's.
#pragma once

#include <atomic>
#include <cstdint>

namespace weft::ksvc {

template <template <class> class Atomic = std::atomic>
class WakeState {
 public:
  // True when the caller must send, and then ask finish_wake().
  bool begin_wake() noexcept {
    return step([](State state) {
             switch (state) {
               case State::unwatched: return State::woken_unwatched;
               case State::quiet: return State::sending;
               case State::sending_acknowledged: return State::sending_again;
               default: return state;
             }
           }) == State::quiet;
  }

  // The message is out. True when the caller must send another one, and ask again.
  bool finish_wake() noexcept {
    return step([](State state) {
             switch (state) {
               case State::sending: return State::sent;
               case State::sending_acknowledged: return State::quiet;
               case State::sending_again: return State::sending;
               default: return state;
             }
           }) == State::sending_again;
  }

  void acknowledge() noexcept {
    step([](State state) {
      switch (state) {
        case State::woken_unwatched: return State::unwatched;
        case State::sent: return State::quiet;
        case State::sending:
        case State::sending_again: return State::sending_acknowledged;
        default: return state;
      }
    });
  }

  // There is an address now. True when a wake came before it: the caller brings it about itself.
  bool watch() noexcept {
    return step([](State state) {
             switch (state) {
               case State::unwatched: return State::quiet;
               case State::woken_unwatched: return State::sent;
               default: return state;
             }
           }) == State::woken_unwatched;
  }

 private:
  enum class State : std::uint8_t {
    unwatched,             // nowhere to send to, and nobody has woken
    woken_unwatched,       // the same, but somebody has
    quiet,                 // no wake since the last acknowledgement
    sending,               // the first wake since then is sending
    sent,                  // it has sent
    sending_acknowledged,  // it was acknowledged before it was done sending; no wake since
    sending_again,         // a wake since: whoever sends must send again
  };

  // Returns the state before it.
  template <class Next>
  State step(Next next) noexcept {
    State before = state_.load(std::memory_order_relaxed);
    while (!state_.compare_exchange_weak(before, next(before), std::memory_order_acq_rel,
                                         std::memory_order_relaxed)) {
    }
    return before;
  }

  Atomic<State> state_{State::unwatched};
};

}  // namespace weft::ksvc
