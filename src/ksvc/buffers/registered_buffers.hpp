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

class RegisteredBuffers {
 public:
  // Blocks are rounded up to whole pages.
  explicit RegisteredBuffers(const BufferOptions& options);

  // Pins the memory and registers it as the ring's buffers, which must be its first. ENOMEM: the
  // system allows no more locked memory; explain() says how much was asked and is allowed.
  Result<void> attach(io_uring* ring);
  std::string explain(const Error& refused) const;

  // Which registered buffer holds these bytes, all of them, if one does.
  std::optional<std::uint16_t> index_of(const void* data, std::size_t size) const noexcept {
    const auto* first = static_cast<const char*>(data);
    if (!attached_ || size > region_bytes_ || !table_.store().is_in_first_slab(first)) return {};
    const auto begin = static_cast<std::size_t>(first - region_);
    if (size > region_bytes_ - begin) return {};
    // One buffer holds all, unless there is more than the kernel takes as one.
    if (region_bytes_ <= buffer_bytes_) [[likely]]
      return std::uint16_t{0};
    const std::size_t index = begin / buffer_bytes_;
    if (size > (index + 1) * buffer_bytes_ - begin) return {};
    return static_cast<std::uint16_t>(index);
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
  const char* region_;
  std::size_t region_bytes_;
  std::size_t buffer_bytes_;
  bool attached_ = false;
  std::vector<std::uint16_t> free_;
};

static_assert(BufferProvider<RegisteredBuffers>);

}  // namespace weft::ksvc
