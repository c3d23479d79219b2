// OutputArena: the memory that the responses of one turn are written into, one piece after another.
//
// A piece is one connection's output since its last flush; it is contiguous and grows only at the
// end, so at any time at most one piece is open. Everything is free again at once, by reset(), when
// the back end has settled the sends. Dense memory that is used anew each turn stays in cache.
// Owner's thread only.
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

namespace weft::http {

class OutputArena {
 public:
  static constexpr std::size_t kChunkBytes = 256 * 1024;

  OutputArena();

  // Room for `bytes` (piece and all at most a chunk) at the end of the open piece; may move the
  // piece.
  char* reserve(std::size_t bytes) {
    if (static_cast<std::size_t>(end_ - cursor_) < bytes) [[unlikely]]
      move_to_new_chunk(bytes);
    return cursor_;
  }
  // Takes what was written up to `end` into the open piece.
  void commit(char* end) noexcept { cursor_ = end; }

  // Where the open piece begins.
  char* piece() noexcept { return piece_; }
  std::size_t piece_size() const noexcept { return static_cast<std::size_t>(cursor_ - piece_); }
  // Closes the piece; its bytes stay until reset().
  std::string_view take_piece() noexcept {
    const std::string_view piece(piece_, piece_size());
    piece_ = cursor_;
    return piece;
  }
  // The piece that was taken last is not needed any more, and nothing has been written since.
  void give_back(std::string_view piece) noexcept {
    piece_ -= piece.size();
    cursor_ = piece_;
  }
  // Forgets everything. No piece may be open.
  void reset() noexcept;

  // The longest piece: longer output belongs to its connection.
  static constexpr std::size_t kMaxPiece = kChunkBytes / 2;

 private:
  void move_to_new_chunk(std::size_t bytes);

  std::vector<std::unique_ptr<char[]>> chunks_;
  std::size_t used_chunks_ = 1;
  char* piece_;
  char* cursor_;
  char* end_;
};

}  // namespace weft::http
