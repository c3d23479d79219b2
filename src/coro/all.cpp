#include "weft/detail/coro_all.hpp"

namespace weft::detail {

void AllTogether::begin(Strand& strand, std::coroutine_handle<> caller, std::size_t children) {
  if (strand.home() == nullptr) stop_for_no_worker();
  strand_ = &strand;
  left_ = children;
  node_.emplace(current_task().cancel);
  strand.suspend_at(caller);
}

void AllTogether::child_ended(std::exception_ptr failure, bool only_cancelled) noexcept {
  if (failure != nullptr) {
    // That of a child that did as it was asked is nothing that went wrong.
    const bool asked = only_cancelled && node_->reason() != CancelReason::none;
    std::exception_ptr& kept = asked ? cancelled_ : failure_;
    if (kept == nullptr) kept = std::move(failure);
    if (!asked) node_->cancel(CancelReason::cancelled);
  }
  if (--left_ == 0) strand_->make_ready();
}

void AllTogether::finish() {
  // Without children there was nothing to begin.
  node_.reset();
  if (failure_ != nullptr) std::rethrow_exception(std::exchange(failure_, nullptr));
  if (cancelled_ != nullptr) std::rethrow_exception(std::exchange(cancelled_, nullptr));
}

}  // namespace weft::detail
