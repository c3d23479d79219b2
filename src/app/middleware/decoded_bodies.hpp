// DecodedBodies: what decompress() puts in front of a request's bodies, to unpack what it sends.
//
// Invariants. What is packed is read as a stream, whole or not, and unpacked a block at a time;
// nothing is unpacked beyond the bounds. Nothing is taken apart before someone reads. A body that
// has failed stays failed. Belongs to its request.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "app/middleware/decoder.hpp"
#include "app/middleware/passed_bodies.hpp"

namespace weft::app {

// What all requests of one decompress() keep to, and count together.
struct Decompression {
  std::array<bool, kBodyCodings> taken{};
  std::string accepted;  // the codings, as Accept-Encoding has them
  std::uint64_t max_bytes = 0;
  std::uint64_t max_ratio = 0;
  std::uint64_t ratio_from_bytes = 0;
  std::size_t at_a_time = 0;
  std::atomic<std::size_t> under_way{0};
};

class DecodedBodies final : public PassedBodies {
 public:
  DecodedBodies(http::Exchange& exchange, Decompression& bounds, BodyCoding coding)
      : PassedBodies(exchange), bounds_(bounds), coding_(coding) {}
  ~DecodedBodies() { end(); }

  std::string_view read_body() override;
  std::string_view read_part(std::size_t most) override;
  bool unpacks_body() const noexcept override { return true; }

 private:
  // What is unpacked at a time, and so much is read at a time at most.
  static constexpr std::size_t kBlockBytes = 16 * 1024;
  // Others go first after so much, which takes a fraction of a millisecond.
  static constexpr std::uint64_t kTurnBytes = 128 * 1024;

  void begin();
  void end() noexcept;
  bool read_packed();
  std::string_view next_block();
  void require_within_bounds();
  [[noreturn]] void abort(http::RequestAborted why);

  Decompression& bounds_;
  const BodyCoding coding_;
  bool has_ended_ = false;
  bool is_streamed_ = false;
  bool room_was_short_ = false;
  Decoder::State state_ = Decoder::State::more;
  std::unique_ptr<Decoder> decoder_;  // while the body is under way
  std::unique_ptr<std::array<char, kBlockBytes>> block_;
  std::string_view packed_;      // read, and not unpacked yet
  std::string_view block_left_;  // of the block, not given out yet
  std::uint64_t packed_bytes_ = 0;
  std::uint64_t unpacked_bytes_ = 0;
  std::uint64_t turn_began_ = 0;
  std::uint64_t most_ = 0;
  std::optional<std::string_view> whole_;
  std::size_t whole_given_ = 0;
  std::optional<http::RequestAborted> aborted_;
};

}  // namespace weft::app
