#include "weft/cancel.hpp"

#include "gvt/blocking_io.hpp"
#include "gvt/scheduler.hpp"

namespace weft {

namespace detail {

Cancelled own_cancellation() noexcept { return Cancelled(current_task().cancel->reason()); }

void throw_cancelled() { throw own_cancellation(); }

}  // namespace detail

bool cancelled() noexcept {
  detail::CancelNode* const node = detail::current_task().cancel;
  if (node == nullptr) return false;
  if (node->reason() != detail::CancelReason::none) return true;
  // No timer fires while the caller computes, and an OS thread has none.
  const std::int64_t deadline_ns = node->deadline_ns();
  if (deadline_ns == detail::kNever || deadline_ns > detail::now_ns()) return false;
  node->cancel(detail::CancelReason::timed_out);
  return true;
}

void check_cancelled() {
  if (cancelled()) detail::throw_cancelled();
}

namespace detail {

namespace {

// A source's node below another one, which it keeps alive.
struct HeldChild {
  explicit HeldChild(std::shared_ptr<CancelNode> held) : parent(std::move(held)) {}

  std::shared_ptr<CancelNode> parent;
  ChildCancelNode node{parent.get()};
};

std::shared_ptr<CancelNode> node_below(const std::shared_ptr<CancelNode>& parent) {
  if (parent == nullptr) return std::make_shared<CancelNode>();
  const auto child = std::make_shared<HeldChild>(parent);
  return {child, &child->node};
}

}  // namespace

DeadlineScope::DeadlineScope(std::int64_t deadline_ns) noexcept
    : Timer(&DeadlineScope::expired), node_(current_task().cancel, deadline_ns), ambient_(&node_) {
  gvt::Scheduler* const scheduler = gvt::current_scheduler();
  if (scheduler == nullptr || deadline_ns == kNever) return;
  // The timer is this worker's, so the caller stays here.
  ++scheduler->running().bound;
  scheduler->timers().set(*this, {deadline_ns});
  has_timer_ = true;
}

DeadlineScope::~DeadlineScope() {
  if (!has_timer_) return;
  gvt::Scheduler& scheduler = *gvt::current_scheduler();
  scheduler.timers().clear(*this);
  --scheduler.running().bound;
}

void DeadlineScope::expired(Timer& self) {
  static_cast<DeadlineScope&>(self).node_.cancel(CancelReason::timed_out);
}

TokenScope::TokenScope(const CancelToken& token) noexcept
    : CancelListener(&TokenScope::token_cancelled),
      token_(token.node_),
      node_(current_task().cancel),
      ambient_(&node_) {
  if (token_ != nullptr && !token_->listen(*this)) node_.cancel(token_->reason());
}

TokenScope::~TokenScope() {
  if (token_ != nullptr) token_->ignore(*this);
}

void TokenScope::token_cancelled(CancelListener& self, CancelReason reason) noexcept {
  static_cast<TokenScope&>(self).node_.cancel(reason);
}

}  // namespace detail

CancelSource::CancelSource() : node_(std::make_shared<detail::CancelNode>()) {}

CancelSource::CancelSource(const CancelToken& parent) : node_(detail::node_below(parent.node_)) {}

}  // namespace weft
