// StackPool: guarded stacks of one size, the last one given back taken first; StackPools: one for
// each size that is asked for.
//
// Invariants.
// - Stacks are cut from large mappings, each four times as large as the one before, that reserve
// address
//   space only. A stack gets its guard, the page below it, when it is first taken: a light one
//   (MADV_GUARD_INSTALL, no mapping of its own) where the kernel has it, mprotect before.
// - Stacks given back are kept warm up to a number; the memory of those beyond goes back to the
//   system at once. A warm stack keeps no more than its uppermost kKeptBytes, but for the few that
//   are taken next: see give_back().
// - Owner's thread only, but for give_back_from_anywhere().
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace weft::gvt {

struct Stack {
  char* bottom = nullptr;  // lowest usable byte, just above the guard
  std::size_t size = 0;    // usable bytes

  char* top() const noexcept { return bottom + size; }
};

// Whether `address` lies in the guard of `stack`. Async-signal-safe.
bool is_in_guard(const Stack& stack, const void* address) noexcept;

class StackPool {
 public:
  // A stack that was used deeper is trimmed to this when it goes back among the warm ones.
  static constexpr std::size_t kKeptBytes = 16 * 1024;

  explicit StackPool(std::size_t stack_bytes);
  ~StackPool();
  StackPool(const StackPool&) = delete;
  StackPool& operator=(const StackPool&) = delete;

  // Throws std::bad_alloc when the system has no address space or memory left.
  Stack take();
  // Never the stack the caller is running on. By value: the record may stand on that very stack.
  void give_back(Stack stack) noexcept;
  // The same from any thread; the stack is in use until the owner next looks.
  void give_back_from_anywhere(Stack stack) noexcept;

  // The pool that a stack in use comes from.
  static StackPool& of(const Stack& stack) noexcept {
    return *reinterpret_cast<const Tail*>(stack.top())->pool;
  }

  std::size_t in_use() const noexcept { return made_ - warm_.size() - cold_.size(); }
  std::size_t stack_bytes() const noexcept { return stack_bytes_; }
  std::size_t slabs() const noexcept { return slabs_.size(); }
  // Each stack that was taken and not given back, in no order. `visit` neither takes nor gives.
  // Taking and giving keep no books for this: it looks for all that are not free, and allocates.
  template <class Visit>
  void for_each_in_use(Visit&& visit);

 private:
  struct Slab {
    char* base;
    std::size_t stacks;
  };
  // Stands above the top of each stack that was taken.
  struct Tail {
    StackPool* pool;
    Tail* next;  // in the list of those that came back from elsewhere
  };

  Stack stack_at(char* lowest) const noexcept {
    return {lowest + page_bytes_, stack_bytes_ - page_bytes_ - sizeof(Tail)};
  }
  Tail* tail_at(char* lowest) const noexcept {
    return reinterpret_cast<Tail*>(lowest + stack_bytes_ - sizeof(Tail));
  }
  Stack take_untouched();
  void take_in_returned() noexcept;
  std::vector<char*> all_in_use();
  void add_slab();
  void guard(char* page);
  void trim(char* lowest) noexcept;

  std::size_t stack_bytes_;
  std::size_t page_bytes_;
  std::size_t kept_bytes_;
  std::size_t next_slab_bytes_;
  std::size_t untrimmed_max_;
  std::size_t made_ = 0;   // have been taken once
  std::size_t fresh_ = 0;  // stacks of the last slab that have been taken once
  unsigned given_back_ = 0;
  bool light_guards_ = true;
  bool light_guards_seen_ = false;  // the first one has been tried
  std::vector<Slab> slabs_;
  // Free stacks, by their lowest byte, the guard included; cold ones hold no memory.
  std::vector<char*> warm_;
  std::vector<char*> cold_;
  alignas(64) std::atomic<Tail*> returned_ = nullptr;
  std::atomic<std::uint32_t> returned_count_ = 0;
};

template <class Visit>
void StackPool::for_each_in_use(Visit&& visit) {
  for (char* lowest : all_in_use()) visit(stack_at(lowest));
}

// One StackPool for each size, sizes being powers of two: address space costs nothing.
class StackPools {
 public:
  static constexpr std::size_t kLargestBytes = std::size_t{256} << 20;
  static constexpr int kSizes = 15;  // 16 KiB to 256 MiB

  // `usual_bytes`: of the stacks whose size nobody asks for.
  explicit StackPools(std::size_t usual_bytes) : usual_(&pool_of(usual_bytes)) {}

  Stack take() { return usual_->take(); }
  // A stack of at least `bytes`, the guard included; what is out of bounds is brought within them.
  Stack take(std::size_t bytes) { return pool_of(bytes).take(); }
  // Any stack that this or another worker's pools made. Never the one the caller is running on.
  void give_back(Stack stack) noexcept {
    StackPool& pool = StackPool::of(stack);
    owns(pool) ? pool.give_back(stack) : pool.give_back_from_anywhere(stack);
  }

  std::size_t in_use() const noexcept;
  template <class Visit>
  void for_each_in_use(Visit&& visit) {
    for (auto& pool : pools_) {
      if (pool) pool->for_each_in_use(visit);
    }
  }

 private:
  bool owns(const StackPool& pool) const noexcept {
    const auto offset =
        reinterpret_cast<std::uintptr_t>(&pool) - reinterpret_cast<std::uintptr_t>(pools_.data());
    return offset < sizeof(pools_);
  }
  StackPool& pool_of(std::size_t bytes);

  std::array<std::optional<StackPool>, kSizes> pools_;
  StackPool* usual_;
};

}  // namespace weft::gvt
