#include "http/response.hpp"

#include <array>
#include <charconv>
#include <stdexcept>

#include "http/date.hpp"
#include "http/head_parser.hpp"
#include "http/header_text.hpp"
#include "http/status.hpp"

namespace weft::http {

namespace {

constexpr std::string_view kOkLine = "HTTP/1.1 200 OK\r\n";
constexpr std::string_view kServerField = "Server: weft\r\n";
constexpr std::string_view kDateName = "Date: ";

char* put(char* out, std::string_view text) noexcept {
  std::memcpy(out, text.data(), text.size());
  return out + text.size();
}

char* put_status_line(char* out, int status) noexcept {
  const std::string_view known = status_line(status);
  if (!known.empty()) return put(out, known);
  out = put(out, "HTTP/1.1 ");
  out = std::to_chars(out, out + 4, status).ptr;
  return put(out, " \r\n");
}

void require_own_field(std::string_view name, std::string_view value) {
  Response::require_field(name, value);
  constexpr std::array<std::string_view, 5> kOwn{"content-length", "transfer-encoding",
                                                 "connection", "date", "server"};
  for (const std::string_view own : kOwn) {
    if (equals_ignoring_case(name, own)) {
      throw std::invalid_argument("header " + std::string(name) + " is written by the server");
    }
  }
}

}  // namespace

void Response::require_field(std::string_view name, std::string_view value) {
  if (!is_token(name)) {
    throw std::invalid_argument("a header's name must be a token, not \"" + std::string(name) +
                                "\"");
  }
  if (!is_field_value(value)) {
    throw std::invalid_argument("the value of header " + std::string(name) +
                                " holds a line break or another control byte");
  }
}

void Response::add_field(std::string_view name, std::string_view value) {
  require_own_field(name, value);
  fields.append(name);
  fields.append(": ");
  fields.append(value);
  fields.append("\r\n");
}

void Response::add_lasting_field(std::string_view name, std::string_view value) {
  require_own_field(name, value);
  for (const std::string_view part :
       {name, std::string_view(": "), value, std::string_view("\r\n")}) {
    add_lasting_lines(part);
  }
}

CommonFields::CommonFields(bool with_server_field) : text_(kOkLine), status_bytes_(text_.size()) {
  if (with_server_field) text_ += kServerField;
  text_ += kDateName;
  date_offset_ = text_.size();
  text_.append(http_date_length, ' ');
  text_ += "\r\n";
  set_date(0);
}

void CommonFields::set_date(long long unix_seconds) noexcept {
  format_http_date(static_cast<std::time_t>(unix_seconds), text_.data() + date_offset_);
}

std::size_t head_size_bound(const Response& response, const CommonFields& common) noexcept {
  constexpr std::size_t kFixedTexts = 200;  // status line, Connection, lengths, names, ends
  return kFixedTexts + common.ok_head().size() + response.content_type.size() +
         response.fields.size() + response.upgrade.size();
}

char* write_head(char* out, const Response& response, const Framing& framing,
                 const CommonFields& common) noexcept {
  if (response.status == 200) {
    out = put(out, common.ok_head());
  } else {
    out = put_status_line(out, response.status);
    out = put(out, common.fields());
  }
  if (!response.upgrade.empty()) [[unlikely]] {
    out = put(out, "Upgrade: ");
    out = put(out, response.upgrade);
    // An answer that only asks for it is the last one.
    out = put(out, response.status == 101 ? "\r\nConnection: upgrade\r\n"
                                          : "\r\nConnection: upgrade, close\r\n");
  } else if (!framing.keep_alive) {
    out = put(out, "Connection: close\r\n");
  } else if (framing.http_1_0) {
    out = put(out, "Connection: keep-alive\r\n");
  }
  const bool with_body = allows_body(response.status);
  if (with_body && !response.content_type.empty()) {
    out = put(out, "Content-Type: ");
    out = put(out, response.content_type);
    out = put(out, "\r\n");
  }
  out = put(out, response.fields.view());
  if (with_body || response.status == 205) {
    std::uint64_t length = with_body ? response.body.size() : 0;
    if (framing.body != BodyFraming::whole && with_body) [[unlikely]] {
      if (framing.body == BodyFraming::until_close) return put(out, "\r\n");
      if (framing.body == BodyFraming::chunked) {
        return put(out, "Transfer-Encoding: chunked\r\n\r\n");
      }
      length = framing.length;
    }
    out = put(out, "Content-Length: ");
    out = std::to_chars(out, out + 20, length).ptr;
    return put(out, "\r\n\r\n");
  }
  return put(out, "\r\n");
}

}  // namespace weft::http
