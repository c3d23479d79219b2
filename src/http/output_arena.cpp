#include "http/output_arena.hpp"

#include "ksvc/core/assert.hpp"

namespace weft::http {

OutputArena::OutputArena() {
  chunks_.push_back(std::make_unique_for_overwrite<char[]>(kChunkBytes));
  piece_ = cursor_ = chunks_.front().get();
  end_ = piece_ + kChunkBytes;
}

void OutputArena::move_to_new_chunk(std::size_t bytes) {
  const std::size_t size = piece_size();
  WEFT_ASSERT(size + bytes <= kChunkBytes);
  if (used_chunks_ == chunks_.size()) {
    chunks_.push_back(std::make_unique_for_overwrite<char[]>(kChunkBytes));
  }
  char* fresh = chunks_[used_chunks_++].get();
  std::memcpy(fresh, piece_, size);
  piece_ = fresh;
  cursor_ = fresh + size;
  end_ = fresh + kChunkBytes;
}

void OutputArena::reset() noexcept {
  WEFT_ASSERT(piece_size() == 0);
  // A burst's memory is not kept for ever.
  constexpr std::size_t kKeptChunks = 4;
  if (chunks_.size() > kKeptChunks && used_chunks_ <= kKeptChunks) chunks_.resize(kKeptChunks);
  used_chunks_ = 1;
  piece_ = cursor_ = chunks_.front().get();
  end_ = piece_ + kChunkBytes;
}

}  // namespace weft::http
