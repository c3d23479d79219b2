// CachedSharedPage: one thread's own copy of the facts of an MmapSharedPage.
//
// A fact is read from the copy while the page's epoch is the one it was made under; a fork and a
// refresh, on any thread, end that. Belongs to one thread, so the copy holds that thread's own
// credentials and is no thread_local variable, which green threads could not use. Counters and
// texts are the page's.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include <weft/result.hpp>

#include "ksvc/core/shared_page.hpp"
#include "ksvc/page/mmap_shared_page.hpp"

namespace weft::ksvc {

class CachedSharedPage {
 public:
  explicit CachedSharedPage(MmapSharedPage page) noexcept
      : epoch_(&page.mapping_->epoch()), page_(std::move(page)) {}
  // A copy may be for another thread, whose credentials are its own: it starts empty.
  CachedSharedPage(const CachedSharedPage& other) noexcept : CachedSharedPage(other.page_) {}
  CachedSharedPage& operator=(const CachedSharedPage&) = delete;
  static Result<CachedSharedPage> create(const SharedPageOptions& options) {
    auto page = MmapSharedPage::create(options);
    if (!page) return page.error();
    return CachedSharedPage(std::move(*page));
  }

  std::uint64_t fact(Fact fact) noexcept {
    refill_if_stale();
    return facts_[static_cast<std::size_t>(fact)];
  }
  ProcessIdentity identity() noexcept {
    refill_if_stale();
    return identity_from(facts_);
  }
  std::string_view text(Text text) noexcept { return page_.text(text); }
  void refresh_identity() noexcept { page_.refresh_identity(); }
  CounterWriter writer(std::uint32_t worker) noexcept { return page_.writer(worker); }
  CounterValues counters(std::uint32_t worker) noexcept { return page_.counters(worker); }

  const std::string& path() const noexcept { return page_.path(); }
  bool publishes() noexcept { return page_.publishes(); }
  static constexpr const char* name() noexcept { return "CachedSharedPage"; }

 private:
  void refill_if_stale() noexcept {
    if (epoch_->load(std::memory_order_acquire) != copied_at_) [[unlikely]]
      refill();
  }

  [[gnu::cold]] [[gnu::noinline]] void refill() noexcept {
    // The epoch first: what is read behind it is at least as new.
    copied_at_ = page_.mapping_->settled_epoch();
    facts_ = page_.mapping_->read_facts();
    if ((at(facts_, Fact::uid) & kDiffersByThread) != 0) read_credentials(facts_);
  }

  const std::atomic<std::uint64_t>* epoch_;
  std::uint64_t copied_at_ = UINT64_MAX;  // no epoch, not even a cleared one
  FactValues facts_{};
  MmapSharedPage page_;
};

static_assert(SharedPage<CachedSharedPage>);

}  // namespace weft::ksvc
