// Counter: a number that one thread counts up and others read.
//
// The writer pays a load and a store; where several of them stand together on cache lines of one
// worker's, nobody else writes there.
#pragma once

#include <atomic>
#include <cstdint>

namespace weft::gvt {

class Counter {
 public:
  void add(std::uint64_t amount) noexcept {
    value_.store(value_.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
  }
  void set(std::uint64_t value) noexcept { value_.store(value, std::memory_order_relaxed); }
  std::uint64_t value() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

}  // namespace weft::gvt
