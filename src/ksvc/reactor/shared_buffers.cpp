#include "ksvc/reactor/shared_buffers.hpp"

#include <algorithm>
#include <utility>

#include "ksvc/core/assert.hpp"
#include "ksvc/core/poison.hpp"

namespace weft::ksvc {

SharedReactorBuffers::SharedReactorBuffers(ReactorDoor& door, const ReactorClient& client,
                                           const BufferOptions& options)
    : door_(door),
      client_(client),
      held_(options.blocks),
      own_({.blocks = 1, .block_bytes = options.block_bytes}) {
  WEFT_ASSERT(options.blocks < kDetachedThere);
}

void SharedReactorBuffers::arrived(const BufferLease& lease) {
  WEFT_ASSERT(lease.block < held_.size());
  Held& held = held_[lease.block];
  WEFT_ASSERT(held.data == nullptr);
  held = {lease.data, lease.generation};
  ++lent_;
  make_room_for_returns();
}

void SharedReactorBuffers::make_room_for_returns() {
  // Each may be detached and then released.
  const std::size_t needed = waiting_.size() + 2 * lent_ + detached_.size() + 1;
  if (needed > waiting_.capacity()) waiting_.reserve(2 * needed);
}

// In order: behind what waits.
void SharedReactorBuffers::give_back(const ReactorOperation& operation) noexcept {
  ReactorRequest request;
  request.operation = operation;
  request.tag.client = client_.index;
  if (waiting_.empty() && door_.try_push(request)) {
    ++passed_on_;
  } else {
    waiting_.push_back(operation);
  }
}

std::uint32_t SharedReactorBuffers::flush() noexcept {
  ReactorRequest request;
  request.tag.client = client_.index;
  for (const ReactorOperation& operation : waiting_) {
    request.operation = operation;
    door_.push(request);
  }
  passed_on_ += static_cast<std::uint32_t>(waiting_.size());
  waiting_.clear();
  return std::exchange(passed_on_, 0);
}

void SharedReactorBuffers::release(BufferLease& lease) noexcept {
  if (lease.block == kDetachedBlock) return own_.release(lease);
  if (lease.block == kDetachedThere) {
    const auto found = detached_.find(lease.data);
    WEFT_ASSERT(found != detached_.end() && found->second == lease.generation);
    detached_.erase(found);
    poison(lease.data, block_bytes());
    give_back(ReleaseDetached{lease.data});
  } else {
    WEFT_ASSERT(lease.block < held_.size());
    Held& held = held_[lease.block];
    WEFT_ASSERT(held.data != nullptr && held.data == lease.data);
    WEFT_ASSERT(held.generation == lease.generation);
    held.data = nullptr;
    --lent_;
    poison(lease.data, block_bytes());
    give_back(ReleaseBlock{lease});
  }
  lease = {};
}

void SharedReactorBuffers::detach(BufferLease& lease) {
  if (lease.block == kDetachedBlock || lease.block == kDetachedThere) return;
  WEFT_ASSERT(lease.block < held_.size());
  Held& held = held_[lease.block];
  WEFT_ASSERT(held.data != nullptr && held.data == lease.data);
  WEFT_ASSERT(held.generation == lease.generation);
  make_room_for_returns();
  const std::uint16_t generation = ++last_generation_;
  detached_.emplace(lease.data, generation);
  give_back(DetachBlock{lease});
  held.data = nullptr;
  --lent_;
  lease.block = kDetachedThere;
  lease.generation = generation;
}

std::size_t SharedReactorBuffers::available() const noexcept {
  const std::uint32_t all = door_.lent();
  const std::uint32_t mine = client_.lent.load(std::memory_order_relaxed);
  const std::size_t of_others = all > mine ? all - mine : 0;
  return held_.size() - std::min(held_.size(), lent_ + of_others);
}

void SharedReactorBuffers::release_all() {
  for (std::size_t block = 0; block < held_.size(); ++block) {
    const Held& held = held_[block];
    if (held.data == nullptr) continue;
    BufferLease lease{held.data, 0, static_cast<std::uint16_t>(block), held.generation};
    release(lease);
  }
  while (!detached_.empty()) {
    const auto [data, generation] = *detached_.begin();
    BufferLease lease{data, 0, kDetachedThere, generation};
    release(lease);
  }
}

}  // namespace weft::ksvc
