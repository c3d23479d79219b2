// AnswerStream: how far an answer has been written that a handler gives piece by piece.
//
// Invariants: `begun` is set once, when the head is written; from then on the answer is ended as it
// was begun, or cut off where it is. A chunk may stand open at the end of the connection's piece of
// output: then `chunk_at` says where its size belongs, and it is closed before that piece is taken.
// Worker's thread only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "http/response.hpp"
#include "weft/detail/waiter.hpp"

namespace weft::http {

struct AnswerStream {
  // Of a chunk's size as it is written: four digits, so that it can be set when the chunk is whole.
  static constexpr std::size_t kChunkHeadBytes = 6;
  static constexpr std::size_t kNoChunk = SIZE_MAX;

  std::optional<std::uint64_t> length;  // announced
  std::uint64_t written = 0;
  std::uint64_t left = 0;  // of what is being written: not gathered or sent yet
  BodyFraming framing = BodyFraming::chunked;
  bool begun = false;
  bool keep_alive = false;  // as the head says
  bool head_only = false;   // bytes are counted and dropped
  bool upgraded = false;    // it is another protocol's
  bool broken = false;      // it cannot be ended as it was begun
  std::size_t chunk_at = kNoChunk;
  std::string trailers;              // lines
  detail::Waiter* writer = nullptr;  // parked until there is room,
  std::size_t most_unsent = 0;       // which is when no more than this is not sent
  detail::Waiter* sender = nullptr;  // parked until a part of a file is sent
  std::int32_t file_result = 0;      // of that
};

}  // namespace weft::http
