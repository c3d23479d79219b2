// Encoder: packs a body with gzip, brotli or zstd, at once or piece by piece.
//
// The library behind it keeps hundreds of KiB for each body under way, so that an encoder is taken
// from those that the thread keeps, and goes back there when it is dropped. An encoder that has
// been taken belongs to one green thread at a time, wherever that runs; take and drop it on one
// thread.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>

#include "http/content_coding.hpp"

namespace weft::app {

// What is left of the input, and of the room for output; steps move on in both.
struct CodingStep {
  std::string_view in;
  char* out = nullptr;
  std::size_t room = 0;
};

struct EncoderSetup {
  http::ContentCoding coding = http::ContentCoding::gzip;  // not identity
  int level = 0;
  // Of the whole body, where that is known; without it windows are small, since there may be many
  // such bodies at a time and each keeps its own.
  std::optional<std::size_t> size;
};

class Encoder {
 public:
  enum class Until : unsigned char { input_taken, flushed, finished };

  Encoder() = default;
  Encoder(const Encoder&) = delete;
  Encoder& operator=(const Encoder&) = delete;
  virtual ~Encoder() = default;

  // Begins a body. Throws std::bad_alloc.
  virtual void begin(const EncoderSetup& setup) = 0;
  // False while there is more to put out. Throws std::bad_alloc.
  virtual bool step(CodingStep& step, Until until) = 0;
  // Gives back what is only of use while a body is under way.
  virtual void end() noexcept = 0;
};

// Puts an encoder back where it was taken from.
struct GiveEncoderBack {
  http::ContentCoding coding = http::ContentCoding::identity;
  bool streamed = false;
  void operator()(Encoder* encoder) const noexcept;
};
using TakenEncoder = std::unique_ptr<Encoder, GiveEncoderBack>;

// One that has begun. Throws std::bad_alloc.
[[nodiscard]] TakenEncoder take_encoder(const EncoderSetup& setup);
// How many of this thread's are under way for bodies of unknown size.
[[nodiscard]] std::size_t streams_under_way() noexcept;

}  // namespace weft::app
