// MmapSharedPage: the SharedPage that reads and writes the mapped file itself.
//
// Copies share one page; the last one that goes removes the file, if this process made it. Any
// thread may use any copy, but for the counters, which have one writer per worker.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <weft/result.hpp>

#include "ksvc/core/assert.hpp"
#include "ksvc/core/shared_page.hpp"
#include "ksvc/page/counter_writer.hpp"
#include "ksvc/page/page_mapping.hpp"
#include "ksvc/page/process_facts.hpp"

namespace weft::ksvc {

class MmapSharedPage {
 public:
  // Fails with EINVAL for more workers than kMostPageWorkers, EEXIST when the name is a living
  // process's or another kind of file's, and as the file system does.
  static Result<MmapSharedPage> create(const SharedPageOptions& options) {
    auto mapping = PageMapping::create(options);
    if (!mapping) return mapping.error();
    return MmapSharedPage(std::move(*mapping));
  }

  std::uint64_t fact(Fact fact) noexcept {
    mapping_->settled_epoch();
    const std::uint64_t value = mapping_->page().facts.values[static_cast<std::size_t>(fact)].load(
        std::memory_order_relaxed);
    if ((value & kDiffersByThread) != 0) [[unlikely]]
      return own_credential(fact, value);
    return value;
  }
  ProcessIdentity identity() noexcept {
    mapping_->settled_epoch();
    FactValues values = mapping_->read_facts();
    if ((at(values, Fact::uid) & kDiffersByThread) != 0) read_credentials(values);
    return identity_from(values);
  }
  std::string_view text(Text text) noexcept {
    mapping_->settled_epoch();
    return mapping_->page().texts.texts[static_cast<std::size_t>(text)].data();
  }
  void refresh_identity() noexcept { mapping_->refresh(); }

  CounterWriter writer(std::uint32_t worker) noexcept {
    WEFT_ASSERT(worker < fact(Fact::workers));
    return {*mapping_, worker};
  }
  CounterValues counters(std::uint32_t worker) noexcept {
    WEFT_ASSERT(worker < fact(Fact::workers));
    return read_counters(mapping_->page().workers[worker]);
  }

  const std::string& path() const noexcept { return mapping_->path(); }
  // False in a forked child, whose page nobody else sees.
  bool publishes() noexcept {
    mapping_->settled_epoch();
    return mapping_->publishes();
  }
  static constexpr const char* name() noexcept { return "MmapSharedPage"; }

 private:
  friend class CachedSharedPage;
  explicit MmapSharedPage(std::shared_ptr<PageMapping> mapping) noexcept
      : mapping_(std::move(mapping)) {}

  std::shared_ptr<PageMapping> mapping_;
};

static_assert(SharedPage<MmapSharedPage>);

}  // namespace weft::ksvc
