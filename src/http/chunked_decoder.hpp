// The strict, incremental decoder of the chunked transfer coding (RFC 9112 §7.1).
//
// Invariants: never copies or allocates; body bytes are handed out as views into the input. Bounds
// on body, extension and trailer bytes hold across the whole body. Trailer fields are checked and
// then dropped, all of them, so that a framing name among them has no effect.
// Threads: none of this is shared; a decoder belongs to one connection.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "http/limits.hpp"

namespace weft::http {

enum class ChunkedState : std::uint8_t { incomplete, complete, error };

class ChunkedDecoder {
 public:
  struct Step {
    ChunkedState state;
    std::size_t consumed;   // of the given input; what follows a complete body is not consumed
    std::string_view data;  // body bytes, a part of the consumed input; often empty
  };

  // The limits must outlive the decoder.
  explicit ChunkedDecoder(const Limits& limits)
      : limits_(&limits), body_limit_(limits.body_bytes) {}
  ChunkedDecoder(const Limits& limits, std::uint64_t body_limit)
      : limits_(&limits), body_limit_(body_limit) {}

  // Consumes input up to the end of the next stretch of body bytes. `incomplete` with everything
  // consumed asks for more input; `incomplete` with less consumed asks to be called again.
  [[nodiscard]] Step step(std::string_view input);

  // Runs step() over the whole input and gives every stretch of body bytes to sink(string_view).
  // The returned data is empty. The sink may write to the input's memory before the stretch,
  // which is how a body is decoded in place.
  template <class Sink>
  [[nodiscard]] Step advance(std::string_view input, Sink&& sink) {
    std::size_t consumed = 0;
    for (;;) {
      const Step one = step(input.substr(consumed));
      consumed += one.consumed;
      if (!one.data.empty()) sink(one.data);
      if (one.state != ChunkedState::incomplete || consumed == input.size()) {
        return {one.state, consumed, {}};
      }
    }
  }

  // Body bytes handed out so far.
  [[nodiscard]] std::uint64_t body_bytes() const { return body_bytes_; }

  // After `error`: the status to answer with, and a sentence for humans.
  [[nodiscard]] int error_status() const { return error_status_; }
  [[nodiscard]] std::string_view error_reason() const { return error_reason_; }

 private:
  enum class Stage : std::uint8_t {
    size_first,  // the first digit of a chunk size
    size,        // further digits, or what ends them
    extension,   // see ExtensionPart
    size_lf,     // the LF that ends the size line
    data,
    data_cr,
    data_lf,
    trailer_start,  // the first byte of a trailer line, or the CR of the last line
    trailer_name,
    trailer_value,
    trailer_lf,
    last_lf,
    complete,
    error,
  };
  enum class ExtensionPart : std::uint8_t {
    before_semicolon,
    before_name,
    name,
    after_name,
    before_value,
    token_value,
    quoted_value,
    quoted_pair,
    after_quoted,
  };

  void accept(unsigned char byte);
  void accept_size(unsigned char byte);
  void accept_extension(unsigned char byte);
  void accept_extension_value(unsigned char byte);
  void end_extension_part(unsigned char byte);
  void accept_trailer(unsigned char byte);
  void fail(int status, std::string_view reason);

  const Limits* limits_;
  std::uint64_t body_limit_;
  std::uint64_t body_bytes_ = 0;
  std::uint64_t chunk_left_ = 0;
  std::size_t extension_bytes_ = 0;
  std::size_t trailer_bytes_ = 0;
  std::size_t trailer_count_ = 0;
  std::string_view error_reason_;
  std::uint16_t error_status_ = 0;
  std::uint8_t size_digits_ = 0;
  Stage stage_ = Stage::size_first;
  ExtensionPart part_ = ExtensionPart::before_semicolon;
};

}  // namespace weft::http
