// LineText: text that grows, and is written through a pointer into room that was made beforehand.
//
// One thread.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>

namespace weft::app {

class LineText {
 public:
  // Where the next bytes go: so many have room. Throws std::bad_alloc, and changes nothing then.
  char* room(std::size_t bytes) {
    if (capacity_ - size_ < bytes) [[unlikely]]
      grow(bytes);
    return bytes_.get() + size_;
  }
  // They have been written, up to there.
  void end_at(const char* end) noexcept { size_ = static_cast<std::size_t>(end - bytes_.get()); }
  void append(std::string_view text) {
    char* const to = room(text.size());
    end_at(std::copy(text.begin(), text.end(), to));
  }
  void cut(std::size_t size) noexcept { size_ = size; }

  std::size_t size() const noexcept { return size_; }
  std::string_view view() const noexcept { return {bytes_.get(), size_}; }

 private:
  void grow(std::size_t bytes) {
    const std::size_t capacity = std::max(size_ + bytes, 2 * capacity_);
    auto larger = std::make_unique_for_overwrite<char[]>(capacity);
    if (size_ > 0) std::memcpy(larger.get(), bytes_.get(), size_);
    bytes_ = std::move(larger);
    capacity_ = capacity;
  }

  std::unique_ptr<char[]> bytes_;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace weft::app
