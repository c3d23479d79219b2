#include "weft/scope.hpp"

#include <utility>

namespace weft {

using detail::CancelListener;
using detail::CancelReason;
using detail::SpinGuard;

Scope::Child::Child(Scope& scope) noexcept
    : CancelListener(&Child::child_cancelled),
      count_{scope},
      own_(detail::current_task().cancel),
      node_(&scope.node_),
      ambient_(&node_) {
  if (own_ != nullptr && !own_->listen(*this)) node_.cancel(own_->reason());
}

Scope::Child::~Child() {
  if (own_ != nullptr) own_->ignore(*this);
}

void Scope::Child::child_cancelled(CancelListener& self, CancelReason reason) noexcept {
  static_cast<Child&>(self).node_.cancel(reason);
}

void Scope::begin_child() noexcept {
  const SpinGuard guard(lock_);
  ++children_;
}

void Scope::end_child() noexcept {
  detail::Waiter* woken = nullptr;
  {
    const SpinGuard guard(lock_);
    if (--children_ == 0 && waiter_ != nullptr) woken = std::exchange(waiter_, nullptr);
  }
  // Without a child nothing but this wake keeps the scope.
  if (woken != nullptr && woken->claim(detail::Outcome::woken)) woken->wake();
}

void Scope::fail(std::exception_ptr error) noexcept {
  {
    const SpinGuard guard(lock_);
    if (failure_ == nullptr) failure_ = std::move(error);
  }
  node_.cancel(CancelReason::cancelled);
}

void Scope::wait_for_children() noexcept {
  bool left = false;
  {
    const SpinGuard guard(lock_);
    left = children_ != 0;
  }
  if (left) {
    detail::Waiter waiter("the end of a scope", this);
    {
      const SpinGuard guard(lock_);
      left = children_ != 0;
      if (left) waiter_ = &waiter;
    }
    if (left) waiter.wait_uncancelled();
  }
}

void Scope::end(bool has_no_value) {
  wait_for_children();
  if (failure_ != nullptr) std::rethrow_exception(std::exchange(failure_, nullptr));
  check_cancelled();
  if (has_no_value) throw Cancelled(node_.reason());
}

}  // namespace weft
