#include "app/middleware/decoded_bodies.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "http/site.hpp"
#include "weft/cancel.hpp"
#include "weft/green.hpp"

namespace weft::app {

std::string_view DecodedBodies::read_body() {
  if (whole_) return *whole_;
  if (aborted_) throw *aborted_;
  if (is_streamed_) throw std::logic_error("the body is read as a stream already");
  std::string whole;
  try {
    for (auto block = next_block(); !block.empty(); block = next_block()) whole += block;
    // It outlives this: what was made of it may be looked at when the rest of the chain has ended.
    whole_ = exchange().keep(std::move(whole));
  } catch (...) {
    end();
    // What was unpacked of it is gone, whoever catches this.
    if (!aborted_) aborted_ = {408, "the request body did not arrive in time"};
    throw;
  }
  return *whole_;
}

std::string_view DecodedBodies::read_part(std::size_t most) {
  if (aborted_) throw *aborted_;
  if (whole_) {
    const std::string_view part = whole_->substr(whole_given_, most);
    whole_given_ += part.size();
    return part;
  }
  is_streamed_ = true;
  if (block_left_.empty()) block_left_ = next_block();
  const std::string_view part = block_left_.substr(0, most);
  block_left_.remove_prefix(part.size());
  return part;
}

void DecodedBodies::begin() {
  if (bounds_.under_way.fetch_add(1, std::memory_order_relaxed) >= bounds_.at_a_time) {
    bounds_.under_way.fetch_sub(1, std::memory_order_relaxed);
    exchange().response().add_lasting_field("Retry-After", "1");
    abort({503, "Too many bodies are unpacked\n"});
  }
  try {
    block_ = std::make_unique<std::array<char, kBlockBytes>>();
    decoder_ = make_decoder(coding_);
  } catch (...) {
    bounds_.under_way.fetch_sub(1, std::memory_order_relaxed);
    throw;
  }
  most_ = std::min({bounds_.max_bytes, exchange().body_limit(), site().limits.body_bytes});
}

void DecodedBodies::end() noexcept {
  if (decoder_ == nullptr) return;
  decoder_.reset();
  bounds_.under_way.fetch_sub(1, std::memory_order_relaxed);
}

// False at the end of what is packed.
bool DecodedBodies::read_packed() {
  packed_ = behind().read_part(kBlockBytes);
  packed_bytes_ += packed_.size();
  if (!packed_.empty()) return true;
  const bool is_whole = state_ == Decoder::State::ended;
  if (!is_whole) abort({400, "the request body ends before its Content-Encoding does\n"});
  has_ended_ = true;
  end();
  return false;
}

// The next bytes; none at the end.
std::string_view DecodedBodies::next_block() {
  if (has_ended_) return {};
  if (decoder_ == nullptr) begin();
  if (unpacked_bytes_ - turn_began_ >= kTurnBytes) {
    turn_began_ = unpacked_bytes_;
    yield();
    check_cancelled();
  }
  for (;;) {
    if (packed_.empty() && !room_was_short_ && !read_packed()) return {};
    CodingStep step{packed_, block_->data(), block_->size()};
    state_ = decoder_->step(step);
    const bool moved = step.in.size() < packed_.size() || step.room < block_->size();
    packed_ = step.in;
    if (state_ == Decoder::State::too_large) {
      abort({413, "the request body needs more memory to be unpacked than it gets\n"});
    }
    // What can be taken no further with input and room is none either.
    const bool is_stuck = !moved && !packed_.empty();
    if (state_ == Decoder::State::malformed || is_stuck) {
      abort({400, "the request body is not what its Content-Encoding says\n"});
    }
    room_was_short_ = step.room == 0 && state_ == Decoder::State::more;
    const std::size_t made = block_->size() - step.room;
    if (made == 0) continue;
    unpacked_bytes_ += made;
    require_within_bounds();
    return {block_->data(), made};
  }
}

void DecodedBodies::require_within_bounds() {
  if (unpacked_bytes_ > most_) abort({413, "the request body unpacks to more than the limit\n"});
  if (unpacked_bytes_ > bounds_.ratio_from_bytes &&
      unpacked_bytes_ / bounds_.max_ratio > packed_bytes_) {
    abort({413, "the request body unpacks to too many times its size\n"});
  }
}

void DecodedBodies::abort(http::RequestAborted why) {
  end();
  aborted_ = why;
  throw http::RequestAborted(why);
}

}  // namespace weft::app
