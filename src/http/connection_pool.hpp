// ConnectionPool: the records of a worker's connections, in slabs, so that one costs its own size
// and all can be visited. Owner's thread only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include "ksvc/core/assert.hpp"

namespace weft::http {

template <class Record>
class ConnectionPool {
 public:
  ConnectionPool() = default;
  ConnectionPool(const ConnectionPool&) = delete;
  ConnectionPool& operator=(const ConnectionPool&) = delete;
  ~ConnectionPool() {
    visit([this](Record& record) { destroy(record); });
  }

  template <class... Arguments>
  Record& create(Arguments&&... arguments) {
    if (free_.empty()) add_slab();
    Slot* slot = free_.back();
    free_.pop_back();
    slot->used = true;
    ++used_;
    return *new (slot->memory) Record(std::forward<Arguments>(arguments)...);
  }

  void destroy(Record& record) noexcept {
    Slot* slot = slot_of(record);
    WEFT_ASSERT(slot->used);
    record.~Record();
    slot->used = false;
    --used_;
    free_.push_back(slot);
  }

  std::size_t size() const noexcept { return used_; }

  template <class Visit>
  void visit(const Visit& visit_one) {
    for (const auto& slab : slabs_) {
      for (std::size_t i = 0; i < kSlotsPerSlab; ++i) {
        if (slab[i].used) visit_one(*std::launder(reinterpret_cast<Record*>(slab[i].memory)));
      }
    }
  }

 private:
  static constexpr std::size_t kSlotsPerSlab = 64;

  struct Slot {
    alignas(Record) unsigned char memory[sizeof(Record)];
    bool used = false;
  };

  static Slot* slot_of(Record& record) noexcept { return reinterpret_cast<Slot*>(&record); }

  void add_slab() {
    slabs_.push_back(std::make_unique<Slot[]>(kSlotsPerSlab));
    free_.reserve(slabs_.size() * kSlotsPerSlab);
    for (std::size_t i = kSlotsPerSlab; i > 0; --i) free_.push_back(&slabs_.back()[i - 1]);
  }

  std::vector<std::unique_ptr<Slot[]>> slabs_;
  std::vector<Slot*> free_;
  std::size_t used_ = 0;
};

}  // namespace weft::http
