// ChannelBuffer: the values in a channel, oldest first, in blocks, so that growing moves nothing.
//
// It is used under the channel's lock. There nothing is allocated or freed: blocks are made and
// dropped outside, and one that has been read empty is kept for what comes next.
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <optional>
#include <utility>

namespace weft::detail {

template <class T>
class ChannelBuffer {
  static constexpr std::size_t kSlots = sizeof(T) < 64 ? 512 / sizeof(T) : 8;

 public:
  struct Block {
    Block* next = nullptr;
    alignas(T) std::byte bytes[kSlots * sizeof(T)];

    T* slot(std::size_t index) noexcept {
      return std::launder(reinterpret_cast<T*>(bytes + index * sizeof(T)));
    }
  };

  ChannelBuffer() = default;
  ChannelBuffer(const ChannelBuffer&) = delete;
  ChannelBuffer& operator=(const ChannelBuffer&) = delete;
  ~ChannelBuffer() {
    while (first_ != nullptr) {
      const std::size_t end = first_ == last_ ? written_ : kSlots;
      std::destroy(first_->slot(read_), first_->slot(end));
      read_ = 0;
      delete std::exchange(first_, first_->next);
    }
    delete spare_;
  }

  // Whether a value can be added without a further block.
  bool has_room() const noexcept { return written_ != kSlots || spare_ != nullptr; }
  // Gives back what it cannot use.
  Block* add(Block* block) noexcept {
    if (spare_ == nullptr) std::swap(spare_, block);
    return block;
  }
  // When there is room.
  void push(T& value) noexcept {
    if (written_ == kSlots) {
      Block* const block = std::exchange(spare_, nullptr);
      block->next = nullptr;
      (last_ != nullptr ? last_->next : first_) = block;
      last_ = block;
      written_ = 0;
    }
    ::new (static_cast<void*>(last_->bytes + written_ * sizeof(T))) T(std::move(value));
    ++written_;
  }
  // When there is a value. Gives back a block that is not needed any more, or null.
  Block* pop(std::optional<T>& place) noexcept {
    T* const value = first_->slot(read_);
    place.emplace(std::move(*value));
    std::destroy_at(value);
    ++read_;
    if (first_ == last_) {
      // An empty one is filled from its start again, so a short queue lives in one block.
      if (read_ == written_) read_ = written_ = 0;
      return nullptr;
    }
    if (read_ != kSlots) return nullptr;
    read_ = 0;
    return add(std::exchange(first_, first_->next));
  }

 private:
  Block* first_ = nullptr;
  Block* last_ = nullptr;
  Block* spare_ = nullptr;
  std::size_t read_ = 0;          // in the first block
  std::size_t written_ = kSlots;  // in the last one; as if full while there is none
};

}  // namespace weft::detail
