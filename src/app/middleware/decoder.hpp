// Decoder: unpacks a body that came in gzip, deflate, brotli or zstd, piece by piece.
//
// Takes whatever bytes there are: what it makes of them is bounded by the room that it is given,
// and the memory it keeps by what decoders.cpp allows. One green thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "app/middleware/encoder.hpp"

namespace weft::app {

enum class BodyCoding : std::uint8_t { gzip, deflate, brotli, zstd };
inline constexpr std::size_t kBodyCodings = 4;

// In any case; `x-gzip` is gzip.
[[nodiscard]] std::optional<BodyCoding> body_coding_of(std::string_view name);
[[nodiscard]] std::string_view name_of(BodyCoding coding);

class Decoder {
 public:
  enum class State : unsigned char {
    more,       // all input was taken, or there is no more room
    ended,      // the body may be over here; of gzip and zstd another part may come
    malformed,  // once and for all
    too_large,  // it wants more memory than it gets, once and for all
  };

  Decoder() = default;
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;
  virtual ~Decoder() = default;

  // Moves on in input and room. Not without input, unless the step before has left no room.
  // Throws std::bad_alloc.
  virtual State step(CodingStep& step) = 0;
};

// Throws std::bad_alloc.
[[nodiscard]] std::unique_ptr<Decoder> make_decoder(BodyCoding coding);

}  // namespace weft::app
