// CodedBodies: what compress() puts in front of a request's bodies, to pack the answer.
//
// Invariants. A stream that a handler begins is begun behind this only when there is something to
// send, so that until then the head can still be made to fit, and a handler that fails is answered
// as if it had begun none. From then on it is packed to its end, or passed on as it is. Belongs to
// its request.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "app/middleware/compression.hpp"
#include "app/middleware/encoder.hpp"
#include "app/middleware/passed_bodies.hpp"

namespace weft::app {

class CodedBodies final : public PassedBodies {
 public:
  CodedBodies(http::Exchange& exchange, const Compression& compression)
      : PassedBodies(exchange), compression_(compression), accepted_(exchange.head()) {}

  // When the rest of the chain has ended: ends the stream, or packs the whole answer.
  void finish();

  void begin_answer_stream(std::optional<std::uint64_t> length) override;
  void write_part(std::string_view bytes) override;
  void write_file(int file, std::uint64_t offset, std::uint64_t size) override;
  void flush_parts() override;
  void add_trailer(std::string_view name, std::string_view value) override;
  void change_protocol(std::string_view protocol) override;
  bool answer_is_streamed() const noexcept override {
    return state_ != State::none || behind().answer_is_streamed();
  }
  std::uint64_t written() const noexcept override {
    return state_ != State::none ? written_ : behind().written();
  }

 private:
  enum class State : unsigned char {
    none,     // nothing is streamed
    waiting,  // a handler has begun a stream, and written nothing
    packing,  // nothing has been sent
    packed,   // it has
    passed,   // sent as it is
  };
  // What is given on at a time, and what a file is read by.
  static constexpr std::size_t kBlockBytes = 16 * 1024;

  void finish_whole();
  void finish_stream();
  void decide();
  void pass_on();
  void begin_packed();
  void mark_packed();
  void count(std::uint64_t bytes);
  void encode(std::string_view bytes, Encoder::Until until);
  std::string_view read_file(int file, std::uint64_t offset, std::uint64_t size);

  const Compression& compression_;
  const http::AcceptedCodings accepted_;
  State state_ = State::none;
  bool unflushed_ = false;
  http::ContentCoding coding_ = http::ContentCoding::identity;
  std::optional<std::uint64_t> length_;
  std::uint64_t written_ = 0;
  TakenEncoder encoder_;  // none for an answer to HEAD, whose bytes nobody gets
  std::unique_ptr<std::array<char, kBlockBytes>> block_;
  std::size_t filled_ = 0;  // of it
  std::unique_ptr<std::array<char, kBlockBytes>> read_block_;
};

}  // namespace weft::app
