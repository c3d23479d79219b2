// CancelNode: one place in the tree of what may be cancelled, and who wants to hear of it.
//
// Invariants.
// - A node is cancelled once, for one reason, and stays so. The first reason counts.
// - Whoever listens is told once, under the node's lock, on the thread that cancels; it must only
//   wake, post or cancel further nodes. After ignore() it is not, and will not be, being told.
// - A node outlives its listeners' listening. A child hears of its parent as any listener does, so
//   locks are taken from the parents down.
// Any thread.
#pragma once

#include <atomic>
#include <cstdint>

#include "weft/detail/spin_lock.hpp"

namespace weft::detail {

enum class CancelReason : std::uint8_t { none, cancelled, timed_out };

struct CancelListener {
  using Fire = void (*)(CancelListener& self, CancelReason reason) noexcept;

  explicit CancelListener(Fire fire_function) noexcept : fire(fire_function) {}
  CancelListener(const CancelListener&) = delete;
  CancelListener& operator=(const CancelListener&) = delete;

  CancelListener* next = nullptr;
  CancelListener** previous = nullptr;  // what points to us; null when not listening
  Fire fire;
};

class CancelNode {
 public:
  CancelNode() noexcept = default;
  explicit CancelNode(std::int64_t deadline_ns) noexcept : deadline_ns_(deadline_ns) {}
  CancelNode(const CancelNode&) = delete;
  CancelNode& operator=(const CancelNode&) = delete;

  // When it will be cancelled at the latest, for threads that have no timers to do it.
  std::int64_t deadline_ns() const noexcept { return deadline_ns_; }
  CancelReason reason() const noexcept { return reason_.load(std::memory_order_acquire); }
  // True when this was the first.
  bool cancel(CancelReason reason) noexcept;

  // False, and nothing registered, when the node is cancelled already.
  bool listen(CancelListener& listener) noexcept;
  void ignore(CancelListener& listener) noexcept;

 private:
  SpinLock lock_;
  std::atomic<CancelReason> reason_{CancelReason::none};
  CancelListener* first_ = nullptr;
  std::int64_t deadline_ns_ = INT64_MAX;
};

// A node below another one, or below none: cancelled when that one is.
class ChildCancelNode : public CancelNode {
 public:
  explicit ChildCancelNode(CancelNode* parent, std::int64_t deadline_ns = INT64_MAX) noexcept;
  ~ChildCancelNode();

 private:
  struct Link : CancelListener {
    Link(Fire fire_function, CancelNode& owner) noexcept
        : CancelListener(fire_function), child(owner) {}
    CancelNode& child;
  };

  static void parent_cancelled(CancelListener& listener, CancelReason reason) noexcept;

  CancelNode* parent_;
  Link link_;
};

}  // namespace weft::detail
