// BufferBudget: what the clients of one worker may make it keep on the heap, all together, because
// they are slow: input that waits, bodies that are put together, answers that are not taken.
//
// Invariants: each holder counts what it has by a Share and gives it back when it ends. Once the
// limit is reached nobody new is given anything; who holds something goes on within its own limits,
// so that nobody is cut off amid what was begun. The budget outlives its shares.
// Owner's thread only.
#pragma once

#include <cstddef>
#include <functional>
#include <new>
#include <utility>

#include "http/limits.hpp"

namespace weft::http {

// In place of memory that there may be.
class BudgetSpent final : public std::bad_alloc {
 public:
  const char* what() const noexcept override {
    return "slow clients hold as much as Limits::buffered_bytes allows";
  }
};

class BufferBudget {
 public:
  class Share {
   public:
    explicit Share(BufferBudget& budget) noexcept : budget_(budget) {}
    ~Share() { set(0); }
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;

    // It holds so much now.
    void set(std::size_t bytes) noexcept {
      budget_.held_ += bytes - bytes_;
      bytes_ = bytes;
    }

   private:
    BufferBudget& budget_;
    std::size_t bytes_ = 0;
  };

  // The limits must outlive it. `when_refused` is called each time, and must not throw.
  BufferBudget(const Limits& limits, std::function<void()> when_refused)
      : limits_(limits), when_refused_(std::move(when_refused)) {}
  BufferBudget(const BufferBudget&) = delete;
  BufferBudget& operator=(const BufferBudget&) = delete;

  // Before there is a new holder: whether there may be.
  [[nodiscard]] bool admits() const {
    const bool spent = limits_.buffered_bytes > 0 && held_ >= limits_.buffered_bytes;
    if (spent) when_refused_();
    return !spent;
  }
  std::size_t held() const noexcept { return held_; }
  const Limits& limits() const noexcept { return limits_; }

 private:
  const Limits& limits_;
  std::function<void()> when_refused_;
  std::size_t held_ = 0;
};

}  // namespace weft::http
