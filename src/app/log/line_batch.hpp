// LineBatch: lines of one queue, as text on its way to a file.
//
// Invariants. The text is whole lines. The room that a line has in its queue is given back when all
// of it has been written; what of a line has been written can be written again until then, in
// another file. The thread that writes, alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "app/log/line_queue.hpp"
#include "app/log/line_text.hpp"

namespace weft::app {

class LineBatch {
 public:
  // Enough that a write costs little for each line of it.
  static constexpr std::size_t kBytes = 64 * 1024;

  bool is_empty() const noexcept { return queue_ == nullptr; }
  // Only when it is empty: takes lines up to there, as far as a batch goes, of which there is one
  // at least. Throws std::bad_alloc; the lines that it has by then are good.
  void fill(LineQueue& queue, std::uint64_t end) {
    while (queue.taken() != end && text_.size() < kBytes) {
      const std::uint64_t before = queue.taken();
      const std::size_t size = text_.size();
      try {
        append(queue.take());
        marks_.push_back({text_.size(), queue.taken()});
      } catch (...) {
        queue.take_again(before);
        text_.cut(size);
        throw;
      }
      queue_ = &queue;
    }
  }
  std::string_view unwritten() const noexcept { return text_.view().substr(written_); }
  // The first so many bytes of that are written.
  void wrote(std::size_t size) noexcept {
    written_ += size;
    std::uint64_t released = 0;
    while (next_ < marks_.size() && marks_[next_].text_end <= written_) {
      line_begin_ = marks_[next_].text_end;
      released = marks_[next_].queue_end;
      ++next_;
    }
    if (released != 0) queue_->release(released);
    if (next_ == marks_.size()) clear();
  }
  bool is_amid_a_line() const noexcept { return written_ > line_begin_; }
  // What of a line was written is to be written again.
  void rewind() noexcept { written_ = line_begin_; }

 private:
  struct Mark {
    std::size_t text_end;
    std::uint64_t queue_end;
  };

  void append(const LineQueue::Entry& entry) {
    if (entry.maker != nullptr) {
      entry.maker->make(entry.bytes, text_);
    } else {
      text_.append(entry.bytes);
    }
    char* const end = text_.room(1);
    *end = '\n';
    text_.end_at(end + 1);
  }
  void clear() noexcept {
    queue_ = nullptr;
    text_.cut(0);
    marks_.clear();
    written_ = line_begin_ = next_ = 0;
  }

  LineQueue* queue_ = nullptr;
  LineText text_;
  std::vector<Mark> marks_;  // where each line ends
  std::size_t written_ = 0;
  std::size_t line_begin_ = 0;  // of the first one that is not written whole
  std::size_t next_ = 0;        // its mark
};

}  // namespace weft::app
