// BufferQuota: how many leases one owner may hold at a time, kept by the owner itself.
//
// A provider's blocks serve all owners, and one that does not give its leases back in time would
// starve the others. An owner asks its quota before it keeps another lease, and detaches, copies or
// stops receiving when the answer is no. Four bytes; belongs to whoever owns the leases.
#pragma once

#include <cstdint>

#include "ksvc/core/assert.hpp"

namespace weft::ksvc {

class BufferQuota {
 public:
  explicit constexpr BufferQuota(std::uint16_t limit) noexcept : limit_(limit) {}

  // Counts one lease more, unless the owner holds all that it may.
  [[nodiscard]] bool take() noexcept {
    if (held_ >= limit_) return false;
    ++held_;
    return true;
  }
  void give_back() noexcept {
    WEFT_ASSERT(held_ > 0);
    --held_;
  }

  bool is_spent() const noexcept { return held_ >= limit_; }
  std::uint16_t held() const noexcept { return held_; }
  std::uint16_t limit() const noexcept { return limit_; }

 private:
  std::uint16_t limit_;
  std::uint16_t held_ = 0;
};

static_assert(sizeof(BufferQuota) == 4);

}  // namespace weft::ksvc
