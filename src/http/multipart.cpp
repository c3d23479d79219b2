#include "http/multipart.hpp"

#include <algorithm>

#include "http/head_parser.hpp"
#include "http/header_text.hpp"
#include "http/parameters.hpp"

namespace weft::http {

namespace {

constexpr std::string_view kBlankLine = "\r\n\r\n";

// Browsers write these three in names as if they were parts of an address, and nothing else.
std::string decoded_name(std::string_view text) {
  std::string made;
  while (!text.empty()) {
    const std::string_view three = text.substr(0, 3);
    const char byte = equals_ignoring_case(three, "%22")   ? '"'
                      : equals_ignoring_case(three, "%0d") ? '\r'
                      : equals_ignoring_case(three, "%0a") ? '\n'
                                                           : '\0';
    made += byte != '\0' ? byte : text.front();
    text.remove_prefix(byte != '\0' ? 3 : 1);
  }
  return made;
}

}  // namespace

bool is_boundary(std::string_view text) {
  const auto fits = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view("'()+_,-./:=? ").find(c) != std::string_view::npos;
  };
  return !text.empty() && text.size() <= 70 && text.back() != ' ' &&
         std::all_of(text.begin(), text.end(), fits);
}

MultipartParser::MultipartParser(std::string_view boundary, const MultipartLimits& limits)
    : delimiter_("\r\n--" + std::string(boundary)), limits_(limits), matched_(2) {}

MultipartParser::Event MultipartParser::fail(Event how, std::string_view reason) noexcept {
  state_ = State::failed;
  failure_ = how;
  reason_ = reason;
  return how;
}

MultipartParser::Event MultipartParser::next(std::string_view& input) {
  for (;;) {
    if (state_ == State::failed) return failure_;
    if (input.empty()) return Event::need_more;
    Event event = Event::need_more;
    switch (state_) {
      case State::first: event = first(input); break;
      case State::headers: event = headers(input); break;
      case State::content: event = content(input); break;
      default: event = after(input.front()); input.remove_prefix(1);
    }
    if (event != Event::need_more) return event;
  }
}

MultipartParser::Event MultipartParser::first(std::string_view& input) {
  while (!input.empty() && matched_ < delimiter_.size()) {
    if (input.front() != delimiter_[matched_]) {
      return fail(Event::malformed, "it does not begin with its boundary");
    }
    ++matched_;
    input.remove_prefix(1);
  }
  if (matched_ == delimiter_.size()) state_ = State::after;
  return Event::need_more;
}

// One byte of what is behind a boundary.
MultipartParser::Event MultipartParser::after(char byte) {
  switch (state_) {
    case State::after:
      if (byte != '\r' && byte != '-') break;
      state_ = byte == '-' ? State::after_dash : State::after_line;
      return Event::need_more;
    case State::after_dash:
      if (byte != '-') break;
      state_ = State::end;
      return Event::end;
    case State::after_line:
      if (byte != '\n') break;
      if (parts_++ == limits_.parts) return fail(Event::too_large, "it has too many parts");
      state_ = State::headers;
      // The blank line may be the first.
      lines_ = "\r\n";
      return Event::need_more;
    case State::end:
      if (byte != '\r') return fail(Event::malformed, "something stands behind the last boundary");
      state_ = State::end_line;
      return Event::need_more;
    default:
      if (byte != '\n' || is_over_) {
        return fail(Event::malformed, "something stands behind the last boundary");
      }
      is_over_ = true;
      return Event::need_more;
  }
  return fail(Event::malformed, "a boundary is followed by neither a line's end nor two dashes");
}

MultipartParser::Event MultipartParser::headers(std::string_view& input) {
  while (!input.empty()) {
    lines_ += input.front();
    input.remove_prefix(1);
    if (lines_.size() > limits_.part_header_bytes + 2) {
      return fail(Event::too_large, "the header lines of a part are too long");
    }
    if (lines_.ends_with(kBlankLine)) return begin_part();
  }
  return Event::need_more;
}

MultipartParser::Event MultipartParser::begin_part() {
  part_ = {};
  has_disposition_ = false;
  std::string_view rest = std::string_view(lines_).substr(2);
  while (rest != "\r\n") {
    const std::size_t end = rest.find("\r\n");
    if (end == 0 || end == std::string_view::npos || !take_line(rest.substr(0, end))) {
      if (state_ != State::failed) fail(Event::malformed, "a header line of a part is malformed");
      return failure_;
    }
    rest.remove_prefix(end + 2);
    if (rest.empty()) break;
  }
  if (!has_disposition_) return fail(Event::malformed, "a part has no Content-Disposition");
  state_ = State::content;
  // The boundary may follow at once: then the blank line's end is that before it (RFC 2046 §5.1.1).
  matched_ = 2;
  held_from_ = 2;
  return Event::part_begin;
}

bool MultipartParser::take_line(std::string_view line) {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || !is_token(line.substr(0, colon))) return false;
  const std::string_view name = line.substr(0, colon);
  const std::string_view value = trim_blanks(line.substr(colon + 1));
  if (!is_field_value(value)) return false;
  if (equals_ignoring_case(name, "content-disposition")) return take_disposition(value);
  if (equals_ignoring_case(name, "content-type")) {
    if (!part_.content_type.empty()) return false;
    part_.content_type = value;
  }
  if (equals_ignoring_case(name, "content-transfer-encoding")) {
    for (const std::string_view plain : {"7bit", "8bit", "binary"}) {
      if (equals_ignoring_case(value, plain)) return true;
    }
    fail(Event::malformed, "a part is encoded in a way that forms are not");
    return false;
  }
  return true;
}

bool MultipartParser::take_disposition(std::string_view value) {
  const std::size_t semicolon = std::min(value.find(';'), value.size());
  if (has_disposition_ ||
      !equals_ignoring_case(trim_blanks(value.substr(0, semicolon)), "form-data")) {
    return false;
  }
  Parameters all(value.substr(semicolon));
  Parameter one;
  while (all.next(one)) {
    const bool is_name = equals_ignoring_case(one.name, "name");
    if (is_name) {
      if (has_disposition_) return false;
      part_.name = decoded_name(one.value);
      has_disposition_ = true;
    } else if (equals_ignoring_case(one.name, "filename")) {
      if (part_.file_name) return false;
      part_.file_name = decoded_name(one.value);
    }
  }
  return has_disposition_ && !all.is_malformed();
}

MultipartParser::Event MultipartParser::content(std::string_view& input) {
  for (;;) {
    // What might be the delimiter, as far as it has come. Only its first byte is a CR, so where it
    // turns out to be something else it can begin anew only at the byte that tells.
    while (matched_ > 0 && matched_ < delimiter_.size()) {
      if (input.empty()) return Event::need_more;
      if (input.front() == delimiter_[matched_]) {
        ++matched_;
        input.remove_prefix(1);
        continue;
      }
      data_ = std::string_view(delimiter_).substr(held_from_, matched_ - held_from_);
      matched_ = 0;
      held_from_ = 0;
      if (!data_.empty()) return Event::data;
    }
    if (matched_ == delimiter_.size()) {
      matched_ = 0;
      held_from_ = 0;
      state_ = State::after;
      return Event::part_end;
    }
    if (input.empty()) return Event::need_more;
    const std::size_t plain = std::min(input.find('\r'), input.size());
    if (plain != 0) {
      data_ = input.substr(0, plain);
      input.remove_prefix(plain);
      return Event::data;
    }
    matched_ = 1;
    input.remove_prefix(1);
  }
}

}  // namespace weft::http
