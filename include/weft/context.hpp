// Context: one request and its answer, as a handler sees them.
//
// Valid until the handler has ended (see handler.hpp), also across sleep(), yield() and other calls
// that park or are awaited. Views that it hands out live as long. Belongs to the worker it was
// given on.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <typeinfo>
#include <utility>
#include <vector>

#include "weft/answer_view.hpp"
#include "weft/body_reader.hpp"
#include "weft/endpoint.hpp"
#include "weft/events.hpp"
#include "weft/json.hpp"
#include "weft/json_document.hpp"
#include "weft/multipart.hpp"
#include "weft/response_writer.hpp"
#include "weft/schema.hpp"
#include "weft/set_cookie.hpp"
#include "weft/upgraded_stream.hpp"
#include "weft/values.hpp"

namespace weft {

class FileRoot;
class Templates;
struct BindOptions;

namespace http {
class Exchange;
struct Forwarded;
}  // namespace http
namespace app {
struct ContextAccess;
}

class Context {
 public:
  // For the server.
  explicit Context(http::Exchange& exchange) noexcept : exchange_(exchange) {}
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  // ---- The request

  // "GET", "POST", …
  std::string_view method() const noexcept;
  // The path as it was sent, without the query; or what App::rewrite() made of it.
  std::string_view path() const noexcept;
  // The path as it was sent in any case.
  std::string_view sent_path() const noexcept;
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

  // ---- The request, with types; for the templates include weft/bind.hpp, which says more

  // A struct with a Schema, from a body of JSON or, where it is flat, of a form. What does not fit
  // ends the handler with 400, 415 or 422.
  template <class T>
  T bind();
  template <class T>
  T bind(const BindOptions& options);
  // The same from JSON only.
  template <class T>
  T bind_json();
  template <class T>
  T bind_json(const BindOptions& options);
  // A flat struct from the query string, as the next ones from where they are named for.
  template <class T>
  T bind_query();
  // From a form; another Content-Type ends the handler with 415.
  template <class T>
  T bind_form();
  // From request headers, whose names have no case.
  template <class T>
  T bind_header();
  // From the parameters of the path.
  template <class T>
  T bind_path();
  // A value of the query as a bool, number, text or enum with Names; `fallback` when there is none.
  // What is there and does not fit ends the handler with 400.
  template <class T>
  T query_as(std::string_view name, T fallback);
  // The same of the path.
  template <class T>
  T param_as(std::string_view name);
  // The body as JSON, whatever its Content-Type says. What is none ends the handler with 400.
  JsonDocument json_body(const JsonLimits& limits = {});
  // A field of a form, decoded; the first of that name, or `fallback`. The body is read and taken
  // apart at the first call of any of these; a body that is no form ends the handler with 415, a
  // malformed one with 400, one beyond the limits with 413.
  std::string_view form(std::string_view name, std::string_view fallback = {});
  // All fields of that name, in their order.
  std::vector<std::string_view> form_all(std::string_view name);
  // A file of a multipart form; null when there is none of that name.
  Upload* upload(std::string_view name);
  // All files of that name, or all at all.
  std::vector<Upload*> uploads(std::string_view name = {});
  // Other limits for the form; before the first of the calls above.
  void read_form(const FormLimits& limits);
  // The pattern of the route that answers, as it was added; empty while no route fits.
  std::string_view route() const noexcept;
  // The other end of the connection, which may be a proxy; nothing where it has no address.
  std::optional<Endpoint> peer() const;
  // Who asks, behind the proxies that Options::trusted_proxies names; the peer where that is none
  // of them or does not tell. Port 0 where a proxy does not tell that. Nothing where there is no
  // address. What it finds is kept for the request, and so are the next two.
  std::optional<Endpoint> client_address() const;
  // "http" or "https", as the client has it.
  std::string_view scheme() const;
  // The host that the client asked for, with its port if it said one; may be empty. Whoever sends a
  // request can write what he likes here.
  std::string_view host() const;

  // ---- What belongs to the request, and to the application

  // Keeps a value until the request has ended, under its type, and a name if there are several.
  template <class T>
  T& set(T value) {
    return values().set<T>({}, std::move(value));
  }
  template <class T>
  T& set(std::string_view name, T value) {
    return values().set<T>(name, std::move(value));
  }
  // What was kept so, or null.
  template <class T>
  T* get(std::string_view name = {}) {
    return values().get<T>(name);
  }
  // What App::state() was given, shared by all requests on all workers. Throws std::logic_error
  // when the application has nothing of that type.
  template <class T>
  T& state() const {
    auto* const found = static_cast<T*>(find_state(typeid(T)));
    require_state(found, typeid(T));
    return *found;
  }

  // ---- The answer

  // What has been answered so far, for middleware.
  AnswerView answer() noexcept;
  // Ends the handler here: throws an HttpError, which is answered with that status and text.
  [[noreturn]] static void abort(int status, std::string_view text = {});
  // 200 unless set. Throws std::invalid_argument outside 200 to 599.
  Context& status(int code);
  // Sets a header, in place of all of that name; where one of those lasts, so does this (see
  // AnswerView::lasting_header()), and a Vary that lasts stays beside the one that is set. Throws
  // std::invalid_argument when name or value hold what would break out of the line, and for those
  // that the server alone writes: Connection, Content-Length, Date, Server and Transfer-Encoding.
  Context& set_header(std::string_view name, std::string_view value);
  // Adds one beside those of that name: a Link, a Vary, a Server-Timing. Content-Type, of
  // which there is one, is replaced. Throws as set_header().
  Context& add_header(std::string_view name, std::string_view value);

  // Each sets the whole body, and its Content-Type unless set_header() has done that. Neither is
  // sent with a status that has no body: 204, 205 and 304.
  void text(std::string_view body);
  void html(std::string_view body);
  void json(std::initializer_list<JsonMember> object);
  // A struct with a Schema, a range, a map, an optional, or what else JsonValue takes. What is JSON
  // already is sent by bytes(text, "application/json").
  void json(const JsonValue& value);
  // As text() and html().
  void xml(std::string_view body);
  // A template filled in, with its Content-Type by the end of its name; see weft/templates.hpp.
  void render(const Templates& templates, std::string_view name,
              std::initializer_list<JsonMember> data);
  void render(const Templates& templates, std::string_view name, const JsonValue& data);
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
  // The same, to be saved under a name in place of shown: without directories, in any language.
  bool download(const std::string& path, std::string_view file_name);
  bool download(const FileRoot& root, std::string_view path, std::string_view file_name);
  // Sends the client elsewhere, with 301, 302, 303, 307 or 308. Throws std::invalid_argument for
  // another status, and for an address with blanks or control bytes in it.
  void redirect(std::string_view address, int status = 302);
  // 204.
  void no_content();
  // Adds a Set-Cookie. Throws std::invalid_argument for what a client would not take, or would take
  // for something else: see set_cookie.hpp.
  Context& set_cookie(std::string_view name, std::string_view value,
                      const CookieOptions& options = {});
  // Has the client drop a cookie; the path and domain must be those it was set with.
  Context& clear_cookie(std::string_view name, CookieOptions options = {});
  // In place of a body: events as they happen, for a browser's EventSource.
  Events events(const EventsOptions& options = {});
  // What the client has seen last, when it comes back for more events; empty when it is new.
  std::string_view last_event_id() const { return header("last-event-id"); }
  // Answers 101 and takes the connection over, for the protocol of that name (in lower case, a
  // literal say); views of the body are over then. A client that has not asked for it is answered
  // 426, and the handler ends here.
  UpgradedStream upgrade(std::string_view protocol);

  // For the server.
  http::Exchange& exchange() noexcept { return exchange_; }

 private:
  friend struct app::ContextAccess;

  void answer_rendered(std::string_view name, std::string_view text);
  [[noreturn]] static void refuse_value(std::string_view name, const std::string& wanted);
  Values& values();
  void* find_state(const std::type_info& type) const noexcept;
  const http::Forwarded& forwarded() const;
  static void require_state(const void* found, const std::type_info& type);

  http::Exchange& exchange_;
};

}  // namespace weft
