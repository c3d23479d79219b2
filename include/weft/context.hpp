// Context: one request and its answer, as a handler sees them.
//
// Valid until the handler has ended (see handler.hpp), also across sleep(), yield() and other calls
// that park or are awaited. Views that it hands out live as long. Belongs to the worker it was
// given on.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "weft/body_reader.hpp"
#include "weft/json.hpp"
#include "weft/response_writer.hpp"
#include "weft/upgraded_stream.hpp"

namespace weft {

class FileRoot;

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
  // A part of the path that the route names, as `{name}` does, decoded; empty when there is none.
  std::string_view param(std::string_view name);
  // A value of the query string, decoded: '+' is a space, and of several of that name it is the
  // first. What has a percent sign without two hexadecimal digits comes as it was sent. `fallback`
  // when the name does not occur.
  std::string_view query(std::string_view name, std::string_view fallback = {});
  // All values of that name, each like that of query(), in their order.
  std::vector<std::string_view> query_all(std::string_view name);
  // A request header, the name in any case; `fallback` when there is none.
  std::string_view header(std::string_view name, std::string_view fallback = {}) const;
  // A cookie as it was sent, quotes and percent signs included; names have case, and of several of
  // one name it is the first. `fallback` when there is none.
  std::string_view cookie(std::string_view name, std::string_view fallback = {}) const;
  // The whole body. Parks until it has arrived; a client that goes away, sends too much or takes
  // too long ends the handler here, with an exception that is answered as it should be.
  std::string_view body();
  // The body as it comes. Behind body() it is the same once more, in one piece; body() behind a
  // read of this is a std::logic_error.
  BodyReader body_stream();
  // A field that the client sent behind its body, once that has been read to its end; the name in
  // any case; `fallback` when there is none. Those that would frame the message are not there.
  std::string_view trailer(std::string_view name, std::string_view fallback = {}) const;

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
  // In place of these: the body written piece by piece, of a length that is announced or not. A
  // handler that writes less than it has announced has its connection cut off. The type must
  // outlive the handler.
  ResponseWriter stream(std::string_view content_type);
  ResponseWriter stream(std::string_view content_type, std::uint64_t length);
  // In place of these: a regular file as the body, with its Content-Type by the end of its name,
  // ETag and Last-Modified. With the status 200 it answers conditional requests and those for one
  // range, too. Parks while a slow disk or client takes its time. False when there is no such file:
  // then the answer is a 404 (or 403), which may still be changed. Ends the handler like a stream
  // does, and cuts the connection off when the file becomes shorter meanwhile.
  bool file(const std::string& path);
  // The same beneath a folder, for names that come from a client: 404 for `..`, hidden files, links
  // that lead out, and request paths with escaped dots, slashes, backslashes and zeros.
  bool file(const FileRoot& root, std::string_view path);
  // Answers 101 and takes the connection over, for the protocol of that name (in lower case, a
  // literal say); views of the body are over then. A client that has not asked for it is answered
  // 426, and the handler ends here.
  UpgradedStream upgrade(std::string_view protocol);

 private:
  http::Exchange& exchange_;
};

}  // namespace weft
