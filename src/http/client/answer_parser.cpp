#include "http/client/answer_parser.hpp"

#include <algorithm>

#include "http/head_parser.hpp"
#include "http/header_text.hpp"
#include "http/letter_case.hpp"
#include "http/scan.hpp"

namespace weft::http {

namespace {

constexpr std::string_view kVersionShape = "HTTP/1.d ";

bool is_digit(char byte) { return byte >= '0' && byte <= '9'; }
bool is_blank(char byte) { return byte == ' ' || byte == '\t'; }

}  // namespace

std::optional<std::string_view> AnswerHead::find(std::string_view name) const {
  for (const FieldSpans& field : fields) {
    if (equal_in_any_case(view(field.name), name)) return view(field.value);
  }
  return std::nullopt;
}

AnswerParser::AnswerParser(const Limits& limits, const AnswerTerms& terms)
    : limits_(&limits), terms_(terms) {
  begin_head();
}

void AnswerParser::begin_head() {
  head_ = std::make_shared<AnswerHead>();
  stage_ = Stage::version;
  close_ = asked_to_keep_ = transfer_encoding_ = false;
  line_begin_ = name_end_ = 0;
}

bool AnswerParser::leaves_connection_open() const {
  return state_ == AnswerState::complete && framing_ != Framing::until_end &&
         framing_ != Framing::upgraded && head_->keep_alive;
}

bool AnswerParser::fail(AnswerFault fault, std::string_view reason) {
  fault_ = fault;
  reason_ = reason;
  state_ = AnswerState::error;
  return false;
}

AnswerParser::Step AnswerParser::step(std::string_view input) {
  if (state_ == AnswerState::body) return step_body(input);
  std::size_t at = 0;
  while (at < input.size() && state_ == AnswerState::head) {
    begun_ = true;
    if (!accept(input, at)) break;
  }
  return {state_, at, {}};
}

AnswerParser::Step AnswerParser::step_body(std::string_view input) {
  if (framing_ == Framing::chunked) {
    const ChunkedDecoder::Step step = decoder_->step(input);
    if (step.state == ChunkedState::complete) state_ = AnswerState::complete;
    if (step.state == ChunkedState::error) {
      const bool too_large = decoder_->error_status() != 400;
      fail(too_large ? AnswerFault::too_large : AnswerFault::malformed, decoder_->error_reason());
    }
    return {state_, step.consumed, step.data};
  }
  const std::size_t size = std::min<std::uint64_t>(body_left_, input.size());
  body_left_ -= size;
  if (framing_ == Framing::length && body_left_ == 0) state_ = AnswerState::complete;
  if (framing_ == Framing::until_end && size < input.size()) {
    fail(AnswerFault::too_large, "The body is too large.");
  }
  return {state_, size, input.substr(0, size)};
}

AnswerState AnswerParser::end() {
  if (state_ == AnswerState::head) {
    fail(AnswerFault::cut_off, begun_ ? "The connection ended within the head of the answer."
                                      : "The connection ended before an answer.");
  } else if (state_ == AnswerState::body) {
    if (framing_ == Framing::until_end || framing_ == Framing::upgraded) {
      state_ = AnswerState::complete;
    } else {
      fail(AnswerFault::cut_off, "The connection ended within the body of the answer.");
    }
  }
  return state_;
}

bool AnswerParser::keep(std::string_view bytes) {
  const std::size_t room = limits_->head_bytes - head_->text.size();
  if (bytes.size() > room) {
    return fail(AnswerFault::too_large, "The head of the answer is larger than its limit.");
  }
  head_->text += bytes;
  return true;
}

bool AnswerParser::accept(std::string_view input, std::size_t& at) {
  if (stage_ == Stage::name || stage_ == Stage::value) return accept_field(input, at);
  const char byte = input[at];
  if (stage_ == Stage::field_start) {
    if (byte != '\r') {
      if (head_->fields.size() == limits_->header_count) {
        return fail(AnswerFault::too_large, "The answer has too many fields.");
      }
      line_begin_ = static_cast<std::uint32_t>(head_->text.size());
      stage_ = Stage::name;
      return accept_field(input, at);
    }
    stage_ = Stage::last_lf;
    ++at;
    return keep("\r");
  }
  ++at;
  if (!keep({&byte, 1})) return false;
  if (stage_ < Stage::line_lf) return accept_status_line(byte);
  if (byte != '\n') {
    return fail(AnswerFault::malformed, "A carriage return stands without a line feed.");
  }
  if (stage_ == Stage::last_lf) return end_head();
  if (stage_ == Stage::value_lf) return end_field();
  stage_ = Stage::field_start;
  return true;
}

// RFC 9112 §4. The space behind the status may be missing where there is no reason, as several
// servers have it.
bool AnswerParser::accept_status_line(char byte) {
  const std::size_t index = head_->text.size() - 1;
  if (byte == '\n') {
    return fail(AnswerFault::malformed, "A line ends in a line feed without carriage return.");
  }
  switch (stage_) {
    case Stage::version: {
      const char wanted = kVersionShape[index];
      if (wanted == 'd' ? !is_digit(byte) : byte != wanted) {
        return fail(AnswerFault::malformed, "The answer does not begin with HTTP/1.1.");
      }
      if (wanted == 'd') head_->minor_version = byte == '0' ? 0 : 1;
      if (index + 1 == kVersionShape.size()) stage_ = Stage::status;
      return true;
    }
    case Stage::status:
      if (!is_digit(byte) || (head_->status == 0 && (byte < '1' || byte > '5'))) {
        return fail(AnswerFault::malformed, "The status is not a number from 100 to 599.");
      }
      head_->status = head_->status * 10 + (byte - '0');
      if (head_->status >= 100) stage_ = Stage::after_status;
      return true;
    case Stage::after_status:
      head_->reason.offset = static_cast<std::uint32_t>(index + 1);
      if (byte != ' ' && byte != '\r') {
        return fail(AnswerFault::malformed, "The status is not a number from 100 to 599.");
      }
      stage_ = byte == ' ' ? Stage::reason : Stage::line_lf;
      return true;
    default:
      if (byte == '\r') {
        head_->reason.length = static_cast<std::uint32_t>(index) - head_->reason.offset;
        stage_ = Stage::line_lf;
        return true;
      }
      if (scan::is(byte, scan::value_byte)) return true;
      return fail(AnswerFault::malformed, "The status line holds a control byte.");
  }
}

bool AnswerParser::fail_name(char byte) {
  const bool at_line_start = head_->text.size() == line_begin_;
  if (byte == '\n') {
    return fail(AnswerFault::malformed, "A line ends in a line feed without carriage return.");
  }
  if (at_line_start && is_blank(byte)) {
    return fail(AnswerFault::malformed,
                "A field line begins with a blank, as only obsolete folded lines do.");
  }
  return fail(AnswerFault::malformed,
              "A field name is empty, or holds a blank or another byte that it must not.");
}

bool AnswerParser::accept_field(std::string_view input, std::size_t& at) {
  const bool in_name = stage_ == Stage::name;
  // Of the bytes that may still come, so that an error is the same however they were cut.
  const std::size_t line_size = head_->text.size() - line_begin_;
  const std::size_t room =
      std::min(limits_->header_field_bytes - line_size, limits_->head_bytes - head_->text.size());
  const std::string_view window = input.substr(0, std::min(input.size() - at, room) + at);
  const std::size_t end = in_name ? scan::name_end(window, at) : scan::value_end(window, at);
  head_->text += input.substr(at, end - at);
  at = end;
  if (at == input.size()) return true;
  const char byte = input[at];
  if (at == window.size() && !(stage_ == Stage::value && byte == '\r')) {
    ++at;
    return fail(AnswerFault::too_large, "A field, or the head, is larger than its limit.");
  }
  ++at;
  if (in_name) {
    if (byte != ':' || head_->text.size() == line_begin_) return fail_name(byte);
    name_end_ = static_cast<std::uint32_t>(head_->text.size());
    stage_ = Stage::value;
    return keep(":");
  }
  if (byte == '\n') {
    return fail(AnswerFault::malformed, "A line ends in a line feed without carriage return.");
  }
  if (byte != '\r') return fail(AnswerFault::malformed, "A field value holds a control byte.");
  stage_ = Stage::value_lf;
  return keep("\r");
}

bool AnswerParser::end_field() {
  const std::string_view text = head_->text;
  const std::size_t value_begin = name_end_ + 1;
  const std::string_view value =
      trim_blanks(text.substr(value_begin, text.size() - 2 - value_begin));
  const auto value_offset =
      value.empty() ? name_end_ + 1 : static_cast<std::uint32_t>(value.data() - text.data());
  head_->fields.push_back({{line_begin_, name_end_ - line_begin_},
                           {value_offset, static_cast<std::uint32_t>(value.size())}});
  stage_ = Stage::field_start;
  return note_field(text.substr(line_begin_, name_end_ - line_begin_), value);
}

bool AnswerParser::note_field(std::string_view name, std::string_view value) {
  if (equals_ignoring_case(name, "content-length")) return note_content_length(value);
  if (equals_ignoring_case(name, "transfer-encoding")) return note_transfer_encoding(value);
  if (equals_ignoring_case(name, "connection")) note_connection(value);
  return true;
}

bool AnswerParser::note_content_length(std::string_view value) {
  if (head_->content_length) {
    return fail(AnswerFault::malformed, "There is more than one Content-Length.");
  }
  std::uint64_t length = 0;
  for (const char byte : value) {
    if (!is_digit(byte)) return fail(AnswerFault::malformed, "Content-Length is not a number.");
    if (__builtin_mul_overflow(length, std::uint64_t{10}, &length) ||
        __builtin_add_overflow(length, static_cast<std::uint64_t>(byte - '0'), &length)) {
      return fail(AnswerFault::malformed, "Content-Length is beyond all bounds.");
    }
  }
  if (value.empty()) return fail(AnswerFault::malformed, "Content-Length is empty.");
  head_->content_length = length;
  return true;
}

// RFC 9112 §6.1 and §7; the lines of a repeated field count as one list. A client that has not
// asked for other codings, by a TE field, gets `chunked` or none.
bool AnswerParser::note_transfer_encoding(std::string_view value) {
  if (head_->minor_version == 0) {
    return fail(AnswerFault::malformed, "HTTP/1.0 has no Transfer-Encoding.");
  }
  if (head_->chunked) {
    return fail(AnswerFault::malformed, "The chunked coding is repeated, or not the last one.");
  }
  if (!equals_ignoring_case(value, "chunked")) {
    return fail(AnswerFault::malformed, "The transfer coding is not known here.");
  }
  transfer_encoding_ = head_->chunked = true;
  return true;
}

void AnswerParser::note_connection(std::string_view value) {
  while (!value.empty()) {
    const std::string_view option = take_element(value);
    close_ |= equals_ignoring_case(option, "close");
    asked_to_keep_ |= equals_ignoring_case(option, "keep-alive");
  }
}

bool AnswerParser::end_head() {
  // RFC 9112 §6.3: such an answer ought to be handled as an error.
  if (transfer_encoding_ && head_->content_length) {
    return fail(AnswerFault::malformed,
                "Content-Length and Transfer-Encoding contradict each other.");
  }
  if (head_->status < 200 && head_->status != 101) {
    if (++interim_seen_ > terms_.interim_answers) {
      return fail(AnswerFault::too_large, "There are too many interim answers.");
    }
    begin_head();
    return true;
  }
  head_->keep_alive = !close_ && (head_->minor_version == 1 || asked_to_keep_);
  return choose_framing();
}

// RFC 9112 §6.3
bool AnswerParser::choose_framing() {
  const int status = head_->status;
  state_ = AnswerState::body;
  if (status == 101) {
    if (!terms_.may_upgrade) {
      return fail(AnswerFault::malformed, "The server changes to a protocol nobody asked for.");
    }
    framing_ = Framing::upgraded;
    body_left_ = UINT64_MAX;
  } else if (terms_.to_head || status == 204 || status == 304) {
    framing_ = Framing::none;
    state_ = AnswerState::complete;
  } else if (head_->chunked) {
    framing_ = Framing::chunked;
    decoder_.emplace(*limits_);
    decoder_->keep_trailers_in(trailers_);
  } else if (head_->content_length) {
    framing_ = Framing::length;
    body_left_ = *head_->content_length;
    if (body_left_ > limits_->body_bytes) {
      return fail(AnswerFault::too_large, "The body is too large.");
    }
    if (body_left_ == 0) state_ = AnswerState::complete;
  } else {
    framing_ = Framing::until_end;
    head_->keep_alive = false;
    body_left_ = limits_->body_bytes;
  }
  return true;
}

}  // namespace weft::http
