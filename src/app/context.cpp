#include "weft/context.hpp"

#include <algorithm>
#include <stdexcept>

#include "http/cookie.hpp"
#include "http/exchange.hpp"
#include "http/header_text.hpp"
#include "http/query.hpp"
#include "http/response_fields.hpp"
#include "http/trailers.hpp"
#include "http/uri.hpp"

namespace weft {

namespace {

constexpr std::string_view kText = "text/plain; charset=utf-8";
constexpr std::string_view kHtml = "text/html; charset=utf-8";
constexpr std::string_view kJson = "application/json";

std::string_view decoded(http::Exchange& exchange, std::string_view raw, http::UriPart part) {
  if (http::is_plain(raw, part)) return raw;
  auto text = http::percent_decode(raw, part);
  return text ? exchange.keep(std::move(*text)) : raw;
}

void require_one_line(std::string_view type) {
  if (http::is_field_value(type)) return;
  throw std::invalid_argument("the Content-Type holds a line break or another control byte");
}

void set_type(http::Response& response, std::string_view type) {
  if (!response.content_type_chosen) response.content_type = type;
}

}  // namespace

std::string_view Context::method() const noexcept {
  return http::name(exchange_.head().head().method);
}

std::string_view Context::path() const noexcept { return exchange_.path(); }

std::string_view Context::sent_path() const noexcept { return exchange_.head().path(); }

std::string_view Context::param(std::string_view name) {
  const http::Params& params = exchange_.params();
  for (std::size_t i = 0; i < params.size(); ++i) {
    if (params.name(i) == name) return decoded(exchange_, params.value(i), http::UriPart::path);
  }
  return {};
}

std::string_view Context::query(std::string_view name, std::string_view fallback) {
  const auto raw = http::Query(exchange_.head().query()).find_raw(name);
  return raw ? decoded(exchange_, *raw, http::UriPart::query) : fallback;
}

std::vector<std::string_view> Context::query_all(std::string_view name) {
  std::vector<std::string_view> values;
  const http::Query query(exchange_.head().query());
  query.for_each_raw(name, [&](std::string_view raw) {
    values.push_back(decoded(exchange_, raw, http::UriPart::query));
  });
  return values;
}

std::string_view Context::header(std::string_view name, std::string_view fallback) const {
  const auto is_upper = [](char c) { return c >= 'A' && c <= 'Z'; };
  if (std::none_of(name.begin(), name.end(), is_upper)) {
    return exchange_.head().find(name).value_or(fallback);
  }
  std::string lower(name);
  for (char& c : lower) c = is_upper(c) ? static_cast<char>(c + ('a' - 'A')) : c;
  return exchange_.head().find(lower).value_or(fallback);
}

std::string_view Context::cookie(std::string_view name, std::string_view fallback) const {
  return http::find_cookie(exchange_.head(), name).value_or(fallback);
}

std::string_view Context::body() { return exchange_.read_body(); }

BodyReader Context::body_stream() { return BodyReader(exchange_); }

std::string_view Context::trailer(std::string_view name, std::string_view fallback) const {
  return http::find_trailer(exchange_.trailers(), name).value_or(fallback);
}

Context& Context::status(int code) {
  http::require_head_to_come(exchange_.response());
  if (code < 200 || code > 599) {
    throw std::invalid_argument("a status must be from 200 to 599, not " + std::to_string(code));
  }
  exchange_.response().status = code;
  return *this;
}

Context& Context::set_header(std::string_view name, std::string_view value) {
  http::require_head_to_come(exchange_.response());
  http::Response& response = exchange_.response();
  if (http::equals_ignoring_case(name, "content-type")) {
    require_one_line(value);
    response.content_type = exchange_.keep(std::string(value));
    response.content_type_chosen = true;
  } else {
    http::set_field(response, name, value);
  }
  return *this;
}

Context& Context::add_header(std::string_view name, std::string_view value) {
  if (http::equals_ignoring_case(name, "content-type")) return set_header(name, value);
  http::require_head_to_come(exchange_.response());
  exchange_.response().add_field(name, value);
  return *this;
}

void Context::text(std::string_view body) {
  set_type(exchange_.response(), kText);
  exchange_.response().body.assign(body);
}

void Context::html(std::string_view body) {
  set_type(exchange_.response(), kHtml);
  exchange_.response().body.assign(body);
}

void Context::json(std::initializer_list<JsonMember> object) { json(JsonValue(object)); }

void Context::json(const JsonValue& value) {
  set_type(exchange_.response(), kJson);
  if (detail::holds_described(value)) {
    std::string text;
    write_json(value, text);
    return exchange_.response().body.assign(text);
  }
  exchange_.response().body.fill(
      [&value](char* out, std::size_t capacity) { return write_json(value, out, capacity); });
}

void Context::bytes(std::string_view body, std::string_view content_type) {
  require_one_line(content_type);
  set_type(exchange_.response(), content_type);
  exchange_.response().body.assign(body);
}

ResponseWriter Context::stream(std::string_view content_type) {
  require_one_line(content_type);
  set_type(exchange_.response(), content_type);
  exchange_.bodies().begin_answer_stream(std::nullopt);
  return ResponseWriter(exchange_);
}

ResponseWriter Context::stream(std::string_view content_type, std::uint64_t length) {
  require_one_line(content_type);
  set_type(exchange_.response(), content_type);
  exchange_.bodies().begin_answer_stream(length);
  return ResponseWriter(exchange_);
}

UpgradedStream Context::upgrade(std::string_view protocol) {
  exchange_.bodies().change_protocol(protocol);
  return UpgradedStream(exchange_);
}

}  // namespace weft
