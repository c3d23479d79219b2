// StackPool: guarded stacks of one size, the last one given back taken first.
//
// Stacks are cut from large mappings that reserve address space only. The lowest page of each is a
// guard: light (MADV_GUARD_INSTALL, no mapping of its own) where the kernel has it, mprotect
// before. A few stacks are kept warm; the memory of those beyond is given back to the system at
// once. Owner's thread only.
#pragma once

#include <cstddef>
#include <vector>

namespace weft::gvt {

struct Stack {
  char* bottom = nullptr;  // lowest usable byte, just above the guard
  std::size_t size = 0;    // usable bytes

  char* top() const noexcept { return bottom + size; }
};

class StackPool {
 public:
  explicit StackPool(std::size_t stack_bytes);
  ~StackPool();
  StackPool(const StackPool&) = delete;
  StackPool& operator=(const StackPool&) = delete;

  // Throws std::bad_alloc when the system has no address space or memory left.
  Stack take();
  // Never the stack the caller is running on. By value: the record may stand on that very stack.
  void give_back(Stack stack) noexcept;

  std::size_t in_use() const noexcept { return made_ - warm_.size() - cold_.size(); }
  std::size_t stack_bytes() const noexcept { return stack_bytes_; }

 private:
  struct Slab {
    void* base;
    std::size_t bytes;
  };

  void add_slab();
  void guard(char* page);

  std::size_t stack_bytes_;
  std::size_t page_bytes_;
  std::size_t made_ = 0;
  bool light_guards_ = true;
  std::vector<Slab> slabs_;
  // Free stacks, by their lowest byte, the guard included; cold ones hold no memory.
  std::vector<char*> warm_;
  std::vector<char*> cold_;
};

}  // namespace weft::gvt
