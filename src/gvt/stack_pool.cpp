#include "gvt/stack_pool.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <new>

#include "gvt/sanitizer.hpp"
#include "ksvc/backend/uring_abi.hpp"
#include "ksvc/core/assert.hpp"

namespace weft::gvt {

namespace {
constexpr std::size_t kStacksPerSlab = 64;
constexpr std::size_t kWarmStacks = 256;
}  // namespace

StackPool::StackPool(std::size_t stack_bytes)
    // Instrumented frames are several times as large.
    : stack_bytes_(sanitizer::kEnabled ? stack_bytes * 4 : stack_bytes),
      page_bytes_(static_cast<std::size_t>(::sysconf(_SC_PAGESIZE))) {
  stack_bytes_ = (stack_bytes_ + page_bytes_ - 1) / page_bytes_ * page_bytes_;
  WEFT_ASSERT(stack_bytes_ >= 4 * page_bytes_);
  warm_.reserve(kWarmStacks);
}

StackPool::~StackPool() {
  for (const Slab& slab : slabs_) {
    sanitizer::forget_frames(slab.base, slab.bytes);
    ::munmap(slab.base, slab.bytes);
  }
}

Stack StackPool::take() {
  if (warm_.empty() && cold_.empty()) add_slab();
  std::vector<char*>& free = warm_.empty() ? cold_ : warm_;
  char* lowest = free.back();
  free.pop_back();
  return {lowest + page_bytes_, stack_bytes_ - page_bytes_};
}

void StackPool::give_back(Stack stack) noexcept {
  char* lowest = stack.bottom - page_bytes_;
  if (warm_.size() < kWarmStacks) return warm_.push_back(lowest);
  ::madvise(stack.bottom, stack.size, MADV_DONTNEED);
  cold_.push_back(lowest);
}

void StackPool::guard(char* page) {
  if (light_guards_ && ::madvise(page, page_bytes_, ksvc::uring_abi::kMadvGuardInstall) == 0)
    return;
  light_guards_ = false;
  if (::mprotect(page, page_bytes_, PROT_NONE) != 0) throw std::bad_alloc();
}

void StackPool::add_slab() {
  const std::size_t bytes = kStacksPerSlab * stack_bytes_;
  void* base = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
  if (base == MAP_FAILED) throw std::bad_alloc();
  slabs_.push_back({base, bytes});
  // A huge page would make the first touch of one stack pay for thirty.
  ::madvise(base, bytes, MADV_NOHUGEPAGE);
  made_ += kStacksPerSlab;
  cold_.reserve(made_);
  char* first = static_cast<char*>(base);
  for (std::size_t i = kStacksPerSlab; i > 0; --i) {
    char* lowest = first + (i - 1) * stack_bytes_;
    guard(lowest);
    cold_.push_back(lowest);
  }
}

}  // namespace weft::gvt
