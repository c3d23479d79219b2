#include "http/head_parser.hpp"

#include <algorithm>
#include <cstring>
#include <new>
#include <type_traits>

#include "http/header_text.hpp"
#include "http/scan.hpp"
#include "http/uri.hpp"

namespace weft::http {

static_assert(std::is_trivially_copyable_v<HeadParser>, "a parser moves with memcpy");
static_assert(sizeof(RequestHead) <= 2048);

namespace {

// No method the server knows is longer than this; a longer token need not be read to its end.
constexpr std::size_t longest_method = 32;

// Integers made of the bytes at an address, for comparing several bytes at once. Both sides of a
// comparison are made the same way, so the byte order does not matter.
template <class Integer>
[[nodiscard]] Integer load(const char* bytes) {
  Integer value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

// Setting bit 5 makes letters lower case and changes no other byte that these texts hold.
[[nodiscard]] bool matches4(const char* text, const char* lower) {
  return (load<std::uint32_t>(text) | 0x20202020U) == load<std::uint32_t>(lower);
}

[[nodiscard]] bool matches8(const char* text, const char* lower) {
  return (load<std::uint64_t>(text) | 0x2020202020202020U) == load<std::uint64_t>(lower);
}

[[nodiscard]] bool is_blank(char byte) { return byte == ' ' || byte == '\t'; }

// Whether a field name of this length may be one that note_field() looks for.
[[nodiscard]] bool may_matter(std::size_t length) {
  constexpr std::uint32_t lengths =
      1U << 4 | 1U << 6 | 1U << 7 | 1U << 10 | 1U << 14 | 1U << 16 | 1U << 17;
  return length < 32 && (lengths >> length & 1U) != 0;
}

[[nodiscard]] HeadSpan span(std::size_t begin, std::size_t end) {
  return {static_cast<std::uint16_t>(begin), static_cast<std::uint16_t>(end - begin)};
}

}  // namespace

bool equals_ignoring_case(std::string_view text, std::string_view lower) {
  const auto same = [](char a, char b) {
    return (a >= 'A' && a <= 'Z' ? static_cast<char>(a | 0x20) : a) == b;
  };
  return std::equal(text.begin(), text.end(), lower.begin(), lower.end(), same);
}

std::optional<std::string_view> HeadView::find(std::string_view lower_case_name) const {
  for (std::size_t i = 0; i < head_->header_count; ++i) {
    const auto& field = head_->fields[i];
    if (field.name.length == lower_case_name.size() &&
        equals_ignoring_case(text(field.name), lower_case_name)) {
      return text(field.value);
    }
  }
  return std::nullopt;
}

void HeadParser::reset() {
  // Member by member, because assigning a new parser would copy its array of fields.
  const Limits& limits = *limits_;
  new (this) HeadParser(limits);
}

ParseState HeadParser::advance(std::string_view all_bytes_so_far) {
  // Cutting the view here gives every later check the same bytes, however they were delivered.
  const std::size_t limit = std::min(limits_->head_bytes, RequestHead::max_bytes);
  const std::string_view bytes = all_bytes_so_far.substr(0, limit);
  Step step = Step::done;
  if (stage_ == Stage::start) step = skip_empty_line(bytes);
  if (stage_ == Stage::request_line) step = parse_request_line(bytes);
  if (stage_ == Stage::fields) step = parse_fields(bytes);
  if (step == Step::more && bytes.size() == limit) {
    fail(431, "The request head is larger than this server accepts.");
  }
  if (stage_ == Stage::complete) return ParseState::complete;
  return stage_ == Stage::error ? ParseState::error : ParseState::incomplete;
}

HeadParser::Step HeadParser::fail(int status, std::string_view reason) {
  error_status_ = static_cast<std::uint16_t>(status);
  error_reason_ = reason;
  stage_ = Stage::error;
  return Step::failed;
}

// RFC 9112 §2.2: one empty line before a request is ignored.
HeadParser::Step HeadParser::skip_empty_line(std::string_view bytes) {
  if (bytes.empty()) return Step::more;
  if (bytes[0] == '\r') {
    if (bytes.size() < 2) return Step::more;
    if (bytes[1] != '\n') return fail(400, "A carriage return stands without a line feed.");
    position_ = 2;
  }
  stage_ = Stage::request_line;
  return Step::done;
}

HeadParser::Step HeadParser::parse_request_line(std::string_view bytes) {
  const std::size_t begin = position_;
  std::size_t method_end;
  if (bytes.size() - begin >= 4 && std::memcmp(bytes.data() + begin, "GET ", 4) == 0) {
    method_end = begin + 3;
    head_.method = Method::get;
  } else {
    method_end = scan::scalar::name_end(bytes.substr(0, begin + longest_method + 1), begin);
    if (method_end - begin > longest_method) return fail(501, "The method is not known here.");
    if (method_end == bytes.size()) return Step::more;
    if (bytes[method_end] != ' ' || method_end == begin) {
      return fail(400, "The request line does not begin with a method.");
    }
    head_.method = method_from(bytes.substr(begin, method_end - begin));
    if (head_.method == Method::unknown) return refuse_method(bytes.substr(begin));
  }
  std::size_t target_end = 0;
  const Step step = parse_target(bytes, method_end + 1, target_end);
  return step == Step::done ? parse_version(bytes, target_end + 1) : step;
}

// RFC 9113 §3.4 has clients of HTTP/2 begin with a line that older servers are to understand as a
// version that they do not speak.
HeadParser::Step HeadParser::refuse_method(std::string_view line) {
  constexpr std::string_view preface = "PRI * HTTP/2.0\r\n";
  const std::string_view arrived = line.substr(0, preface.size());
  if (!preface.starts_with(arrived)) return fail(501, "The method is not known here.");
  return arrived == preface ? fail_version() : Step::more;
}

HeadParser::Step HeadParser::fail_version() {
  return fail(505, "Only HTTP/1.0 and HTTP/1.1 are spoken here.");
}

HeadParser::Step HeadParser::parse_target(std::string_view bytes, std::size_t begin,
                                          std::size_t& end) {
  if (begin >= bytes.size()) return Step::more;
  end = scan::target_end(bytes, std::max<std::size_t>(begin, scanned_));
  if (end - begin > limits_->uri_bytes) return fail(414, "The request target is too long.");
  if (end == bytes.size()) {
    scanned_ = static_cast<std::uint32_t>(end);
    return Step::more;
  }
  if (bytes[end] != ' ' || end == begin) {
    return fail(400, "The request target is missing or holds a byte that it must not.");
  }
  head_.target = span(begin, end);
  return classify_target(bytes.substr(0, end), begin);
}

// Takes the bytes up to the end of the target.
HeadParser::Step HeadParser::classify_target(std::string_view bytes, std::size_t begin) {
  const std::size_t end = bytes.size();
  const std::size_t special = scan::query_or_escape(bytes, begin);
  const bool escape_seen = special != end && bytes[special] == '%';
  const std::size_t question = escape_seen ? std::min(bytes.find('?', special), end) : special;
  head_.path = span(begin, question);
  if (question != end) head_.query = span(question + 1, end);
  if (head_.method == Method::connect) {
    head_.form = TargetForm::authority;
    head_.host = head_.path = head_.target;
    if (!is_authority_with_port(bytes.substr(begin))) {
      return fail(400, "CONNECT needs a host and a port.");
    }
    return Step::done;
  }
  if (bytes[begin] != '/') {
    if (bytes[begin] == '*' && end - begin == 1 && head_.method == Method::options) {
      head_.form = TargetForm::asterisk;
      return Step::done;
    }
    const Step step = classify_absolute(bytes, question);
    if (step != Step::done) return step;
  }
  if (escape_seen && !has_valid_escapes(bytes.substr(head_.path.offset, head_.path.length))) {
    return fail(400, "The path has a percent sign without two hexadecimal digits.");
  }
  return Step::done;
}

HeadParser::Step HeadParser::classify_absolute(std::string_view bytes, std::size_t question) {
  const std::size_t begin = head_.target.offset;
  const std::string_view before_query = bytes.substr(begin, question - begin);
  std::size_t scheme = 0;
  if (equals_ignoring_case(before_query.substr(0, 7), "http://")) scheme = 7;
  if (equals_ignoring_case(before_query.substr(0, 8), "https://")) scheme = 8;
  if (scheme == 0) return fail(400, "The request target is neither a path nor an http URI.");
  const std::size_t slash = std::min(before_query.find('/', scheme), before_query.size());
  const std::string_view authority = before_query.substr(scheme, slash - scheme);
  if (authority.empty() || authority.front() == ':' || !is_authority(authority)) {
    return fail(400, "The request target names no valid host.");
  }
  head_.form = TargetForm::absolute;
  head_.host = span(begin + scheme, begin + slash);
  head_.path = span(begin + slash, question);
  const bool nothing_else = slash == head_.target.length;
  if (nothing_else && head_.method == Method::options) {
    // RFC 9112 §3.2.4: without path and query this is what a proxy would send on as `OPTIONS *`.
    head_.form = TargetForm::asterisk;
  }
  return Step::done;
}

HeadParser::Step HeadParser::parse_version(std::string_view bytes, std::size_t begin) {
  constexpr std::string_view usual = "HTTP/1.1\r\n";
  const std::string_view rest = bytes.substr(begin);
  if (!rest.starts_with(usual)) {
    // Byte by byte, so that a wrong one is refused before the line has ended.
    constexpr std::string_view shape = "HTTP/d.d\r\n";
    for (std::size_t i = 0; i < shape.size(); ++i) {
      if (i == rest.size()) return Step::more;
      const bool digit = rest[i] >= '0' && rest[i] <= '9';
      if (shape[i] == 'd' ? !digit : rest[i] != shape[i]) {
        return fail(400, "The request line does not end with an HTTP version and CR LF.");
      }
    }
    if (rest[5] != '1') return fail_version();
    // RFC 9110 §6.2: a higher minor version is handled as the highest one that is known.
    head_.minor_version = rest[7] == '0' ? 0 : 1;
  }
  position_ = static_cast<std::uint32_t>(begin + usual.size());
  scanned_ = position_;
  stage_ = Stage::fields;
  return Step::done;
}

HeadParser::Step HeadParser::parse_fields(std::string_view bytes) {
  const std::size_t most_fields = std::min(limits_->header_count, RequestHead::header_capacity);
  const char* const base = bytes.data();
  std::size_t begin = position_;
  std::size_t scanned = scanned_;
  std::size_t name_end = name_end_;
  std::size_t count = head_.header_count;
  const auto more = [&](std::size_t scanned_to) {
    position_ = static_cast<std::uint32_t>(begin);
    scanned_ = static_cast<std::uint32_t>(scanned_to);
    name_end_ = static_cast<std::uint32_t>(name_end);
    head_.header_count = static_cast<std::uint8_t>(count);
    return Step::more;
  };
  for (;;) {
    if (name_end == 0) {
      if (begin == bytes.size()) return more(begin);
      if (base[begin] == '\r') break;
      if (count == most_fields) return fail(431, "There are too many fields.");
      scanned = scan::name_end(bytes, scanned);
      if (scanned - begin > limits_->header_field_bytes) return fail_long_field();
      if (scanned == bytes.size()) return more(scanned);
      if (base[scanned] != ':' || scanned == begin)
        return fail_name(base[scanned], scanned == begin);
      name_end = scanned++;
    }
    const std::size_t line_end = scan::value_end(bytes, scanned);
    if (line_end - begin > limits_->header_field_bytes) return fail_long_field();
    if (line_end == bytes.size()) return more(line_end);
    if (base[line_end] != '\r') return fail_value(base[line_end]);
    if (line_end + 1 == bytes.size()) return more(line_end);
    if (base[line_end + 1] != '\n') return fail_value('\r');

    std::size_t value_begin = name_end + 1;
    std::size_t value_end = line_end;
    while (value_begin < value_end && is_blank(base[value_begin])) ++value_begin;
    while (value_end > value_begin && is_blank(base[value_end - 1])) --value_end;
    const HeadSpan name = span(begin, name_end);
    const HeadSpan value = span(value_begin, value_end);
    head_.fields[count++] = {name, value};
    if (may_matter(name.length) && note_field(bytes, name, value) != Step::done) {
      return Step::failed;
    }
    begin = scanned = line_end + 2;
    name_end = 0;
  }
  if (begin + 1 == bytes.size()) return more(begin);
  if (base[begin + 1] != '\n') return fail_value('\r');
  position_ = static_cast<std::uint32_t>(begin + 2);
  head_.header_count = static_cast<std::uint8_t>(count);
  return finish();
}

HeadParser::Step HeadParser::fail_long_field() {
  return fail(431, "A field is longer than this server accepts.");
}

HeadParser::Step HeadParser::fail_name(char stopped_at, bool at_line_start) {
  if (at_line_start && is_blank(stopped_at)) {
    return fail(400, "A field line begins with a blank, as only obsolete folded lines do.");
  }
  if (stopped_at == '\n') return fail(400, "A line ends in a line feed without carriage return.");
  return fail(400, "A field name is empty, or holds a blank or another byte that it must not.");
}

HeadParser::Step HeadParser::fail_value(char stopped_at) {
  if (stopped_at == '\n') return fail(400, "A line ends in a line feed without carriage return.");
  if (stopped_at == '\r') return fail(400, "A carriage return stands without a line feed.");
  return fail(400, "A field value holds a control byte.");
}

// Recognises the fields that decide about framing and persistence, by length first.
HeadParser::Step HeadParser::note_field(std::string_view bytes, HeadSpan name, HeadSpan value) {
  const char* const text = bytes.data() + name.offset;
  const std::string_view content = bytes.substr(value.offset, value.length);
  switch (name.length) {
    case 4:
      if (matches4(text, "host")) return note_host(bytes, value);
      break;
    case 6:
      if (matches4(text, "expe") && matches4(text + 2, "pect")) {
        const bool known = equals_ignoring_case(content, "100-continue");
        head_.expect_continue |= known;
        unknown_expectation_ |= !known;
      }
      break;
    case 7: upgrade_field_ |= matches4(text, "upgr") && matches4(text + 3, "rade"); break;
    case 10:
      if (matches8(text, "connecti") && matches4(text + 6, "tion")) note_connection(content);
      break;
    case 14:
      if (matches8(text, "content-") && matches8(text + 6, "t-length")) {
        return note_content_length(content);
      }
      break;
    case 16:
      if (matches8(text, "content-") && matches8(text + 8, "encoding")) {
        head_.encoded_body |= !equals_ignoring_case(content, "identity");
      }
      break;
    case 17:
      if (matches8(text, "transfer") && matches8(text + 8, "-encodin") &&
          (text[16] | 0x20) == 'g') {
        return note_transfer_encoding(content);
      }
      break;
    default: break;
  }
  return Step::done;
}

HeadParser::Step HeadParser::note_host(std::string_view bytes, HeadSpan where) {
  if (head_.has_host) return fail(400, "There is more than one Host field.");
  if (!is_authority(bytes.substr(0, std::size_t{where.offset} + where.length), where.offset))
    return fail(400, "The Host field is not a host with optional port.");
  head_.has_host = true;
  // RFC 9112 §3.2.2: the authority of an absolute target overrides the field.
  if (head_.host.length == 0) head_.host = where;
  return Step::done;
}

HeadParser::Step HeadParser::note_content_length(std::string_view value) {
  if (head_.has_content_length) return fail(400, "There is more than one Content-Length.");
  if (transfer_encoding_) {
    return fail(400, "Content-Length and Transfer-Encoding contradict each other.");
  }
  if (value.empty()) return fail(400, "Content-Length is empty.");
  std::uint64_t length = 0;
  for (const char byte : value) {
    if (byte < '0' || byte > '9') return fail(400, "Content-Length is not a number.");
    if (__builtin_mul_overflow(length, std::uint64_t{10}, &length) ||
        __builtin_add_overflow(length, static_cast<std::uint64_t>(byte - '0'), &length)) {
      return fail(400, "Content-Length is beyond all bounds.");
    }
  }
  head_.content_length = length;
  head_.has_content_length = true;
  return Step::done;
}

// RFC 9112 §6.1 and §7; the lines of a repeated field count as one list.
HeadParser::Step HeadParser::note_transfer_encoding(std::string_view value) {
  if (head_.has_content_length) {
    return fail(400, "Content-Length and Transfer-Encoding contradict each other.");
  }
  if (head_.minor_version == 0) return fail(400, "HTTP/1.0 has no Transfer-Encoding.");
  if (value.ends_with(',')) return fail(400, "Transfer-Encoding is malformed.");
  transfer_encoding_ = true;
  do {
    const std::string_view coding = take_element(value);
    const std::size_t token_end = scan::scalar::name_end(coding, 0);
    const std::string_view parameters = trim_blanks(coding.substr(token_end));
    if (token_end == 0 || (!parameters.empty() && parameters.front() != ';')) {
      return fail(400, "Transfer-Encoding is malformed.");
    }
    if (head_.chunked) return fail(400, "The chunked coding is repeated, or not the last one.");
    if (!equals_ignoring_case(coding.substr(0, token_end), "chunked")) {
      unknown_coding_ = true;
    } else if (!parameters.empty()) {
      return fail(400, "The chunked coding has no parameters.");
    } else {
      head_.chunked = true;
    }
  } while (!value.empty());
  return Step::done;
}

void HeadParser::note_connection(std::string_view value) {
  if (value.size() == 10 && matches8(value.data(), "keep-ali") &&
      matches4(value.data() + 6, "live")) {
    connection_keep_alive_ = true;
    return;
  }
  do {
    const std::string_view option = take_element(value);
    connection_keep_alive_ |= equals_ignoring_case(option, "keep-alive");
    connection_close_ |= equals_ignoring_case(option, "close");
    connection_upgrade_ |= equals_ignoring_case(option, "upgrade");
  } while (!value.empty());
}

// What only the whole head can tell. Errors of syntax have been reported by now, and go before
// these.
HeadParser::Step HeadParser::finish() {
  const bool is_http_1_0 = head_.minor_version == 0;
  if (!head_.has_host && !is_http_1_0) return fail(400, "The Host field is missing.");
  if (unknown_coding_) return fail(501, "The transfer coding is not known here.");
  if (unknown_expectation_) return fail(417, "The expectation cannot be met.");
  if (head_.content_length > limits_->body_bytes) return fail(413, "The body is too large.");
  head_.encoded_body = head_.encoded_body && head_.has_body();
  head_.keep_alive = !connection_close_ && (!is_http_1_0 || connection_keep_alive_);
  head_.upgrade = upgrade_field_ && connection_upgrade_ && !is_http_1_0;
  if (is_http_1_0) head_.expect_continue = false;
  stage_ = Stage::complete;
  return Step::done;
}

}  // namespace weft::http
