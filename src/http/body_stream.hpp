// BodyStream: how far a body has been read that a handler takes as it comes.
//
// Invariants: gives out views into what it is given and copies nothing but trailers; consumes no
// byte that it has not given out or that is not framing, so that what a handler does not read stays
// where it is. Worker's thread only.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "http/chunked_decoder.hpp"
#include "http/head_parser.hpp"
#include "weft/detail/waiter.hpp"

namespace weft::http {

class BodyStream {
 public:
  struct Part {
    std::size_t consumed = 0;  // of what was given
    std::string_view bytes;    // of the body; none: more must arrive, or it has ended
  };

  // Of what a request's head announces. The limits must outlive this.
  BodyStream(const RequestHead& head, const Limits& limits) noexcept
      : BodyStream(head, limits, limits.body_bytes) {}
  // Of which a chunked one has at most so many bytes.
  BodyStream(const RequestHead& head, const Limits& limits, std::uint64_t most) noexcept
      : kind_(head.chunked ? Kind::chunked : Kind::sized),
        left_(head.chunked ? 0 : head.content_length),
        decoder_(limits, most) {}
  // Of what comes behind a change of protocols: it ends with the connection.
  explicit BodyStream(const Limits& limits) noexcept : kind_(Kind::endless), decoder_(limits) {}
  BodyStream(const BodyStream&) = delete;
  BodyStream& operator=(const BodyStream&) = delete;

  // Where the lines of the trailer section go.
  void keep_trailers_in(std::string& text) noexcept { decoder_.keep_trailers_in(text); }
  // The next part of `arrived`, of at most so many bytes. Throws RequestAborted.
  Part take(std::string_view arrived, std::size_t most);
  void end() noexcept { ended_ = true; }

  bool has_ended() const noexcept { return ended_; }
  bool is_endless() const noexcept { return kind_ == Kind::endless; }
  // Of a sized body.
  std::uint64_t left() const noexcept { return left_; }

  // While its client is waited for, so much may pass until a whole step has arrived.
  std::chrono::nanoseconds patience(std::chrono::nanoseconds whole) const noexcept {
    return whole - waited_;
  }
  void has_waited(std::chrono::nanoseconds time) noexcept { waited_ += time; }
  void has_received(std::size_t bytes, std::size_t step) noexcept {
    step_bytes_ += bytes;
    if (bytes == 0 || step_bytes_ < step) return;
    step_bytes_ = 0;
    waited_ = {};
  }

  // For the connection.
  std::uint64_t given = 0;           // bytes of the body, to whoever reads it
  std::size_t window_at = 0;         // so much is read of what it keeps for this
  detail::Waiter* reader = nullptr;  // parked for more

 private:
  enum class Kind : std::uint8_t { sized, chunked, endless };

  Kind kind_;
  bool ended_ = false;
  std::uint64_t left_ = 0;
  std::size_t step_bytes_ = 0;          // of the step that is arriving
  std::chrono::nanoseconds waited_{0};  // for it
  ChunkedDecoder decoder_;
};

// Lets go on whoever is parked there, if anyone is.
inline void wake(detail::Waiter*& waiter) noexcept {
  detail::Waiter* const one = std::exchange(waiter, nullptr);
  if (one != nullptr && one->claim(detail::Outcome::woken)) one->wake();
}

}  // namespace weft::http
