// RegisteredBuffers: blocks pinned in memory once and registered with a ring, so that the kernel
// need not look up and pin their pages for every operation on them.
//
// For direct reads and writes of files (blocks are whole, aligned pages) and for sends that do not
// copy. The pinned memory holds the numbered blocks and a quarter as many spare ones, which is what
// detached and borrowed leases use first; those beyond lie in ordinary memory, for which index_of()
// has no answer and the ordinary form of an operation is used. Pinned memory comes back into use
// first. Works without a ring too; then nothing is pinned.
#pragma once

#include <liburing.h>

#include <optional>
#include <string>
#include <vector>

#include "ksvc/buffers/block_table.hpp"
#include "ksvc/core/buffer_provider.hpp"
#include "weft/result.hpp"

namespace weft::ksvc {

// Memory without gaps that is registered as one buffer after the other, each of `buffer_bytes` but
// for the last.
class RegisteredRegion {
 public:
  // Nothing is registered.
  RegisteredRegion() = default;
  RegisteredRegion(const char* base, std::size_t bytes, std::size_t buffer_bytes) noexcept
      : base_(base), bytes_(bytes), buffer_bytes_(buffer_bytes) {}

  // Which buffer holds these bytes, all of them, if one does.
  std::optional<std::uint16_t> index_of(const void* data, std::size_t size) const noexcept {
    const auto begin =
        reinterpret_cast<std::uintptr_t>(data) - reinterpret_cast<std::uintptr_t>(base_);
    if (begin >= bytes_ || size > bytes_ - begin) return std::nullopt;
    // One buffer holds all, unless there is more than the kernel takes as one.
    if (bytes_ <= buffer_bytes_) [[likely]]
      return std::uint16_t{0};
    if (size > buffer_bytes_ - begin % buffer_bytes_) return std::nullopt;
    return static_cast<std::uint16_t>(begin / buffer_bytes_);
  }

 private:
  const char* base_ = nullptr;
  std::size_t bytes_ = 0;
  std::size_t buffer_bytes_ = 0;
};

class RegisteredBuffers {
 public:
  // Blocks are rounded up to whole pages.
  explicit RegisteredBuffers(const BufferOptions& options);

  // Pins the memory and registers it as the ring's buffers, which must be its first. ENOMEM: the
  // system allows no more locked memory; explain() says how much was asked and is allowed.
  Result<void> attach(io_uring* ring);
  std::string explain(const Error& refused) const;

  // Which of the ring's buffers holds these bytes, all of them, if one does.
  std::optional<std::uint16_t> index_of(const void* data, std::size_t size) const noexcept {
    return region_.index_of(data, size);
  }

  // An empty lease when every block is lent.
  BufferLease acquire() noexcept {
    if (free_.empty()) return {};
    const std::uint16_t block = free_.back();
    free_.pop_back();
    table_.prefer_first_slab(block);
    return table_.lend(block, 0);
  }
  void release(BufferLease& lease) noexcept { put_back(table_.take_back(lease)); }
  void detach(BufferLease& lease) { put_back(table_.detach(lease)); }
  BufferLease borrow() { return table_.borrow(); }

  std::uint32_t block_bytes() const noexcept { return table_.block_bytes(); }
  std::size_t lent() const noexcept { return table_.lent(); }
  std::size_t available() const noexcept { return table_.available(); }
  static const char* name() noexcept { return "registered buffers"; }

 private:
  void put_back(std::uint16_t block) noexcept {
    if (block != kDetachedBlock) free_.push_back(block);
  }

  BlockTable table_;
  RegisteredRegion region_;
  std::vector<std::uint16_t> free_;
};

static_assert(BufferProvider<RegisteredBuffers>);

}  // namespace weft::ksvc
