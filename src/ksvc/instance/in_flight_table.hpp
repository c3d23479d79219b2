// InFlightTable: the entries an instance has begun and not finished, a fixed number of slots.
//
// The id an operation gets is its slot's number and the slot's generation, so that a completion
// that comes for an entry long gone is noticed. Slots never move: pool tasks and the kernel point
// to them. Owner's thread only, but for a slot that a pool thread is running.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "ksvc/core/assert.hpp"
#include "ksvc/core/worker_pool.hpp"
#include "ksvc/instance/entry.hpp"

namespace weft::ksvc {

struct InFlight : PoolTask {
  InFlight() noexcept : PoolTask(nullptr) {}

  enum class Place : std::uint8_t { free, ring, pool };

  Entry entry;
  std::int64_t result = 0;
  BufferLease lease;         // for Entry::lend_buffer
  void* instance = nullptr;  // whose it is, for the pool thread that has run it
  std::uint32_t generation = 1;
  std::uint32_t slot = 0;
  Place place = Place::free;
};

class InFlightTable {
 public:
  // Never given out; nor is anything above it.
  static constexpr CorrelationId kNoId = CorrelationId{1} << 62;
  static constexpr std::uint32_t kLastGeneration = (1U << 30) - 1;

  InFlightTable(std::size_t slots, void* instance, PoolTask::Run run)
      : size_(slots), slots_(std::make_unique<InFlight[]>(slots)) {
    free_.reserve(slots);
    for (std::size_t i = slots; i > 0; --i) {
      InFlight& slot = slots_[i - 1];
      slot.slot = static_cast<std::uint32_t>(i - 1);
      slot.instance = instance;
      slot.run = run;
      free_.push_back(slot.slot);
    }
  }

  bool full() const noexcept { return free_.empty(); }
  std::size_t size() const noexcept { return size_; }
  std::size_t used() const noexcept { return size_ - free_.size(); }

  InFlight& take(const Entry& entry) noexcept {
    WEFT_ASSERT(!free_.empty());
    InFlight& slot = slots_[free_.back()];
    free_.pop_back();
    slot.entry = entry;
    return slot;
  }
  void give_back(InFlight& slot) noexcept {
    // Never zero, or the first slot's id would be zero, which is nobody's.
    slot.generation = slot.generation == kLastGeneration ? 1 : slot.generation + 1;
    slot.place = InFlight::Place::free;
    slot.lease = {};
    free_.push_back(slot.slot);
  }

  static CorrelationId id_of(const InFlight& slot) noexcept {
    return std::uint64_t{slot.generation} << 32 | slot.slot;
  }
  InFlight& find(CorrelationId id) noexcept {
    const auto number = static_cast<std::uint32_t>(id);
    WEFT_ASSERT(number < size_ && id_of(slots_[number]) == id);
    return slots_[number];
  }

  template <class Visit>
  void visit_used(const Visit& visit) {
    for (std::size_t i = 0; i < size_; ++i) {
      if (slots_[i].place != InFlight::Place::free) visit(slots_[i]);
    }
  }

 private:
  std::size_t size_;
  std::unique_ptr<InFlight[]> slots_;
  std::vector<std::uint32_t> free_;
};

}  // namespace weft::ksvc
