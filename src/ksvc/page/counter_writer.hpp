// CounterWriter: how one worker counts in a shared page.
//
// A count is a load and a store on the worker's own cache lines, after a look at the word that a
// fork clears. One thread at a time uses the writers of one worker; the page outlives them.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "ksvc/core/shared_page.hpp"
#include "ksvc/page/page_mapping.hpp"

namespace weft::ksvc {

class CounterWriter {
 public:
  CounterWriter(PageMapping& mapping, std::uint32_t worker) noexcept
      : epoch_(&mapping.epoch()), counters_(&mapping.page().workers[worker]), mapping_(&mapping) {}

  void add(Counter counter, std::int64_t change) const noexcept {
    std::atomic<std::uint64_t>& value = own(counter);
    value.store(value.load(std::memory_order_relaxed) + static_cast<std::uint64_t>(change),
                std::memory_order_relaxed);
  }
  void set(Counter counter, std::uint64_t to) const noexcept {
    own(counter).store(to, std::memory_order_relaxed);
  }

 private:
  std::atomic<std::uint64_t>& own(Counter counter) const noexcept {
    if (!PageMapping::is_settled(epoch_->load(std::memory_order_acquire))) [[unlikely]] {
      mapping_->adopt();
    }
    return counters_->values[static_cast<std::size_t>(counter)];
  }

  const std::atomic<std::uint64_t>* epoch_;
  PageCounters* counters_;
  PageMapping* mapping_;
};

static_assert(CounterWriting<CounterWriter>);

}  // namespace weft::ksvc
