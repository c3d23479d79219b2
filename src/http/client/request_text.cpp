#include "http/client/request_text.hpp"

#include <algorithm>
#include <charconv>

#include "http/head_parser.hpp"
#include "http/header_text.hpp"
#include "http/letter_case.hpp"
#include "http/uri.hpp"

namespace weft::http {

namespace {

bool has(const std::vector<ClientField>& fields, std::string_view name) {
  return std::any_of(fields.begin(), fields.end(), [name](const ClientField& field) {
    return equal_in_any_case(field.name, name);
  });
}

void append(std::string& head, std::string_view name, std::string_view value) {
  head.append(name).append(": ").append(value).append("\r\n");
}

std::string refusal_of_method(const std::string& method) {
  if (!is_token(method)) return "the method is no token such as GET";
  if (method == "CONNECT") return "CONNECT, which makes a tunnel, is not supported";
  return {};
}

// What the body's length makes necessary; empty, or a refusal.
std::string choose_framing(const ClientRequest& request, RequestText& text) {
  const bool streamed = request.body_length.has_value() || request.body_of_unknown_length;
  if (streamed && !request.body.empty()) return "it has a body, and announces another one";
  if (request.body_length.has_value() && request.body_of_unknown_length) {
    return "it announces a body both with a length and without";
  }
  text.chunked = request.body_of_unknown_length;
  text.length = request.body_length;
  // RFC 9110 §8.6: methods that mean something by a body say so even when it is empty.
  const bool expects_body =
      request.method == "POST" || request.method == "PUT" || request.method == "PATCH";
  if (!streamed && (expects_body || !request.body.empty())) text.length = request.body.size();
  return {};
}

}  // namespace

std::string refusal_of(const ClientField& field) {
  if (!is_token(field.name)) return "a header name is empty, or holds what must not be in one";
  if (!is_field_value(field.value)) {
    return "the value of header " + field.name + " holds a line break or another control byte";
  }
  if (equal_in_any_case(field.name, "content-length") ||
      equal_in_any_case(field.name, "transfer-encoding")) {
    return "header " + field.name + " follows from the body; leave it out";
  }
  if (equal_in_any_case(field.name, "host") && !is_authority(field.value)) {
    return "header Host is not a host with optional port";
  }
  return {};
}

std::string write_request(const ClientRequest& request, const ClientUrl& url,
                          const ClientOptions& options, RequestText& text) {
  if (std::string refusal = refusal_of_method(request.method); !refusal.empty()) return refusal;
  if (std::string refusal = choose_framing(request, text); !refusal.empty()) return refusal;
  std::string& head = text.head;
  head.append(request.method).append(" ").append(url.target).append(" HTTP/1.1\r\n");
  const auto hosts =
      std::count_if(request.headers.begin(), request.headers.end(),
                    [](const ClientField& field) { return equal_in_any_case(field.name, "host"); });
  if (hosts > 1) return "there is more than one header Host";
  if (hosts == 0) append(head, "Host", url.authority);
  for (const ClientField& field : request.headers) {
    if (std::string refusal = refusal_of(field); !refusal.empty()) return refusal;
    append(head, field.name, field.value);
    text.may_upgrade |= equal_in_any_case(field.name, "upgrade");
    if (!equal_in_any_case(field.name, "connection")) continue;
    for (std::string_view list = field.value; !list.empty();) {
      text.closes |= equals_ignoring_case(take_element(list), "close");
    }
  }
  for (const ClientField& field : options.headers) {
    if (!has(request.headers, field.name)) append(head, field.name, field.value);
  }
  const bool brings_agent =
      has(request.headers, "user-agent") || has(options.headers, "user-agent");
  if (!options.user_agent.empty() && !brings_agent) append(head, "User-Agent", options.user_agent);
  if (text.chunked) append(head, "Transfer-Encoding", "chunked");
  if (text.length) append(head, "Content-Length", std::to_string(*text.length));
  if (!options.keep_alive && !text.closes) {
    append(head, "Connection", "close");
    text.closes = true;
  }
  head += "\r\n";
  return {};
}

std::string chunk_line(std::size_t size) {
  char digits[16];
  const auto end = std::to_chars(digits, digits + sizeof digits, size, 16).ptr;
  return std::string(digits, end).append("\r\n");
}

}  // namespace weft::http
