// Packed bodies: whatever they are cut into, and whatever room there is, the same comes out and the
// same is said of them; a decoder never takes or makes more than it was given.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "app/middleware/decoder.hpp"

namespace {

using weft::app::BodyCoding;
using weft::app::CodingStep;
using weft::app::Decoder;

// As much as a server would take from an input of a fuzzer's size.
constexpr std::size_t kMostUnpacked = 256 * 1024;

std::string unpacked(BodyCoding coding, std::string_view packed, std::size_t step_bytes,
                     std::size_t room) {
  const auto decoder = weft::app::make_decoder(coding);
  std::string out;
  std::string block(room, '\0');
  Decoder::State state = Decoder::State::more;
  bool room_was_short = false;
  std::string_view in;
  while (out.size() < kMostUnpacked) {
    if (in.empty() && !room_was_short) {
      if (packed.empty()) break;
      in = packed.substr(0, step_bytes);
      packed.remove_prefix(in.size());
    }
    CodingStep step{in, block.data(), block.size()};
    state = decoder->step(step);
    if (step.in.size() > in.size() || step.room > block.size()) std::abort();
    const bool moved = step.in.size() < in.size() || step.room < block.size();
    out.append(block, 0, block.size() - step.room);
    in = step.in;
    if (state == Decoder::State::malformed || state == Decoder::State::too_large) break;
    if (!moved && !in.empty()) return "refused";
    room_was_short = step.room == 0 && state == Decoder::State::more;
  }
  if (out.size() >= kMostUnpacked) return "long";
  // What comes before an error depends on how much was seen at once.
  if (state == Decoder::State::malformed || state == Decoder::State::too_large) return "refused";
  return out + static_cast<char>(state);
}

}  // namespace

// The first byte is the coding.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto coding = static_cast<BodyCoding>(data[0] % weft::app::kBodyCodings);
  const std::string_view packed(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::string whole = unpacked(coding, packed, size, 16 * 1024);
  const std::string in_pieces = unpacked(coding, packed, 7, 1000);
  // One may have been refused where the other had come to too much already.
  if (whole != in_pieces && whole != "long" && in_pieces != "long") std::abort();
  return 0;
}
