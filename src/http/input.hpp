// Input: the bytes of one connection that have arrived and are not yet consumed.
//
// Usually that is a single lease, read where the kernel put it. What does not fit that picture (a
// head in several pieces, requests that arrive while a handler runs) is copied to a spill on the
// heap, which exists only as long as it is needed. While pinned, the bytes behind front() do not
// move: a running handler looks at them.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "http/buffer_budget.hpp"
#include "http/head_parser.hpp"
#include "ksvc/core/assert.hpp"
#include "ksvc/core/buffer_provider.hpp"
#include "ksvc/core/clock.hpp"

namespace weft::http {

using ksvc::BufferLease;

template <ksvc::BufferProvider Buffers>
class Input {
 public:
  // A head that is not complete yet, so that parsing goes on where it stopped.
  struct Spill {
    explicit Spill(BufferBudget& budget) : parser(budget.limits()), share(budget) { count(); }

    // Behind what has made it grow or shrink.
    void count() noexcept {
      share.set(sizeof(Spill) + front.capacity() + behind.capacity() + body.capacity());
    }

    // What is consumed goes first: a client that is never quite done must not make this grow.
    void append_to_front(std::string_view bytes) {
      front.erase(0, front_begin);
      front_begin = 0;
      front.append(bytes);
    }

    std::string front;
    std::size_t front_begin = 0;
    std::string behind;  // arrived while pinned
    std::string body;    // a body that had to be put together
    HeadParser parser;
    bool parsing = false;
    ksvc::TimePoint began{0};  // when the first part of that head had arrived
    BufferBudget::Share share;
  };

  bool empty() const noexcept { return front().empty(); }
  // Everything that may be consumed.
  std::string_view front() const noexcept {
    if (lease_) return {lease_.data + begin_, lease_.size - begin_};
    if (spill_ == nullptr) return {};
    return std::string_view(spill_->front).substr(spill_->front_begin);
  }
  // What waits behind the pinned bytes.
  std::size_t behind_size() const noexcept { return spill_ == nullptr ? 0 : spill_->behind.size(); }

  void arrive(BufferLease lease, Buffers& buffers, BufferBudget& budget) {
    if (!lease_ && spill_ == nullptr && !pinned_) {
      lease_ = lease;
      begin_ = 0;
      return;
    }
    // However this ends, the lease is not ours to keep.
    struct Return {
      BufferLease& lease;
      Buffers& buffers;
      ~Return() { buffers.release(lease); }
    } const when_copied{lease, buffers};
    Spill& spill = need_spill(budget);
    if (pinned_) {
      spill.behind.append(lease.data, lease.size);
    } else {
      spill_lease(buffers, budget);
      spill.append_to_front({lease.data, lease.size});
    }
    spill.count();
  }

  void pin() noexcept { pinned_ = true; }
  // Drops `consumed` bytes of front() and lets what waits behind move up.
  void unpin(std::size_t consumed, Buffers& buffers, BufferBudget& budget) {
    pinned_ = false;
    consume(consumed, buffers);
    if (spill_ == nullptr) return;
    spill_->body.clear();
    if (!spill_->behind.empty()) {
      spill_lease(buffers, budget);
      spill_->append_to_front(spill_->behind);
      spill_->behind.clear();
    }
    spill_->count();
    drop_spill_if_unused();
  }

  void consume(std::size_t bytes, Buffers& buffers) {
    WEFT_ASSERT(bytes <= front().size());
    if (lease_) {
      begin_ += static_cast<std::uint32_t>(bytes);
      if (begin_ == lease_.size) buffers.release(lease_);
    } else if (spill_ != nullptr) {
      spill_->front_begin += bytes;
      if (spill_->front_begin == spill_->front.size()) {
        spill_->front.clear();
        spill_->front_begin = 0;
      }
    }
  }

  // Before a park, while pinned: the lease must not be missing from the provider meanwhile.
  void detach(Buffers& buffers) {
    if (lease_) buffers.detach(lease_);
  }
  // Before the connection waits, unpinned: a lease is given back, its rest copied.
  void spill_lease(Buffers& buffers, BufferBudget& budget) {
    if (!lease_) return;
    const std::string_view rest = front();
    Spill& spill = need_spill(budget);
    spill.front.assign(rest);
    spill.front_begin = 0;
    spill.count();
    buffers.release(lease_);
  }

  // Throws BudgetSpent.
  Spill& need_spill(BufferBudget& budget) {
    if (spill_ != nullptr) return *spill_;
    if (!budget.admits()) throw BudgetSpent();
    spill_ = std::make_unique<Spill>(budget);
    return *spill_;
  }
  Spill* spill() noexcept { return spill_.get(); }
  void drop_spill_if_unused() noexcept {
    if (spill_ != nullptr && spill_->front.empty() && spill_->behind.empty() && !spill_->parsing &&
        !pinned_) {
      spill_.reset();
    }
  }

  void clear(Buffers& buffers) {
    if (lease_) buffers.release(lease_);
    spill_.reset();
    begin_ = 0;
  }

 private:
  BufferLease lease_;
  std::uint32_t begin_ = 0;
  bool pinned_ = false;
  std::unique_ptr<Spill> spill_;
};

}  // namespace weft::http
