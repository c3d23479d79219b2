#include "app/log/access_lines.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <utility>

#include "app/log/escape.hpp"

namespace weft::app {

namespace {

using Kind = AccessPiece::Kind;

constexpr std::int64_t kSecond = 1'000'000'000;
// More than what is not a text takes: an address with the name of its interface, a time, a number.
constexpr std::size_t kMostPieceBytes = 128;
constexpr std::size_t kJsonBytes = 1024;
constexpr std::size_t kWord = 8;

char* put_text(char* out, std::string_view text) noexcept {
  std::memcpy(out, text.data(), text.size());
  return out + text.size();
}

// Of a text behind which more may be read, and up to a word may be written.
char* put_words(char* out, std::string_view text) noexcept {
  const char* const from = text.data();
  for (std::size_t i = 0; i < text.size(); i += kWord) std::memcpy(out + i, from + i, kWord);
  return out + text.size();
}
static_assert(kWord <= AccessMemory::kSlack);

char* put_number(char* out, std::uint64_t number) noexcept {
  return std::to_chars(out, out + 20, number).ptr;
}

char* put_status(char* out, unsigned status) noexcept {
  if (status < 100 || status > 999) return put_number(out, status);
  out[0] = static_cast<char>('0' + status / 100);
  out[1] = static_cast<char>('0' + status / 10 % 10);
  out[2] = static_cast<char>('0' + status % 10);
  return out + 3;
}

// With leading zeros.
char* put_digits(char* out, std::uint64_t number, std::size_t count) noexcept {
  for (std::size_t i = count; i-- > 0; number /= 10) out[i] = static_cast<char>('0' + number % 10);
  return out + count;
}

char* put_or_dash(char* out, std::string_view text) noexcept {
  if (!text.empty()) return put_escaped(out, text);
  *out = '-';
  return out + 1;
}

// It stands between blanks in the usual formats, so it must have none of its own; and a user whose
// name is a dash is not nobody.
char* put_user(char* out, std::string_view name) noexcept {
  if (name.empty()) {
    *out = '-';
    return out + 1;
  }
  if (name == "-") return put_text(out, "\\x2d");
  return put_escaped_word(out, name);
}

unsigned status_of(const AccessRecord& record) noexcept {
  return record.status == 0 ? unsigned{kClientGone} : record.status;
}

std::uint64_t took_us(const AccessRecord& record) noexcept {
  return record.took_ns > 0 ? static_cast<std::uint64_t>(record.took_ns) / 1000 : 0;
}

std::string_view protocol_of(const AccessRecord& record) noexcept {
  return record.is_http_1_0 ? "HTTP/1.0" : "HTTP/1.1";
}

char* put_request_line(char* out, const AccessRecord& record, std::string_view target) noexcept {
  if (!record.has_head) return put_or_dash(out, target);
  if (record.method == http::Method::get) [[likely]] {
    out = put_text(out, "GET ");
  } else {
    out = put_text(out, http::name(record.method));
    *out++ = ' ';
  }
  out = put_escaped(out, target);
  return put_text(out, record.is_http_1_0 ? std::string_view(" HTTP/1.0") : " HTTP/1.1");
}

// What the format takes of a request's or an answer's text, which each record has a copy of.
bool is_copied(Kind kind) noexcept {
  switch (kind) {
    case Kind::request_line:
    case Kind::path:
    case Kind::query:
    case Kind::request_field:
    case Kind::answer_field:
    case Kind::cookie:
    case Kind::user:
    case Kind::route: return true;
    default: return false;
  }
}

// What is of the request's head.
char* put_of_head(char* out, Kind kind, const AccessRecord& record,
                  std::string_view text) noexcept {
  if (!record.has_head) return put_text(out, "-");
  switch (kind) {
    case Kind::method: return put_text(out, http::name(record.method));
    case Kind::protocol: return put_text(out, protocol_of(record));
    case Kind::path: return put_escaped(out, text);
    default: break;
  }
  if (text.empty()) return out;
  *out++ = '?';
  return put_escaped(out, text);
}

// "text", or null where there is none.
char* put_member(char* out, std::string_view name, std::string_view text) noexcept {
  out = put_text(out, name);
  if (text.empty()) return put_text(out, "null");
  *out++ = '"';
  out = put_json_escaped(out, text);
  *out++ = '"';
  return out;
}

char* put_member(char* out, std::string_view name, std::uint64_t number) noexcept {
  return put_number(put_text(out, name), number);
}

}  // namespace

AccessLines::AccessLines(const AccessFormat& format) : json_(format.json) {
  if (json_) {
    texts_ = {{Kind::request_line, {}},
              {Kind::route, {}},
              {Kind::user, {}},
              {Kind::request_field, "referer"},
              {Kind::request_field, "user-agent"}};
    own_bytes_ = kJsonBytes;
    return;
  }
  std::string_view in_front;
  for (const AccessPiece& piece : format.pieces) {
    if (is_copied(piece.kind)) texts_.push_back(piece);
    if (piece.kind == Kind::text) {
      in_front = piece.text;
    } else {
      end_piece(piece.kind, std::exchange(in_front, {}));
    }
  }
  end_piece(Kind::text, in_front);
}

void AccessLines::end_piece(Kind kind, std::string_view text) {
  Piece& piece = pieces_.emplace_back(Piece{kind, static_cast<std::uint32_t>(text.size())});
  piece.words = text;
  piece.words.resize((text.size() + kWord - 1) / kWord * kWord);
  own_bytes_ += kMostPieceBytes + piece.words.size();
}

void AccessLines::make(std::string_view bytes, LineText& text) {
  AccessRecord record;
  std::memcpy(static_cast<void*>(&record), bytes.data(), sizeof record);
  const RecordTexts texts(bytes, texts_.size());
  // No more than all of the record could be escaped.
  char* const out =
      text.room(own_bytes_ + texts_.size() * escaped_bound(0) + escaped_bound(bytes.size()));
  text.end_at(json_ ? put_json(out, record, texts) : put_pieces(out, record, texts));
}

char* AccessLines::put_time(char* out, Kind kind, const AccessRecord& record) {
  const std::int64_t ns = record.began_ns;
  switch (kind) {
    case Kind::time_clf: return put_words(out, memory_.clf_time(ns / kSecond));
    case Kind::time_seconds: return put_number(out, static_cast<std::uint64_t>(ns / kSecond));
    case Kind::time_millis: return put_number(out, static_cast<std::uint64_t>(ns / 1'000'000));
    case Kind::time_micros: return put_number(out, static_cast<std::uint64_t>(ns / 1000));
    default: break;
  }
  out = put_words(out, memory_.iso_time(ns / kSecond));
  *out++ = '.';
  out = put_digits(out, static_cast<std::uint64_t>(ns % kSecond / 1000), 6);
  *out++ = 'Z';
  return out;
}

char* AccessLines::put_pieces(char* out, const AccessRecord& record, RecordTexts texts) {
  for (const Piece& piece : pieces_) {
    out = put_words(out, {piece.words.data(), piece.size});
    switch (piece.kind) {
      case Kind::text: break;
      case Kind::remote_host:
        out = record.has_peer ? put_words(out, memory_.host(record.peer)) : put_text(out, "-");
        break;
      case Kind::remote_port:
        out = record.has_peer ? put_number(out, record.peer.port()) : put_text(out, "-");
        break;
      case Kind::time_clf:
      case Kind::time_iso:
      case Kind::time_seconds:
      case Kind::time_millis:
      case Kind::time_micros: out = put_time(out, piece.kind, record); break;
      case Kind::request_line: out = put_request_line(out, record, texts.next()); break;
      case Kind::method:
      case Kind::protocol: out = put_of_head(out, piece.kind, record, {}); break;
      case Kind::path:
      case Kind::query: out = put_of_head(out, piece.kind, record, texts.next()); break;
      case Kind::status: out = put_status(out, status_of(record)); break;
      case Kind::bytes_or_dash:
        out = record.body_bytes == 0 ? put_text(out, "-") : put_number(out, record.body_bytes);
        break;
      case Kind::bytes: out = put_number(out, record.body_bytes); break;
      case Kind::request_bytes: out = put_number(out, record.request_bytes); break;
      case Kind::took_micros: out = put_number(out, took_us(record)); break;
      case Kind::took_seconds: out = put_number(out, took_us(record) / 1'000'000); break;
      case Kind::took_millis: out = put_number(out, took_us(record) / 1'000); break;
      case Kind::user: out = put_user(out, texts.next()); break;
      case Kind::cookie:
      case Kind::request_field:
      case Kind::answer_field:
      case Kind::route: out = put_or_dash(out, texts.next()); break;
      case Kind::connection_state:
        *out++ = !record.complete ? 'X' : record.keep_alive ? '+' : '-';
        break;
    }
  }
  return out;
}

char* AccessLines::put_json(char* out, const AccessRecord& record, RecordTexts texts) {
  out = put_text(out, R"({"time":")");
  out = put_time(out, Kind::time_iso, record);
  out = put_member(out, R"(","remote":)",
                   record.has_peer ? memory_.host(record.peer) : std::string_view());
  if (record.has_head) {
    out = put_member(out, R"(,"method":)", http::name(record.method));
    out = put_member(out, R"(,"target":)", texts.next());
    out = put_member(out, R"(,"protocol":)", protocol_of(record));
  } else {
    out = put_member(out, R"(,"refused":)", texts.next());
  }
  out = put_member(out, R"(,"status":)", status_of(record));
  out = put_member(out, R"(,"bytes":)", record.body_bytes);
  out = put_member(out, R"(,"request_bytes":)", record.request_bytes);
  out = put_member(out, R"(,"duration_us":)", took_us(record));
  out = put_member(out, R"(,"route":)", texts.next());
  out = put_member(out, R"(,"user":)", texts.next());
  out = put_member(out, R"(,"referer":)", texts.next());
  out = put_member(out, R"(,"user_agent":)", texts.next());
  return put_text(out, record.complete ? R"(,"complete":true})" : R"(,"complete":false})");
}

}  // namespace weft::app
