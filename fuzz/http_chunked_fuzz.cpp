// The chunked decoder: whatever the bytes, body and outcome do not depend on how they are cut.
//
// The first byte of an input chooses where to cut; the rest is the body.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "http/chunked_decoder.hpp"

namespace {

using namespace weft::http;

struct Outcome {
  ChunkedState state = ChunkedState::incomplete;
  int status = 0;
  std::size_t consumed = 0;
  std::string body;

  bool operator==(const Outcome&) const = default;
};

Outcome decode(std::string_view bytes, std::size_t stride, const Limits& limits) {
  ChunkedDecoder decoder(limits);
  Outcome outcome;
  while (outcome.state == ChunkedState::incomplete && outcome.consumed < bytes.size()) {
    const std::string_view piece = bytes.substr(outcome.consumed, stride);
    const auto step =
        decoder.advance(piece, [&outcome](std::string_view data) { outcome.body += data; });
    outcome.state = step.state;
    outcome.consumed += step.consumed;
    if (step.state == ChunkedState::incomplete && step.consumed != piece.size()) std::abort();
  }
  if (outcome.state == ChunkedState::error) outcome.status = decoder.error_status();
  if (outcome.body.size() != decoder.body_bytes()) std::abort();
  if (outcome.body.size() > limits.body_bytes) std::abort();
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  Limits limits;
  limits.body_bytes = 1000;
  limits.chunk_extension_bytes = 40;
  limits.trailer_bytes = 100;
  limits.trailer_count = 4;
  const Outcome whole = decode(bytes, bytes.size() + 1, limits);
  if (!(decode(bytes, data[0] % 32U + 1, limits) == whole)) std::abort();
  if (!(decode(bytes, 1, limits) == whole)) std::abort();
  return 0;
}
