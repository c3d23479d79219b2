// FramePool: memory for coroutine frames and records of waits, given back last, taken first.
//
// Each block is one of the general heap's, so one that was taken from a pool may be given back to
// another one, or freed. A pool is used by its owner's thread only.
#pragma once

#include <array>
#include <cstddef>
#include <new>

#include "gvt/sanitizer.hpp"

namespace weft::gvt {

class FramePool {
 public:
  FramePool() noexcept = default;
  FramePool(const FramePool&) = delete;
  FramePool& operator=(const FramePool&) = delete;
  ~FramePool() {
    for (Block*& first : free_) {
      while (first != nullptr) ::operator delete(pop(first));
    }
  }

  // Throws std::bad_alloc.
  void* take(std::size_t bytes) {
    const std::size_t kind = kind_of(bytes);
    if (kind >= kKinds || free_[kind] == nullptr) return ::operator new(rounded_up(bytes));
    kept_bytes_ -= rounded_up(bytes);
    return pop(free_[kind]);
  }
  // `bytes` as it was asked for.
  void give_back(void* memory, std::size_t bytes) noexcept {
    const std::size_t kind = kind_of(bytes);
    // Sanitizers see what is used after it was given back only if it is.
    if (sanitizer::kEnabled || kind >= kKinds || kept_bytes_ + bytes > kMostKeptBytes) {
      return ::operator delete(memory);
    }
    kept_bytes_ += rounded_up(bytes);
    free_[kind] = new (memory) Block{free_[kind]};
  }

  // What take() gives for this size, for those who have no pool at hand.
  static constexpr std::size_t rounded_up(std::size_t bytes) noexcept {
    return (bytes + kStep - 1) / kStep * kStep;
  }

 private:
  struct Block {
    Block* next;
  };

  // Frames of handlers are some hundred bytes, those of a request some thousand.
  static constexpr std::size_t kStep = 128;
  static constexpr std::size_t kKinds = 64;
  // So much stays when the requests of a burst have been answered.
  static constexpr std::size_t kMostKeptBytes = std::size_t{8} * 1024 * 1024;

  static constexpr std::size_t kind_of(std::size_t bytes) noexcept {
    return (bytes + kStep - 1) / kStep;
  }
  static void* pop(Block*& first) noexcept {
    Block* const block = first;
    first = block->next;
    return block;
  }

  std::array<Block*, kKinds> free_{};
  std::size_t kept_bytes_ = 0;
};

}  // namespace weft::gvt
