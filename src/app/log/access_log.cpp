#include "app/log/access_log.hpp"

#include <charconv>
#include <new>
#include <stdexcept>
#include <utility>

#include "app/log/access_memory.hpp"
#include "app/route_entry.hpp"
#include "http/cookie.hpp"
#include "http/exchange.hpp"

namespace weft::app {

namespace {

using http::EndedAnswer;
using Kind = AccessPiece::Kind;

constexpr std::int64_t kSecond = 1'000'000'000;

void append_number(LineText& line, std::uint64_t number) {
  std::array<char, 20> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  line.append({digits.data(), static_cast<std::size_t>(end - digits.data())});
}

// With leading zeros.
void append_digits(LineText& line, std::uint64_t number, std::size_t count) {
  std::array<char, 20> digits;
  for (std::size_t i = count; i-- > 0; number /= 10)
    digits[i] = static_cast<char>('0' + number % 10);
  line.append({digits.data(), count});
}

void append_or_dash(LineText& line, std::string_view text) {
  if (text.empty()) return line.append("-");
  append_escaped(line, text);
}

int status_of(const EndedAnswer& answer) noexcept {
  return answer.status == 0 ? kClientGone : answer.status;
}

std::uint64_t took_us(const EndedAnswer& answer) noexcept {
  const std::int64_t ns = (answer.ended - answer.began).count();
  return ns > 0 ? static_cast<std::uint64_t>(ns) / 1000 : 0;
}

// A log has the time at which a request came.
std::int64_t began_at(const EndedAnswer& answer) noexcept {
  return answer.wall.ns - (answer.ended - answer.began).count();
}

std::string_view protocol_of(const http::HeadView& head) noexcept {
  return head.head().minor_version == 0 ? "HTTP/1.0" : "HTTP/1.1";
}

std::string_view route_of(const EndedAnswer& answer) noexcept {
  if (answer.exchange == nullptr) return {};
  const auto* const entry = static_cast<const RouteEntry*>(answer.exchange->route_object());
  return entry != nullptr ? std::string_view(entry->pattern) : std::string_view();
}

std::string_view request_field(const EndedAnswer& answer, std::string_view name) {
  if (answer.exchange == nullptr) return {};
  return answer.exchange->head().find(name).value_or(std::string_view());
}

// Of those that a handler or middleware has set; the name is in lower case.
std::string_view answer_field(const EndedAnswer& answer, std::string_view name) {
  if (answer.exchange == nullptr) return {};
  if (name == "content-type") return answer.exchange->response().content_type;
  std::string_view lines = answer.exchange->response().fields.view();
  while (!lines.empty()) {
    const std::size_t end = lines.find("\r\n");
    const std::string_view line = lines.substr(0, end);
    const std::size_t colon = line.find(':');
    if (http::equals_ignoring_case(line.substr(0, colon), name)) return line.substr(colon + 2);
    lines.remove_prefix(end + 2);
  }
  return {};
}

void append_request_line(LineText& line, const EndedAnswer& answer) {
  if (answer.exchange == nullptr) return append_or_dash(line, answer.raw);
  const http::HeadView& head = answer.exchange->head();
  line.append(http::name(head.head().method));
  line.append(" ");
  append_escaped(line, head.target());
  line.append(" ");
  line.append(protocol_of(head));
}

void append_time(LineText& line, const EndedAnswer& answer, Kind kind, AccessLog::Memory& memory) {
  const std::int64_t ns = began_at(answer);
  switch (kind) {
    case Kind::time_clf: return line.append(memory.clf_time(ns / kSecond));
    case Kind::time_seconds: return append_number(line, static_cast<std::uint64_t>(ns / kSecond));
    case Kind::time_millis: return append_number(line, static_cast<std::uint64_t>(ns / 1'000'000));
    case Kind::time_micros: return append_number(line, static_cast<std::uint64_t>(ns / 1000));
    default: break;
  }
  line.append(memory.iso_time(ns / kSecond));
  line.append(".");
  append_digits(line, static_cast<std::uint64_t>(ns % kSecond / 1000), 6);
  line.append("Z");
}

// What is of the request's head.
void append_of_head(LineText& line, const EndedAnswer& answer, const AccessPiece& piece) {
  if (answer.exchange == nullptr) return line.append("-");
  const http::HeadView& head = answer.exchange->head();
  switch (piece.kind) {
    case Kind::method: return line.append(http::name(head.head().method));
    case Kind::path: return append_escaped(line, head.path());
    case Kind::protocol: return line.append(protocol_of(head));
    case Kind::cookie:
      return append_or_dash(line, http::find_cookie(head, piece.text).value_or(std::string_view()));
    default: break;
  }
  if (head.query().empty()) return;
  line.append("?");
  append_escaped(line, head.query());
}

std::string_view connection_state(const EndedAnswer& answer) noexcept {
  return !answer.complete ? "X" : answer.keep_alive ? "+" : "-";
}

void append_piece(LineText& line, const EndedAnswer& answer, const AccessPiece& piece,
                  AccessLog::Memory& memory) {
  switch (piece.kind) {
    case Kind::text: return line.append(piece.text);
    case Kind::remote_host: return line.append(memory.host(*answer.peer));
    case Kind::remote_port:
      return *answer.peer ? append_number(line, (*answer.peer)->port()) : line.append("-");
    case Kind::time_clf:
    case Kind::time_iso:
    case Kind::time_seconds:
    case Kind::time_millis:
    case Kind::time_micros: return append_time(line, answer, piece.kind, memory);
    case Kind::request_line: return append_request_line(line, answer);
    case Kind::method:
    case Kind::path:
    case Kind::query:
    case Kind::protocol:
    case Kind::cookie: return append_of_head(line, answer, piece);
    case Kind::status: return append_number(line, static_cast<unsigned>(status_of(answer)));
    case Kind::bytes_or_dash:
      if (answer.body_bytes == 0) return line.append("-");
      [[fallthrough]];
    case Kind::bytes: return append_number(line, answer.body_bytes);
    case Kind::request_bytes: return append_number(line, answer.request_body_bytes);
    case Kind::took_micros: return append_number(line, took_us(answer));
    case Kind::took_seconds: return append_number(line, took_us(answer) / 1'000'000);
    case Kind::took_millis: return append_number(line, took_us(answer) / 1'000);
    case Kind::request_field: return append_or_dash(line, request_field(answer, piece.text));
    case Kind::answer_field: return append_or_dash(line, answer_field(answer, piece.text));
    case Kind::route: return append_or_dash(line, route_of(answer));
    case Kind::connection_state: return line.append(connection_state(answer));
  }
}

// ,"name":"text", or null where there is none.
void append_member(LineText& line, std::string_view name, std::string_view text) {
  line.append(name);
  if (text.empty()) return line.append("null");
  line.append("\"");
  append_json_escaped(line, text);
  line.append("\"");
}

void append_member(LineText& line, std::string_view name, std::uint64_t number) {
  line.append(name);
  append_number(line, number);
}

void render_json(const EndedAnswer& answer, AccessLog::Memory& memory, LineText& line) {
  line.append(R"({"time":")");
  append_time(line, answer, Kind::time_iso, memory);
  append_member(line, R"(","remote":)",
                *answer.peer ? memory.host(*answer.peer) : std::string_view());
  if (answer.exchange != nullptr) {
    const http::HeadView& head = answer.exchange->head();
    append_member(line, R"(,"method":)", http::name(head.head().method));
    append_member(line, R"(,"target":)", head.target());
    append_member(line, R"(,"protocol":)", protocol_of(head));
  } else {
    append_member(line, R"(,"refused":)", answer.raw);
  }
  append_member(line, R"(,"status":)", static_cast<unsigned>(status_of(answer)));
  append_member(line, R"(,"bytes":)", answer.body_bytes);
  append_member(line, R"(,"request_bytes":)", answer.request_body_bytes);
  append_member(line, R"(,"duration_us":)", took_us(answer));
  append_member(line, R"(,"route":)", route_of(answer));
  append_member(line, R"(,"referer":)", request_field(answer, "referer"));
  append_member(line, R"(,"user_agent":)", request_field(answer, "user-agent"));
  line.append(answer.complete ? R"(,"complete":true})" : R"(,"complete":false})");
}

}  // namespace

void render(const AccessFormat& format, const EndedAnswer& answer, AccessLog::Memory& memory,
            LineText& line) {
  if (format.json) return render_json(answer, memory, line);
  for (const AccessPiece& piece : format.pieces) append_piece(line, answer, piece, memory);
}

AccessLog::AccessLog(AccessFormat format, std::shared_ptr<LogWriter> writer)
    : format_(std::move(format)), writer_(std::move(writer)), others_(std::make_unique<Memory>()) {}

AccessLog::~AccessLog() {
  for (auto& one : by_thread_) delete one.load();
}

AccessLog::Memory* AccessLog::memory_of(unsigned number) noexcept {
  Memory* memory = by_thread_[number].load(std::memory_order_acquire);
  if (memory == nullptr) [[unlikely]] {
    memory = new (std::nothrow) Memory;
    by_thread_[number].store(memory, std::memory_order_release);
  }
  return memory;
}

void AccessLog::log(const EndedAnswer& answer) noexcept {
  LineText line;
  try {
    const unsigned number = thread_number();
    Memory* const memory = number < kMostThreadNumbers ? memory_of(number) : nullptr;
    if (memory != nullptr) [[likely]] {
      render(format_, answer, *memory, line);
    } else {
      const std::lock_guard lock(mutex_);
      render(format_, answer, *others_, line);
    }
    writer_->write(line.view());
  } catch (const std::bad_alloc&) {
    writer_->drop();
  }
}

std::function<std::string(std::uint64_t)> AccessLog::dropped_line_of(const AccessFormat& format) {
  if (!format.json) return {};
  return [](std::uint64_t dropped) {
    return "{\"dropped\":" + std::to_string(dropped) +
           ",\"reason\":\"lines came faster than they could be written\"}";
  };
}

std::unique_ptr<AccessLog> open_access_log(const std::string& path, const std::string& format) {
  auto parsed = parse_access_format(format);
  if (std::holds_alternative<FormatMistake>(parsed)) {
    throw std::invalid_argument("cannot log in the format \"" + format +
                                "\": " + access_format_mistake(format));
  }
  auto& known = std::get<AccessFormat>(parsed);
  LogWriterOptions options;
  options.dropped_line = AccessLog::dropped_line_of(known);
  auto writer = std::make_shared<LogWriter>(path, options);
  return std::make_unique<AccessLog>(std::move(known), std::move(writer));
}

}  // namespace weft::app
