// Context: one request and its answer, as a handler sees them.
//
// Valid until the handler returns, also across sleep(), yield() and other calls that park. Views
// that it hands out live as long. Belongs to the worker it was given on.
#pragma once

#include <string>
#include <string_view>

#include "weft/json.hpp"

namespace weft {

namespace http {
class Exchange;
}

class Context {
 public:
  explicit Context(http::Exchange& exchange) noexcept : exchange_(exchange) {}
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  // ---- The request

  // "GET", "POST", …
  std::string_view method() const noexcept;
  // The path as it was sent, without the query.
  std::string_view path() const noexcept;
  // A part of the path that the route names with `:name`, decoded; empty when there is none.
  std::string_view param(std::string_view name);
  // A value of the query string, decoded; `fallback` when the name does not occur.
  std::string_view query(std::string_view name, std::string_view fallback = {});
  // A request header, the name in any case; `fallback` when there is none.
  std::string_view header(std::string_view name, std::string_view fallback = {}) const;
  // The whole body. Parks until it has arrived; a client that goes away, sends too much or takes
  // too long ends the handler here, with an exception that is answered as it should be.
  std::string_view body();

  // ---- The answer

  // 200 unless set. Throws std::invalid_argument outside 200 to 599.
  Context& status(int code);
  // Adds a header; Content-Type is replaced instead. Throws std::invalid_argument when name or
  // value hold what would break out of the line, and for those that the server alone writes:
  // Connection, Content-Length, Date, Server and Transfer-Encoding.
  Context& set_header(std::string_view name, std::string_view value);

  // Each sets the whole body, and its Content-Type unless set_header() has done that. Neither is
  // sent with a status that has no body: 204, 205 and 304.
  void text(std::string_view body);
  void html(std::string_view body);
  void json(std::initializer_list<JsonMember> object);
  void json(const JsonValue& value);
  // Any content; the type must outlive the handler, as a literal does. Throws
  // std::invalid_argument when the type holds what would break out of its line.
  void bytes(std::string_view body, std::string_view content_type);

 private:
  http::Exchange& exchange_;
};

}  // namespace weft
