// RequestCancel: what cancels the handler of one request: its time, its client's going, and the end
// of the server.
//
// Stands with the request and costs a few stores until the handler first waits; only from then on
// is it below the server's node, for nothing can cancel a handler that has never waited. It must
// not outlive that node. Worker's thread only, like the server's node.
#pragma once

#include <optional>

#include "weft/detail/cancel_node.hpp"

namespace weft::http {

class RequestCancel final : public detail::CancelNode {
 public:
  RequestCancel() noexcept = default;
  ~RequestCancel() {
    if (link_) parent_->ignore(*link_);
  }

  // From here on it is cancelled when `parent` is.
  void put_below(detail::CancelNode& parent) noexcept {
    if (link_) return;
    parent_ = &parent;
    link_.emplace(*this);
    if (!parent.listen(*link_)) cancel(parent.reason());
  }

 private:
  struct Link : detail::CancelListener {
    explicit Link(RequestCancel& request) noexcept
        : CancelListener(&RequestCancel::parent_cancelled), owner(request) {}
    RequestCancel& owner;
  };

  static void parent_cancelled(detail::CancelListener& listener,
                               detail::CancelReason reason) noexcept {
    static_cast<Link&>(listener).owner.cancel(reason);
  }

  detail::CancelNode* parent_;  // once there is a link
  std::optional<Link> link_;
};

}  // namespace weft::http
