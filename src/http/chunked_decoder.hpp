// The strict, incremental decoder of the chunked transfer coding (RFC 9112 §7.1).
//
// Invariants: never copies or allocates; body bytes are handed out as views into the input. Bounds
// on body, extension and trailer bytes hold across the whole body. Trailer fields are checked and
// then dropped, unless someone wants to keep them; none of them has an effect on framing.
// Threads: none of this is shared; a decoder belongs to one connection.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
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

  // From now on the lines of the trailer section, with their ends, are appended there.
  void keep_trailers_in(std::string& text) noexcept { trailers_ = &text; }

  // Consumes input up to the end of the next stretch of body bytes. `incomplete` with everything
  // consumed asks for more input; `incomplete` with less consumed asks to be called again.
  [[nodiscard]] Step step(std::string_view input);

  // Runs step() over the whole input and gives every stretch of body bytes to sink(string_view).
  // The returned data is empty. The sink may write to the input's memory up to the stretch's end
  // (with memmove, since the ranges may overlap), which is how a body is decoded in place.
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
  // In the order of a body; `complete` and `error` come last.
  enum class Stage : std::uint8_t {
    size,       // the digits of a chunk size
    extension,  // what follows them up to the CR, see ExtensionPart
    size_lf,    // the LF that ends the size line
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
    end_of_value,      // right after the size or a quoted value
    before_semicolon,  // blanks after a value: another extension must follow
    before_name,
    name,
    after_name,
    before_value,
    token_value,
    quoted_value,
    quoted_pair,
  };

  void accept(char byte);
  void accept_size(char byte);
  void accept_extension(char byte);
  void accept_quoted(char byte);
  void end_extension(char byte);
  void accept_trailer(char byte);
  void expect_lf(char byte, Stage next);
  void fail(int status, std::string_view reason);

  const Limits* limits_;
  std::string* trailers_ = nullptr;
  std::uint64_t body_limit_;
  std::uint64_t body_bytes_ = 0;
  std::uint64_t chunk_left_ = 0;
  std::size_t extension_bytes_ = 0;
  std::size_t trailer_bytes_ = 0;
  std::size_t trailer_count_ = 0;
  std::string_view error_reason_;
  std::uint16_t error_status_ = 0;
  std::uint8_t size_digits_ = 0;
  Stage stage_ = Stage::size;
  ExtensionPart part_ = ExtensionPart::end_of_value;
};

}  // namespace weft::http
