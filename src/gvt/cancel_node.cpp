#include "weft/detail/cancel_node.hpp"

#include <algorithm>

namespace weft::detail {

bool CancelNode::cancel(CancelReason reason) noexcept {
  const SpinGuard guard(lock_);
  if (reason_.load(std::memory_order_relaxed) != CancelReason::none) return false;
  reason_.store(reason, std::memory_order_release);
  while (first_ != nullptr) {
    CancelListener& listener = *first_;
    first_ = listener.next;
    if (first_ != nullptr) first_->previous = &first_;
    listener.previous = nullptr;
    // The last look at the listener: what it does may let its owner go on and drop it, once the
    // lock is free.
    listener.fire(listener, reason);
  }
  return true;
}

bool CancelNode::listen(CancelListener& listener) noexcept {
  const SpinGuard guard(lock_);
  if (reason_.load(std::memory_order_relaxed) != CancelReason::none) return false;
  listener.next = first_;
  listener.previous = &first_;
  if (first_ != nullptr) first_->previous = &listener.next;
  first_ = &listener;
  return true;
}

void CancelNode::ignore(CancelListener& listener) noexcept {
  const SpinGuard guard(lock_);
  if (listener.previous == nullptr) return;
  *listener.previous = listener.next;
  if (listener.next != nullptr) listener.next->previous = listener.previous;
  listener.previous = nullptr;
}

ChildCancelNode::ChildCancelNode(CancelNode* parent, std::int64_t deadline_ns) noexcept
    : CancelNode(parent == nullptr ? deadline_ns : std::min(deadline_ns, parent->deadline_ns())),
      parent_(parent),
      link_(&ChildCancelNode::parent_cancelled, *this) {
  if (parent_ != nullptr && !parent_->listen(link_)) cancel(parent_->reason());
}

ChildCancelNode::~ChildCancelNode() {
  if (parent_ != nullptr) parent_->ignore(link_);
}

void ChildCancelNode::parent_cancelled(CancelListener& listener, CancelReason reason) noexcept {
  static_cast<Link&>(listener).child.cancel(reason);
}

}  // namespace weft::detail
