// PendingAnswer: what a Respond and the request it answers have in common.
//
// Invariants. Whoever claims the wait first ends it: the Respond, by being called or dropped, or
// the request, by being cancelled. The Respond and the request each hold it, and the request's hold
// stays until what was claimed has come round to its worker, so that whoever wakes that finds it
// there. Any thread has the Respond's part, the worker's thread the request's.
#pragma once

#include <atomic>
#include <cstdint>

#include "gvt/scheduler.hpp"
#include "http/awaited_end.hpp"
#include "weft/detail/armed_wait.hpp"
#include "weft/detail/waiter.hpp"
#include "weft/respond.hpp"

namespace weft::http {

class PendingAnswer final : public AwaitedEnd, private detail::Runnable {
 public:
  PendingAnswer(const PendingAnswer&) = delete;
  PendingAnswer& operator=(const PendingAnswer&) = delete;

  // ---- The request's part

  // Throws std::bad_alloc.
  static PendingAnswer& make(gvt::Scheduler& home);
  bool has_ended(ToldOfAnswer told, detail::CancelNode* node) noexcept override;
  bool give_up() noexcept override;
  void fill(Context& context) override;
  void request_ended() noexcept override;

  // ---- The Respond's part

  void answer(Respond::Fill fill) noexcept;
  void drop() noexcept;

 private:
  explicit PendingAnswer(gvt::Scheduler& home) noexcept;
  ~PendingAnswer() = default;

  static void came_round(detail::Runnable& self);
  void end() noexcept;
  void release() noexcept;

  gvt::Scheduler& home_;
  detail::Waiter waiter_;
  detail::ArmedWait armed_;
  std::atomic<std::uint32_t> holders_{2};
  bool dropped_ = false;
  // Of the one who claimed, until it has come round.
  Respond::Fill fill_;
  // Of the worker's thread.
  ToldOfAnswer told_;   // while the request waits
  bool ended_ = false;  // and it will not be told any more
};

}  // namespace weft::http
