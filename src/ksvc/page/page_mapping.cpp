#include "ksvc/page/page_mapping.hpp"

#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>
#include <new>
#include <utility>

#include "ksvc/core/assert.hpp"
#include "ksvc/page/process_facts.hpp"

namespace weft::ksvc {
namespace {

void* map_anonymous(std::size_t bytes) noexcept {
  void* const address =
      ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return address == MAP_FAILED ? nullptr : address;
}

std::size_t epoch_bytes() noexcept { return static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)); }

std::atomic<std::uint64_t>* map_epoch() noexcept {
  void* const address = map_anonymous(epoch_bytes());
  if (address == nullptr) return nullptr;
  if (::madvise(address, epoch_bytes(), MADV_WIPEONFORK) != 0) {
    const int failed = errno;
    ::munmap(address, epoch_bytes());
    errno = failed;
    return nullptr;
  }
  return new (address) std::atomic<std::uint64_t>{};
}

std::uint64_t wall_clock_ns() noexcept {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(now.tv_nsec);
}

void mark_credentials(FactValues& values) noexcept {
  for (const Fact fact : {Fact::uid, Fact::euid, Fact::suid, Fact::gid, Fact::egid, Fact::sgid}) {
    at(values, fact) |= kDiffersByThread;
  }
}

void store_facts(PageFacts& facts, const FactValues& values) noexcept {
  // Releasing stores keep behind the odd number that the caller stored before.
  for (std::size_t index = 0; index < kFacts; ++index) {
    facts.values[index].store(values[index], std::memory_order_release);
  }
}

void fill_page(PageFile& page, const SharedPageOptions& options) noexcept {
  FactValues values{};
  read_system(values);
  read_process(values);
  read_credentials(values);
  read_limits(values);
  if (!threads_share_credentials(values)) mark_credentials(values);
  at(values, Fact::created_ns) = wall_clock_ns();
  at(values, Fact::workers) = options.workers;
  at(values, Fact::pool_threads) = options.pool_threads;
  store_facts(page.facts, values);
  read_texts(page.texts);
  page.header = kPageHeader;
}

}  // namespace

PageMapping::PageMapping(PublishedFile file, std::atomic<std::uint64_t>* epoch,
                         void* spare) noexcept
    : file_(std::move(file)), page_(file_.page()), epoch_(epoch), spare_(spare) {
  epoch_->store(kFirstEpoch, std::memory_order_release);
}

Result<std::shared_ptr<PageMapping>> PageMapping::create(const SharedPageOptions& options) {
  if (options.workers == 0 || options.workers > kMostPageWorkers) {
    return Error::from_errno(EINVAL);
  }
  // What a child will need is there before there can be a child.
  std::atomic<std::uint64_t>* const epoch = map_epoch();
  void* const spare = epoch != nullptr ? map_anonymous(sizeof(PageFile)) : nullptr;
  int failed = errno;
  if (spare != nullptr) {
    auto file =
        PublishedFile::publish(options.path, [&](PageFile& page) { fill_page(page, options); });
    if (file) {
      return std::shared_ptr<PageMapping>(new PageMapping(std::move(*file), epoch, spare));
    }
    failed = file.error().os_errno;
    ::munmap(spare, sizeof(PageFile));
  }
  if (epoch != nullptr) ::munmap(epoch, epoch_bytes());
  return Error::from_errno(failed);
}

PageMapping::~PageMapping() {
  const bool forked = !is_settled(epoch_->load(std::memory_order_acquire));
  if (!forked && !private_) file_.remove();
  ::munmap(page_, sizeof(PageFile));
  if (spare_ != nullptr) ::munmap(spare_, sizeof(PageFile));
  ::munmap(epoch_, epoch_bytes());
}

[[gnu::cold]] [[gnu::noinline]] std::uint64_t PageMapping::adopt() noexcept {
  std::uint64_t found = kWiped;
  if (epoch_->compare_exchange_strong(found, kAdopting, std::memory_order_acq_rel)) {
    take_private_copy();
    advance_epoch();
  }
  // Another thread of the child may be at it.
  while (!is_settled(found = epoch_->load(std::memory_order_acquire))) ::sched_yield();
  return found;
}

void PageMapping::take_private_copy() noexcept {
  PageFile* const copy = spare_ != nullptr ? static_cast<PageFile*>(spare_) : page_;
  // Whatever the parent's other threads were writing just then is not there to be finished, so the
  // facts that can change are all written anew and the others never are halfway.
  FactValues values{};
  for (std::size_t index = 0; index < kFacts; ++index) {
    values[index] = page_->facts.values[index].load(std::memory_order_relaxed);
  }
  read_process(values);
  read_credentials(values);
  read_limits(values);
  if (copy != page_) {
    new (copy) PageFile{};
    copy->texts = page_->texts;
    copy->header = page_->header;
  }
  store_facts(copy->facts, values);
  copy->facts.sequence.store(0, std::memory_order_release);
  for (PageCounters& counters : copy->workers) {
    for (auto& value : counters.values) value.store(0, std::memory_order_relaxed);
  }
  if (copy == page_) return;
  // Writers hold addresses in the page, so the copy takes its place at once and whole.
  const void* const moved =
      ::mremap(copy, sizeof(PageFile), sizeof(PageFile), MREMAP_MAYMOVE | MREMAP_FIXED, page_);
  WEFT_ASSERT(moved == page_);
  spare_ = nullptr;
  private_ = true;
}

void PageMapping::advance_epoch() noexcept {
  // In this order: a child that is forked in between begins behind an epoch nobody has seen.
  const std::uint64_t next = last_epoch_.load(std::memory_order_relaxed) + 1;
  last_epoch_.store(next, std::memory_order_relaxed);
  epoch_->store(next, std::memory_order_release);
}

FactValues PageMapping::read_facts() const noexcept {
  FactValues values;
  while (!try_read_facts(page_->facts, values)) ::sched_yield();
  return values;
}

void PageMapping::refresh() noexcept {
  settled_epoch();
  std::atomic<std::uint32_t>& sequence = page_->facts.sequence;
  std::uint32_t even = sequence.load(std::memory_order_relaxed);
  while (even % 2 != 0 ||
         !sequence.compare_exchange_weak(even, even + 1, std::memory_order_acquire)) {
    ::sched_yield();
    even = sequence.load(std::memory_order_relaxed);
  }
  FactValues values{};
  for (std::size_t index = 0; index < kFacts; ++index) {
    values[index] = page_->facts.values[index].load(std::memory_order_relaxed);
  }
  read_process(values);
  read_credentials(values);
  read_limits(values);
  if (!threads_share_credentials(values)) mark_credentials(values);
  store_facts(page_->facts, values);
  advance_epoch();
  sequence.store(even + 2, std::memory_order_release);
}

}  // namespace weft::ksvc
