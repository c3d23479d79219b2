// MultipartParser: takes multipart/form-data (RFC 7578, RFC 2046 §5.1) apart as it comes.
//
//     MultipartParser parser(boundary, limits);
//     while (!input.empty()) { switch (parser.next(input)) { … } }
//
// Strict where two readers might differ: the body begins with its boundary; lines end with CRLF;
// a boundary is followed by CRLF or `--` at once; behind the last there is at most one CRLF; each
// part has one Content-Disposition of form-data, with a name. Every byte is looked at once,
// wherever the input is cut. Memory: one part's header lines. One thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weft::http {

struct MultipartLimits {
  std::size_t parts = 1000;
  std::size_t part_header_bytes = 4 * 1024;
};

// What a part's header lines say.
struct PartHead {
  std::string name;
  std::optional<std::string> file_name;
  std::string content_type;
};

// Whether it can be a boundary (RFC 2046 §5.1.1): 1 to 70 bytes of few kinds, not a blank at the
// end.
[[nodiscard]] bool is_boundary(std::string_view text);

class MultipartParser {
 public:
  enum class Event : std::uint8_t {
    need_more,   // the input is used up
    part_begin,  // part() tells
    data,        // data() is some of the part's content
    part_end,
    end,        // of all; nothing may come behind it
    malformed,  // reason() tells, from now on
    too_large,  // the same
  };

  // `boundary` is one.
  MultipartParser(std::string_view boundary, const MultipartLimits& limits);

  // Cuts what it has taken off the input's front; data() lies in it, or in the parser until the
  // next call.
  Event next(std::string_view& input);
  const PartHead& part() const noexcept { return part_; }
  std::string_view data() const noexcept { return data_; }
  // A whole sentence's worth, static.
  std::string_view reason() const noexcept { return reason_; }
  // Whether the last boundary has come.
  bool has_ended() const noexcept { return state_ == State::end || state_ == State::end_line; }

 private:
  enum class State : std::uint8_t {
    first,       // the first boundary
    after,       // what follows a boundary
    after_dash,  // the second dash of the last
    after_line,  // the LF of another
    headers,
    content,
    end,       // a CRLF may come
    end_line,  // its LF must
    failed,
  };

  Event fail(Event how, std::string_view reason) noexcept;
  Event first(std::string_view& input);
  Event after(char byte);
  Event headers(std::string_view& input);
  Event content(std::string_view& input);
  Event begin_part();
  bool take_line(std::string_view line);
  bool take_disposition(std::string_view value);

  std::string delimiter_;  // "\r\n--boundary"
  MultipartLimits limits_;
  State state_ = State::first;
  std::size_t matched_ = 0;    // of the delimiter
  std::size_t held_from_ = 0;  // of these, what is content if it is none after all
  std::size_t parts_ = 0;
  std::string lines_;
  PartHead part_;
  bool has_disposition_ = false;
  bool is_over_ = false;  // the CRLF behind the last boundary has come
  std::string_view data_;
  std::string_view reason_;
  Event failure_ = Event::malformed;
};

}  // namespace weft::http
