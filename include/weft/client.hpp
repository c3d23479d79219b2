// Client: an HTTP/1.1 client whose calls park the green thread instead of blocking its OS thread.
//
//     weft::Client client;
//     auto answer = client.get("http://127.0.0.1:8080/users/7");
//     if (answer) use(answer->status(), answer->header("content-type"), answer->body());
//
// On a thread that is no worker the same calls block the OS thread. Either way the caller's
// cancellation and deadlines end them (see cancel.hpp): with an error, never with an exception.
// URLs are of the scheme http; connections are kept and used again.
//
// A Client may be used by any number of green threads and OS threads at once, and destroyed when no
// call on it is under way; exchanges may outlive it. Where a kept connection may be used again is
// its own affair: on the worker it was made on where there is no io_uring, else on all workers;
// those of OS threads that are no workers are used by these. A ClientExchange belongs to the worker
// that made it; one green thread may write while another reads. Answers and errors are values.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace weft {

namespace http {
struct AnswerHead;
class ClientCore;
class ClientCall;
}  // namespace http

// What kind of thing went wrong, for programs to branch on.
enum class ClientErrorCode : std::uint8_t {
  refused_url,         // not an http:// URL that can be asked for
  refused_request,     // a method, header or body that would not be one request
  not_found,           // no such host name
  connect_failed,      // nobody listens there, or there is no way
  connection_lost,     // the connection ended before the answer did
  timed_out,           // a limit of the client's, or a deadline of the caller's
  cancelled,           // the caller was
  protocol_error,      // the answer is not HTTP/1.1 as it should be
  too_large,           // the answer is beyond a limit
  too_many_redirects,  // more than may be followed
};

// "timed_out", "protocol_error" …
std::string_view name(ClientErrorCode code) noexcept;

// Why there is no answer.
struct ClientError {
  ClientErrorCode code = ClientErrorCode::connect_failed;  // to branch on
  std::string text = {};  // what happened, and to what, for a person
  int os_errno = 0;       // where the system gave one

  // "timed_out: no byte of the answer came from 127.0.0.1:80 within 15000 ms"
  std::string message() const;
};

// A value or a ClientError; used like a Result.
template <class T>
class [[nodiscard]] ClientResult {
 public:
  // Each makes one of its kind.
  ClientResult(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  ClientResult(ClientError error) : state_(std::in_place_index<1>, std::move(error)) {}

  // Each tells whether there is a value.
  bool ok() const noexcept { return state_.index() == 0; }
  explicit operator bool() const noexcept { return ok(); }

  // Throws std::logic_error with the failure spelled out when there is none.
  T& value() & {
    require_value();
    return *std::get_if<0>(&state_);
  }
  const T& value() const& {
    require_value();
    return *std::get_if<0>(&state_);
  }
  T&& value() && {
    require_value();
    return std::move(*std::get_if<0>(&state_));
  }
  // Each is value(), written as with a pointer.
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  // Of a failed one.
  const ClientError& error() const {
    if (ok()) throw std::logic_error("error of a ClientResult that has a value");
    return *std::get_if<1>(&state_);
  }

 private:
  void require_value() const {
    if (!ok()) throw std::logic_error("value of a failed ClientResult: " + error().message());
  }

  std::variant<T, ClientError> state_;
};

// Of a call that gives nothing but may fail.
struct ClientDone {};

// A field of a request.
struct ClientField {
  std::string name = {};   // as it is sent
  std::string value = {};  // without blanks around it
};

// A field of an answer, valid as long as a copy of the answer's head is.
struct ClientFieldView {
  std::string_view name = {};   // as it was sent
  std::string_view value = {};  // without blanks around it
};

// Bounds on what a server may send; it is a stranger.
struct ClientLimits {
  // A URL that is asked for or redirected to: as long as a target that weft's server takes.
  std::size_t url_bytes = 8 * 1024;
  // Status line and all fields. Answers carry more than requests: policies, several cookies.
  std::size_t head_bytes = 64 * 1024;
  // Field lines of a head.
  std::size_t header_count = 256;
  // One field line. Content-Security-Policy is the longest in use.
  std::size_t header_field_bytes = 16 * 1024;
  // A body that is kept whole, decoded. What is read piece by piece has no bound here.
  std::uint64_t body_bytes = 16 * 1024 * 1024;
  // Answers before the answer (1xx). A server sends one or two.
  unsigned interim_answers = 8;
  // The fields behind a chunked body, in bytes.
  std::size_t trailer_bytes = 8 * 1024;
  // Their lines.
  std::size_t trailer_count = 64;
  // Chunk extensions of one body. Nobody uses them.
  std::size_t chunk_extension_bytes = 4 * 1024;
};

// What is asked for again, and when. Only requests that may be: connections that could not be made,
// for every method; else those whose method is idempotent (see ClientRequest::idempotent).
struct ClientRetries {
  // Beyond the first try. 0: a failure is told at once.
  unsigned most = 0;
  // Before the second try; doubled before each one after that, up to the longest. Between half of
  // it and all of it is waited, so that many clients do not come back at the same moment.
  std::chrono::milliseconds first_pause{100};
  // A Retry-After that asks for more than this is not waited for: its answer is the answer.
  std::chrono::milliseconds longest_pause{5'000};
  // Answers that are as good as none.
  std::vector<int> statuses{502, 503, 504};
};

// How a Client goes about its requests.
struct ClientOptions {
  // In front of URLs that begin with a slash: "http://127.0.0.1:8080/api".
  std::string base_url = {};
  // All connections go to this Unix socket ("@name": the abstract namespace); what URLs name is
  // said to the server only. URLs that begin with a slash are of localhost then.
  std::string unix_socket = {};
  // Empty: none is sent, unless the request brings one.
  std::string user_agent = "weft";
  // Sent with every request that does not bring a field of that name itself.
  std::vector<ClientField> headers = {};

  // Looking up the name is not interrupted; the time is checked when it has ended.
  std::chrono::milliseconds connect_timeout{5'000};
  // From the call to the end of the answer, with waiting, connecting, retries and redirects; of
  // stream(): to the end of the answer's head. Zero: no limit.
  std::chrono::milliseconds timeout{30'000};
  // The server sends nothing, or takes nothing, for so long. Zero: no limit.
  std::chrono::milliseconds idle_timeout{15'000};

  // Connections at the same time, kept ones included; who needs one more waits. A quarter of the
  // descriptors that a process has by default.
  std::size_t connections = 256;
  // To one origin (host and port, or Unix socket). What a server of one machine can make use of.
  std::size_t connections_per_origin = 64;
  // For how long one waits for one of these.
  std::chrono::milliseconds connection_wait{10'000};
  // Kept for so long without use. Below the shortest idle timeouts of servers in use (5 s; weft's
  // is 75 s) would be safest; a kept connection is looked at before it is used, which finds those
  // that have ended.
  std::chrono::milliseconds keep_for{30'000};
  // False: a connection per request, which the server is told.
  bool keep_alive = true;

  ClientRetries retries = {};  // none
  // Redirects that request() follows; 0: a redirect is the answer.
  unsigned redirects = 0;
  ClientLimits limits = {};  // on answers
};

// What is asked.
struct ClientRequest {
  std::string method = "GET";  // in capitals
  std::string url = {};        // "http://...", or "/..." behind ClientOptions::base_url
  // Sent in this order, as they are. Refused: Content-Length and Transfer-Encoding, which follow
  // from the body, and what would break out of a line. A Host replaces that of the URL.
  std::vector<ClientField> headers = {};
  // All of it; its length is announced.
  std::string body = {};

  // For stream(), in place of `body`: write() brings as much as this …
  std::optional<std::uint64_t> body_length = {};
  // … or an amount that shows in the end (sent chunked; trailers may follow).
  bool body_of_unknown_length = false;

  // Each is of this request alone, in place of the client's.
  std::string unix_socket = {};
  std::optional<std::chrono::milliseconds> timeout = {};
  // Whether it does no harm to send it twice. By default so are GET, HEAD, OPTIONS, TRACE, PUT and
  // DELETE. One that gets no byte of an answer on a kept connection is sent again on a new one,
  // once; a kept connection may end at the moment it is used.
  std::optional<bool> idempotent = {};
};

// Status and fields of an answer. Copies share it.
class ClientHead {
 public:
  // Three digits.
  int status() const noexcept;
  // What stands behind the status; often empty.
  std::string_view reason() const noexcept;
  // 0 or 1, of HTTP/1.0 and HTTP/1.1.
  int minor_version() const noexcept;
  // The first field of that name, in any case; `fallback` when there is none.
  std::string_view header(std::string_view name, std::string_view fallback = {}) const noexcept;
  // All fields as they were sent, in their order.
  std::vector<ClientFieldView> headers() const;
  // The body's length, where the server has said it.
  std::optional<std::uint64_t> content_length() const noexcept;

 private:
  friend class http::ClientCore;
  friend class http::ClientCall;
  explicit ClientHead(std::shared_ptr<const http::AnswerHead> head) noexcept;

  std::shared_ptr<const http::AnswerHead> head_;
};

// A whole answer.
class ClientAnswer : public ClientHead {
 public:
  // All of it, decoded from its chunks.
  const std::string& body() const& noexcept { return body_; }
  std::string&& body() && noexcept { return std::move(body_); }
  // A field behind a chunked body, the name in any case; those that belong into the head are never
  // found.
  std::string_view trailer(std::string_view name, std::string_view fallback = {}) const noexcept;
  // What was asked for in the end, when redirects were followed.
  const std::string& url() const noexcept { return url_; }

 private:
  friend class http::ClientCore;
  ClientAnswer(ClientHead head, std::string body, std::string trailers, std::string url)
      : ClientHead(std::move(head)),
        body_(std::move(body)),
        trailers_(std::move(trailers)),
        url_(std::move(url)) {}

  std::string body_;
  std::string trailers_;
  std::string url_;
};

// A request and its answer, both piece by piece. Destroying it before both have ended closes the
// connection.
class ClientExchange {
 public:
  ClientExchange(ClientExchange&&) noexcept;
  ClientExchange& operator=(ClientExchange&&) noexcept;
  ~ClientExchange();

  // ---- The request's body, where body_length or body_of_unknown_length announces one. The server
  // may answer before its end, and then stop taking it: after a failed write, ask for the answer.

  // Returns when the kernel has taken all.
  ClientResult<ClientDone> write(std::string_view bytes);
  // A field behind a body of unknown length, before finish().
  ClientResult<ClientDone> trailer(std::string_view name, std::string_view value);
  // Ends the body; refused_request when less was written than was announced.
  ClientResult<ClientDone> finish();

  // ---- The answer

  // Parks until the head is there; the same each time.
  ClientResult<ClientHead> answer();
  // The next bytes of the body, as many as are there: valid until the next read. Empty at the end.
  ClientResult<std::string_view> read();
  // Copies what is there, at least a byte, and returns how much; 0 at the end of the body.
  ClientResult<std::size_t> read(std::span<char> into);
  // At the end of the body, as ClientAnswer's.
  std::string_view trailer(std::string_view name) const noexcept;
  // The lines behind the body as they were sent, each with its CRLF.
  std::string_view trailers() const noexcept;

  // After 101, which a request with an Upgrade field may bring: read() and write() are of the other
  // protocol then, and this ends our side of it.
  void shutdown_write() noexcept;

 private:
  friend class Client;
  explicit ClientExchange(std::unique_ptr<http::ClientCall> call) noexcept;

  std::unique_ptr<http::ClientCall> call_;
};

// Connections at this moment, and what has become of them.
struct ClientStats {
  std::size_t connections_in_use = 0;    // with a request under way
  std::size_t connections_kept = 0;      // without
  std::uint64_t connections_made = 0;    // so far
  std::uint64_t connections_reused = 0;  // requests that took a kept one
};

class Client {
 public:
  // Throws std::invalid_argument when options make no sense: no connections, a header that would
  // break out of its line, a base URL that is none.
  explicit Client(ClientOptions options = {});
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // As request(), with GET.
  ClientResult<ClientAnswer> get(std::string url);
  // As request(), with POST.
  ClientResult<ClientAnswer> post(std::string url, std::string body, std::string content_type);
  // Sends all of the request and keeps all of the answer.
  ClientResult<ClientAnswer> request(const ClientRequest& request);
  // Sends the head, and the body where it is whole. Follows no redirect, and repeats nothing but
  // connecting and what a kept connection has lost.
  ClientResult<ClientExchange> stream(const ClientRequest& request);

  // Closes the connections that are kept.
  void close_idle() noexcept;
  // Any thread, as all calls.
  ClientStats stats() const;

 private:
  std::shared_ptr<http::ClientCore> core_;
};

}  // namespace weft
