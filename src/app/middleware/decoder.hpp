// Decoder: unpacks a body that came in gzip, brotli or zstd, piece by piece.
//
// What comes out is as large as its caller lets it be, whatever the input claims. One green thread
// at a time.
#pragma once

#include <memory>

#include "app/middleware/encoder.hpp"

namespace weft::app {

class Decoder {
 public:
  enum class State : unsigned char {
    needs_input,
    needs_room,
    ended,  // behind its last byte; what is left of the input is behind it
    malformed,
  };

  Decoder() = default;
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;
  virtual ~Decoder() = default;

  virtual State step(CodingStep& step) = 0;
};

// Not for identity. Throws std::bad_alloc.
[[nodiscard]] std::unique_ptr<Decoder> make_decoder(http::ContentCoding coding);

}  // namespace weft::app
