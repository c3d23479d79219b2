// HandlerStrand: what runs the coroutine of a handler.
//
// Stands in its request, which it tells when the coroutine has ended. Worker's thread only.
#pragma once

#include <exception>
#include <utility>

#include "gvt/sanitizer.hpp"
#include "weft/detail/coro_promise.hpp"

namespace weft::http {

struct ActiveRequest;

class HandlerStrand final : private detail::Strand {
 public:
  using Coroutine = detail::OwnedCoroutine<void>;

  HandlerStrand(ActiveRequest& request, Coroutine coroutine) noexcept
      : request_(request), coroutine_(std::move(coroutine)) {}

  // Runs it as far as it gets without waiting. Its cancellation is `cancel`.
  void begin(detail::CancelNode* cancel) noexcept {
    coroutine_.begin_first(*this, cancel, nullptr);
    run_here();
  }
  // After its end: throws what it threw.
  void finish() {
    if (failure_ != nullptr) std::rethrow_exception(std::exchange(failure_, nullptr));
  }

  void leave_for_good() const noexcept { gvt::sanitizer::leave_for_good(&coroutine_.promise()); }

 private:
  void drop_coroutine() noexcept override;
  void ended() noexcept override;

  ActiveRequest& request_;
  Coroutine coroutine_;
  std::exception_ptr failure_;
};

}  // namespace weft::http
