#include "app/log/access_log.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <new>
#include <span>
#include <stdexcept>
#include <utility>
#include <variant>
#include <vector>

#include "app/log/escape.hpp"
#include "app/log/log_state.hpp"
#include "app/route_entry.hpp"
#include "http/cookie.hpp"
#include "http/exchange.hpp"
#include "weft/identity.hpp"

namespace weft::app {

namespace {

static_assert(kMostLoggedBytes < UINT16_MAX && sizeof(AccessRecord::TextSize) == 2);

using http::EndedAnswer;
using Kind = AccessPiece::Kind;

using Size = AccessRecord::TextSize;

// Formats with more texts are longer than a line of a screen; theirs take memory.
constexpr std::size_t kUsualTexts = 16;

// A view that nothing is written for before it is filled.
struct Text {
  const char* data;
  std::size_t size;
};

std::string_view route_of(const http::Exchange& exchange) noexcept {
  if (exchange.mount() != nullptr) return *exchange.mount();
  const auto* const entry = static_cast<const RouteEntry*>(exchange.route_object());
  return entry != nullptr ? std::string_view(entry->pattern) : std::string_view();
}

// Whoever middleware has found out who it is.
std::string_view user_of(http::Exchange& exchange) noexcept {
  Values* const values = exchange.values_if_any();
  const Identity* const identity = values != nullptr ? values->get<Identity>({}) : nullptr;
  return identity != nullptr ? std::string_view(identity->name) : std::string_view();
}

// Of those that a handler or middleware has set; the name is in lower case.
std::string_view answer_field(http::Exchange& exchange, std::string_view name) {
  if (name == "content-type") return exchange.response().content_type;
  std::string_view lines = exchange.response().fields.view();
  while (!lines.empty()) {
    const std::size_t end = lines.find("\r\n");
    const std::string_view line = lines.substr(0, end);
    const std::size_t colon = line.find(':');
    if (http::equals_ignoring_case(line.substr(0, colon), name)) return line.substr(colon + 2);
    lines.remove_prefix(end + 2);
  }
  return {};
}

std::string_view text_of(const AccessPiece& piece, const EndedAnswer& answer) {
  if (answer.exchange == nullptr) {
    return piece.kind == Kind::request_line ? answer.raw : std::string_view();
  }
  const http::HeadView& head = answer.exchange->head();
  switch (piece.kind) {
    case Kind::request_line: return head.target();
    case Kind::path: return head.path();
    case Kind::query: return head.query();
    case Kind::route: return route_of(*answer.exchange);
    case Kind::user: return user_of(*answer.exchange);
    case Kind::request_field: return head.find(piece.text).value_or(std::string_view());
    case Kind::cookie: return http::find_cookie(head, piece.text).value_or(std::string_view());
    default: return answer_field(*answer.exchange, piece.text);
  }
}

void fill(AccessRecord& record, const EndedAnswer& answer) noexcept {
  const std::int64_t took_ns = (answer.ended - answer.began).count();
  // A log has the time at which a request came.
  record.began_ns = answer.wall.ns - took_ns;
  record.took_ns = took_ns;
  record.body_bytes = answer.body_bytes;
  record.request_bytes = answer.request_body_bytes;
  record.has_peer = answer.peer->has_value();
  if (record.has_peer) record.peer = **answer.peer;
  record.status = static_cast<std::uint16_t>(answer.status);
  record.has_head = answer.exchange != nullptr;
  if (record.has_head) {
    const http::RequestHead& head = answer.exchange->head().head();
    record.method = head.method;
    record.is_http_1_0 = head.minor_version == 0;
  }
  record.complete = answer.complete;
  record.keep_alive = answer.keep_alive;
}

// Most are short.
char* put(char* to, const Text& text) noexcept {
  if (text.size < 8) {
    for (std::size_t i = 0; i < text.size; ++i) to[i] = text.data[i];
  } else {
    std::memcpy(to, text.data, text.size);
  }
  return to + text.size;
}

}  // namespace

AccessLog::AccessLog(const AccessFormat& format, std::shared_ptr<LogWriter> writer)
    : writer_(std::move(writer)) {
  auto lines = std::make_unique<AccessLines>(format);
  lines_ = lines.get();
  writer_->state_->adopt(std::move(lines));
}

AccessLog::~AccessLog() { writer_->state_->retire(*lines_); }

void AccessLog::log(const EndedAnswer& answer) noexcept {
  const std::span<const AccessPiece> pieces = lines_->texts();
  try {
    std::array<Text, kUsualTexts> usual;
    std::vector<Text> many;
    Text* texts = usual.data();
    if (pieces.size() > kUsualTexts) [[unlikely]] {
      many.resize(pieces.size());
      texts = many.data();
    }
    std::size_t size = sizeof(AccessRecord) + pieces.size() * sizeof(Size);
    for (std::size_t i = 0; i < pieces.size(); ++i) {
      const std::string_view text = text_of(pieces[i], answer);
      // One byte more than is logged tells that there was more.
      texts[i] = {text.data(), std::min(text.size(), kMostLoggedBytes + 1)};
      size += texts[i].size;
    }
    writer_->state_->put([&](LineQueue& queue) noexcept {
      char* const room = queue.record_room(size);
      if (room == nullptr) return false;
      AccessRecord record;
      fill(record, answer);
      std::memcpy(room, static_cast<const void*>(&record), sizeof record);
      char* sizes = room + sizeof record;
      char* to = sizes + pieces.size() * sizeof(Size);
      for (std::size_t i = 0; i < pieces.size(); ++i, sizes += sizeof(Size)) {
        const auto bytes = static_cast<Size>(texts[i].size);
        std::memcpy(sizes, &bytes, sizeof bytes);
        to = app::put(to, texts[i]);
      }
      queue.push_record(*lines_, size);
      return true;
    });
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
  const auto parsed = parse_access_format(format);
  if (std::holds_alternative<FormatMistake>(parsed)) {
    throw std::invalid_argument("cannot log in the format \"" + format +
                                "\": " + access_format_mistake(format));
  }
  const auto& known = std::get<AccessFormat>(parsed);
  LogWriterOptions options;
  options.dropped_line = AccessLog::dropped_line_of(known);
  return std::make_unique<AccessLog>(known, std::make_shared<LogWriter>(path, options));
}

}  // namespace weft::app
