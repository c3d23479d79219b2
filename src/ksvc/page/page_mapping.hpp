// PageMapping: the memory of a shared page in this process, and what tells a fork.
//
// The epoch is a word in memory that the kernel clears in a forked child (MADV_WIPEONFORK), however
// the fork was made. Whoever uses the mapping looks at it first. A child that finds it cleared
// takes a private copy, in the same place, before it goes on: its own facts, its counters at 0;
// what the parent publishes is left alone, and the file is the parent's to remove. The epoch also
// grows with every refresh, so that a copy of the facts is right as long as the epoch is the same;
// no epoch of a parent is one of its child's. Safe from any thread; not from signal handlers.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include <weft/result.hpp>

#include "ksvc/page/page_file.hpp"
#include "ksvc/page/page_layout.hpp"

namespace weft::ksvc {

struct SharedPageOptions {
  std::string path;  // the file, or a directory in which it gets a name of its own
  std::uint32_t workers = 1;
  std::uint32_t pool_threads = 0;
};

class PageMapping {
 public:
  static Result<std::shared_ptr<PageMapping>> create(const SharedPageOptions& options);
  ~PageMapping();
  PageMapping(const PageMapping&) = delete;
  PageMapping& operator=(const PageMapping&) = delete;

  const std::atomic<std::uint64_t>& epoch() const noexcept { return *epoch_; }
  static constexpr bool is_settled(std::uint64_t epoch) noexcept { return epoch > kAdopting; }
  // Makes the page this process's own where a fork has just been found; gives the epoch.
  std::uint64_t adopt() noexcept;
  std::uint64_t settled_epoch() noexcept {
    const std::uint64_t epoch = epoch_->load(std::memory_order_acquire);
    if (!is_settled(epoch)) [[unlikely]]
      return adopt();
    return epoch;
  }

  // To be used only while the epoch is settled.
  PageFile& page() const noexcept { return *page_; }
  FactValues read_facts() const noexcept;
  void refresh() noexcept;

  const std::string& path() const noexcept { return file_.path(); }
  bool publishes() const noexcept { return !private_; }

 private:
  static constexpr std::uint64_t kWiped = 0;
  static constexpr std::uint64_t kAdopting = 1;
  static constexpr std::uint64_t kFirstEpoch = 2;

  PageMapping(PublishedFile file, std::atomic<std::uint64_t>* epoch, void* spare) noexcept;
  void take_private_copy() noexcept;
  void advance_epoch() noexcept;

  PublishedFile file_;
  PageFile* page_;
  std::atomic<std::uint64_t>* epoch_;  // alone in its page, which a fork clears
  void* spare_;                        // where a child's copy is made; null once it is used
  // A fork does not clear it: the child's epochs begin behind all of the parent's.
  std::atomic<std::uint64_t> last_epoch_{kFirstEpoch};
  bool private_ = false;
};

}  // namespace weft::ksvc
