#include "gvt/stack_pool.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <new>

#include "gvt/sanitizer.hpp"
#include "ksvc/backend/uring_abi.hpp"
#include "ksvc/core/assert.hpp"

namespace weft::gvt {

namespace {

constexpr std::size_t kWarmStacks = 256;
constexpr std::size_t kFirstSlabBytes = std::size_t{4} << 20;
constexpr std::size_t kLargestSlabBytes = std::size_t{16} << 30;
// What the warm stacks that are taken next may hold together, however deep they were used.
constexpr std::size_t kUntrimmedBytes = std::size_t{2} << 20;
// One in so many of the stacks given back is trimmed without a look.
constexpr unsigned kTrimEvery = 1024;

std::size_t page_size() noexcept { return static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)); }

std::size_t rounded_up(std::size_t bytes, std::size_t unit) noexcept {
  return (bytes + unit - 1) / unit * unit;
}

// Looks at memory that belongs to frames long gone, which the sanitizers would call an error.
[[gnu::no_sanitize_address, gnu::no_sanitize_thread]] bool any_written(const char* line) noexcept {
  using Word [[gnu::may_alias]] = std::uint64_t;
  sanitizer::forget_frames(line, 8 * sizeof(Word));
  const auto* words = reinterpret_cast<const Word*>(line);
  std::uint64_t written = 0;
  for (int i = 0; i < 8; ++i) written |= words[i];
  return written != 0;
}

// Whether `page`, all zero if it can be read, is out of the kernel's reach: emulators that do not
// know of guards have been seen to say that they installed one. A sleep of no time reads it.
bool kernel_finds_no(const char* page) noexcept {
  return ::nanosleep(reinterpret_cast<const timespec*>(page), nullptr) != 0 && errno == EFAULT;
}

}  // namespace

bool is_in_guard(const Stack& stack, const void* address) noexcept {
  const auto below =
      reinterpret_cast<std::uintptr_t>(stack.bottom) - reinterpret_cast<std::uintptr_t>(address);
  return below - 1 < page_size();
}

StackPool::StackPool(std::size_t stack_bytes)
    : page_bytes_(page_size()), kept_bytes_(rounded_up(kKeptBytes, page_bytes_)) {
  // Instrumented frames are several times as large.
  if (sanitizer::kEnabled) stack_bytes *= 4;
  stack_bytes_ = rounded_up(stack_bytes, page_bytes_);
  WEFT_ASSERT(stack_bytes_ >= 4 * page_bytes_);
  next_slab_bytes_ = kFirstSlabBytes;
  untrimmed_max_ = kUntrimmedBytes / stack_bytes_;
  warm_.reserve(kWarmStacks);
}

StackPool::~StackPool() {
  for (const Slab& slab : slabs_) {
    sanitizer::forget_frames(slab.base, slab.stacks * stack_bytes_);
    ::munmap(slab.base, slab.stacks * stack_bytes_);
  }
}

Stack StackPool::take() {
  if (returned_.load(std::memory_order_relaxed) != nullptr) [[unlikely]]
    take_in_returned();
  if (warm_.empty()) [[unlikely]]
    return take_untouched();
  char* lowest = warm_.back();
  warm_.pop_back();
  return stack_at(lowest);
}

Stack StackPool::take_untouched() {
  char* lowest = nullptr;
  if (!cold_.empty()) {
    lowest = cold_.back();
    cold_.pop_back();
  } else {
    if (slabs_.empty() || fresh_ == slabs_.back().stacks) add_slab();
    lowest = slabs_.back().base + fresh_ * stack_bytes_;
    guard(lowest);
    ++fresh_;
    ++made_;
  }
  new (tail_at(lowest)) Tail{this, nullptr};
  return stack_at(lowest);
}

// How deep a stack was used costs no system call to know in most cases. Memory that was never
// touched reads as zeros, so a line that is not all zeros, just below what may be kept, shows that
// frames were there. They may have been and left that one line alone, which is why now and then a
// stack is trimmed without a look. The first few stacks of the list are taken again at once: they
// keep what they have, so that handlers that all go deep do not pay for trimming each time.
void StackPool::give_back(Stack stack) noexcept {
  char* lowest = stack.bottom - page_bytes_;
  const std::size_t warm = warm_.size();
  if (warm >= kWarmStacks) [[unlikely]] {
    ::madvise(stack.bottom, stack_bytes_ - page_bytes_, MADV_DONTNEED);
    cold_.push_back(lowest);
    return;
  }
  if (warm >= untrimmed_max_ && stack_bytes_ > kept_bytes_ + page_bytes_) {
    const char* line = lowest + stack_bytes_ - kept_bytes_ - 64;
    if (++given_back_ % kTrimEvery == 0 || any_written(line)) [[unlikely]]
      trim(lowest);
  }
  warm_.push_back(lowest);
}

void StackPool::give_back_from_anywhere(Stack stack) noexcept {
  char* lowest = stack.bottom - page_bytes_;
  if (returned_count_.fetch_add(1, std::memory_order_relaxed) >= kWarmStacks) {
    // The owner does not look, so what it would do is done here, but for the tail's own page.
    ::madvise(stack.bottom, stack_bytes_ - 2 * page_bytes_, MADV_DONTNEED);
  }
  Tail* tail = tail_at(lowest);
  tail->next = returned_.load(std::memory_order_relaxed);
  while (!returned_.compare_exchange_weak(tail->next, tail, std::memory_order_release,
                                          std::memory_order_relaxed)) {
  }
}

void StackPool::take_in_returned() noexcept {
  Tail* tail = returned_.exchange(nullptr, std::memory_order_acquire);
  std::uint32_t count = 0;
  for (; tail != nullptr; ++count) {
    Tail* next = tail->next;
    give_back(stack_at(reinterpret_cast<char*>(tail) + sizeof(Tail) - stack_bytes_));
    tail = next;
  }
  returned_count_.fetch_sub(count, std::memory_order_relaxed);
}

std::vector<char*> StackPool::all_in_use() {
  take_in_returned();
  std::vector<char*> free = warm_;
  free.insert(free.end(), cold_.begin(), cold_.end());
  std::sort(free.begin(), free.end());
  std::vector<char*> used;
  used.reserve(in_use());
  for (const Slab& slab : slabs_) {
    const std::size_t taken = &slab == &slabs_.back() ? fresh_ : slab.stacks;
    auto next_free = std::lower_bound(free.begin(), free.end(), slab.base);
    for (std::size_t i = 0; i < taken; ++i) {
      char* lowest = slab.base + i * stack_bytes_;
      if (next_free != free.end() && *next_free == lowest) {
        ++next_free;
      } else {
        used.push_back(lowest);
      }
    }
  }
  return used;
}

void StackPool::trim(char* lowest) noexcept {
  ::madvise(lowest + page_bytes_, stack_bytes_ - kept_bytes_ - page_bytes_, MADV_DONTNEED);
}

void StackPool::guard(char* page) {
  if (light_guards_) {
    if (::madvise(page, page_bytes_, ksvc::uring_abi::kMadvGuardInstall) == 0) {
      if (light_guards_seen_ || kernel_finds_no(page)) {
        light_guards_seen_ = true;
        return;
      }
      light_guards_ = false;
    } else {
      light_guards_ = errno != EINVAL;
    }
  }
  if (::mprotect(page, page_bytes_, PROT_NONE) != 0) throw std::bad_alloc();
}

void StackPool::add_slab() {
  std::size_t stacks = std::max<std::size_t>(next_slab_bytes_ / stack_bytes_, 1);
  // Everything that may throw, before there is a mapping to lose. All stacks may be cold one day.
  slabs_.reserve(slabs_.size() + 1);
  cold_.reserve(made_ + stacks);
  void* base = MAP_FAILED;
  for (;; stacks /= 2) {
    base = ::mmap(nullptr, stacks * stack_bytes_, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (base != MAP_FAILED) break;
    if (stacks == 1) throw std::bad_alloc();
  }
  // A huge page would make the first touch of one stack pay for thirty.
  ::madvise(base, stacks * stack_bytes_, MADV_NOHUGEPAGE);
  slabs_.push_back({static_cast<char*>(base), stacks});
  fresh_ = 0;
  next_slab_bytes_ = std::min(4 * next_slab_bytes_, kLargestSlabBytes);
}

StackPool& StackPools::pool_of(std::size_t bytes) {
  constexpr std::size_t kSmallestBytes = kLargestBytes >> (kSizes - 1);
  bytes = std::clamp(bytes, std::max(kSmallestBytes, 4 * page_size()), kLargestBytes);
  const std::size_t rounded = std::bit_ceil(bytes);
  auto& pool = pools_[static_cast<std::size_t>(std::countr_zero(rounded / kSmallestBytes))];
  if (!pool) pool.emplace(rounded);
  return *pool;
}

std::size_t StackPools::in_use() const noexcept {
  std::size_t sum = 0;
  for (const auto& pool : pools_) sum += pool ? pool->in_use() : 0;
  return sum;
}

}  // namespace weft::gvt
