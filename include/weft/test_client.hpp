// TestClient: asks an App without a port, for tests.
//
//     weft::TestClient client(app);
//     const auto answer = client.get("/users/7");
//     EXPECT_EQ(answer.status(), 200);
//     EXPECT_EQ(answer.json()["name"].as_string(), "Ada");
//
// What it sees is what a client sees: each TestClient has a server of its own for the App, which
// runs on threads of this process behind a nameless Unix socket that ends with it; so parser,
// limits, router, middleware, handlers of all kinds and error answers are those of production. It
// serves the routes that the App has when the TestClient is made; middleware, state and the like
// count as started from then on. The App must outlive it, and may serve at the same time.
//
// Invariants: no call takes longer than the timeout, and none throws for what the server does: an
// answer that never came has the status 0. A TestClient is used by one thread at a time, a green
// one or one of the system's; any number of them may be used at once, on one App too.
#pragma once

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "weft/app.hpp"
#include "weft/client.hpp"
#include "weft/json.hpp"
#include "weft/json_document.hpp"

namespace weft {

// How a TestClient asks, and how its server is set up.
struct TestClientOptions {
  // Of the server; host, port, uds and fd are not looked at.
  Options server = {};
  // The address that Context::peer() gives; empty: none, as on a Unix socket.
  std::string peer = "127.0.0.1";
  // What Host says, unless a request brings its own.
  std::string host = "localhost";
  // Sent with every request that does not bring a field of that name itself.
  std::vector<ClientField> headers = {};
  // Redirects that are followed, as long as they stay on the server; 0: a redirect is the answer.
  unsigned redirects = 0;
  // Whether cookies that answers set are sent with later requests, as a browser does; those that
  // are `secure`, too.
  bool keep_cookies = true;
  // For the whole of an answer. A test that waits longer than this hangs.
  std::chrono::milliseconds timeout{10'000};
  // What is kept of an answer's body; one that is longer counts as failed.
  std::uint64_t body_bytes = std::uint64_t{64} * 1024 * 1024;
};

// Fields and files of a form, in their order.
class TestForm {
 public:
  // A field and its value, both as they are.
  TestForm& field(std::string name, std::string value);
  // A file; with one, the form is sent as multipart/form-data, else as
  // application/x-www-form-urlencoded.
  TestForm& file(std::string field, std::string file_name, std::string content,
                 std::string content_type = "application/octet-stream");

  // Each is the same every time: what stands in Content-Type, and the body.
  std::string content_type() const;
  std::string body() const;

 private:
  struct Part {
    std::string name;
    std::string value;
    std::string file_name;
    std::string content_type;  // empty: a field
  };

  bool has_files() const noexcept;
  std::string boundary() const;

  std::vector<Part> parts_;
};

// A request with more than its method and target.
class TestRequest {
 public:
  // Any method that is a token, but CONNECT; `target` begins with a slash.
  TestRequest(std::string method, std::string target);

  // One more field.
  TestRequest& header(std::string name, std::string value);
  // A body of known length, and its Content-Type.
  TestRequest& body(std::string bytes, std::string content_type = "application/octet-stream");
  // The same, of JSON: braces, a struct with a Schema, what else JsonValue takes.
  TestRequest& json(const JsonValue& value);
  TestRequest& json(std::initializer_list<JsonMember> object);
  // The same, of a form.
  TestRequest& form(const TestForm& form);
  // A body of unknown length: one chunk for each of these.
  TestRequest& chunks(std::vector<std::string> pieces,
                      std::string content_type = "application/octet-stream");
  // A field behind such a body.
  TestRequest& trailer(std::string name, std::string value);

 private:
  friend class TestClient;

  TestRequest& typed(std::string content_type);

  ClientRequest request_;
  std::vector<std::string> chunks_;
  std::vector<ClientField> trailers_;
};

// An answer, all of it, and what the server had to say beside it.
class TestResponse {
 public:
  // 0 when there is none; error() says why.
  int status() const noexcept { return status_; }
  // The first field of that name, in any case; `fallback` when there is none.
  std::string_view header(std::string_view name, std::string_view fallback = {}) const noexcept;
  // All of that name, in their order.
  std::vector<std::string_view> headers(std::string_view name) const;
  // All fields, as they were sent.
  const std::vector<ClientField>& headers() const noexcept { return fields_; }
  // What came of the body; of a streamed one, everything together.
  const std::string& body() const noexcept { return body_; }
  // The body as JSON. Throws std::runtime_error, with the place and the body's beginning, when it
  // is none. The node is good for as long as this answer, or a copy of it, is.
  JsonNode json() const;
  // A field behind the body, the name in any case; `fallback` when there is none.
  std::string_view trailer(std::string_view name, std::string_view fallback = {}) const noexcept;
  // What was asked for in the end, where redirects were followed.
  const std::string& target() const noexcept { return target_; }

  // Whether the answer came to its end. False when a handler failed in the middle of a stream.
  bool complete() const noexcept { return complete_; }
  // What a handler threw, its text; else why there is no whole answer; empty when all went well.
  const std::string& error() const noexcept { return error_; }
  // What the server has logged meanwhile.
  const std::vector<std::string>& log() const noexcept { return log_; }

 private:
  friend class TestClient;

  int status_ = 0;
  bool complete_ = false;
  std::vector<ClientField> fields_;
  std::string body_;
  std::vector<ClientField> trailers_;
  std::string target_;
  std::string error_;
  std::vector<std::string> log_;
  mutable std::shared_ptr<const JsonDocument> document_;
};

// Asks an App, as the head of this file says.
class TestClient {
 public:
  // Throws std::runtime_error when no server can be started, and std::invalid_argument when
  // options make no sense.
  explicit TestClient(App& app, const TestClientOptions& options = {});
  // Ends the server. Handlers that still wait are cancelled.
  ~TestClient();
  TestClient(const TestClient&) = delete;
  TestClient& operator=(const TestClient&) = delete;

  // Sends the request and waits for all of its answer.
  TestResponse request(const TestRequest& request);

  // The same for usual ones: GET.
  TestResponse get(std::string target);
  // HEAD.
  TestResponse head(std::string target);
  // OPTIONS.
  TestResponse options(std::string target);
  // DELETE.
  TestResponse del(std::string target);
  // POST with a body.
  TestResponse post(std::string target, std::string body = {},
                    std::string content_type = "application/octet-stream");
  // PUT.
  TestResponse put(std::string target, std::string body,
                   std::string content_type = "application/octet-stream");
  // PATCH.
  TestResponse patch(std::string target, std::string body,
                     std::string content_type = "application/octet-stream");
  // POST of JSON: client.post_json("/users", {{"name", "Ada"}}), or a struct with a Schema.
  TestResponse post_json(std::string target, std::initializer_list<JsonMember> object);
  TestResponse post_json(std::string target, const JsonValue& value);
  // PUT of JSON.
  TestResponse put_json(std::string target, std::initializer_list<JsonMember> object);
  TestResponse put_json(std::string target, const JsonValue& value);
  // PATCH of JSON.
  TestResponse patch_json(std::string target, std::initializer_list<JsonMember> object);
  TestResponse patch_json(std::string target, const JsonValue& value);
  // POST of a form.
  TestResponse post_form(std::string target, const TestForm& form);

  // Sends these bytes as they are on a connection of their own, ends that side, and gives all that
  // the server sends: for requests that no client would make.
  std::string send_raw(std::string_view bytes);

  // A cookie that is kept; empty when there is none.
  std::string_view cookie(std::string_view name) const noexcept;
  // Keeps one, for all paths.
  void set_cookie(std::string name, std::string value);
  // Forgets all of them.
  void clear_cookies() noexcept;

  // What the server has logged so far.
  std::vector<std::string> log() const;
  // The client behind this one, for answers that do not end and for other protocols: stream() with
  // a URL that begins with a slash. It knows nothing of cookies and redirects.
  Client& client() noexcept;

 private:
  struct Server;
  struct State;

  TestResponse ask_once(const TestRequest& request);

  std::unique_ptr<State> state_;
};

}  // namespace weft
