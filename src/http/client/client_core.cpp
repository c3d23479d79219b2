#include "http/client/client_core.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <ctime>
#include <stdexcept>

#include "gvt/blocking_io.hpp"
#include "http/client/client_call.hpp"
#include "http/date.hpp"
#include "http/head_parser.hpp"
#include "weft/cancel.hpp"
#include "weft/dns.hpp"
#include "weft/green.hpp"
#include "weft/scope.hpp"

namespace weft::http {

namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

Limits limits_of(const ClientLimits& from, std::uint64_t body_bytes) {
  Limits limits;
  limits.head_bytes = from.head_bytes;
  limits.header_count = from.header_count;
  limits.header_field_bytes = from.header_field_bytes;
  limits.body_bytes = body_bytes;
  limits.chunk_extension_bytes = from.chunk_extension_bytes;
  limits.trailer_bytes = from.trailer_bytes;
  limits.trailer_count = from.trailer_count;
  return limits;
}

// RFC 9110 §9.2.2, of the methods that HTTP itself defines.
bool is_idempotent(std::string_view method) {
  constexpr std::string_view kMethods[] = {"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"};
  return std::find(std::begin(kMethods), std::end(kMethods), method) != std::end(kMethods);
}

std::int64_t deadline_in(milliseconds time) {
  return time.count() <= 0 ? detail::kNever : detail::deadline_after(nanoseconds(time).count());
}

// RFC 9110 §10.2.3: seconds, or a date.
std::optional<nanoseconds> retry_after(std::string_view value) {
  std::uint32_t seconds = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), seconds);
  if (error == std::errc{} && end == value.data() + value.size()) {
    return std::chrono::seconds(seconds);
  }
  const auto date = parse_http_date(value);
  if (!date) return std::nullopt;
  return std::chrono::seconds(std::max<std::int64_t>(0, *date - std::time(nullptr)));
}

// Between half of it and all of it, as the time of day happens to say.
nanoseconds scattered(nanoseconds pause) {
  const auto now = static_cast<std::uint64_t>(detail::now_ns());
  const std::uint64_t mixed = (now * 0x9E3779B97F4A7C15U) >> 44;
  return pause / 2 + pause / 2 * static_cast<std::int64_t>(mixed) / (std::int64_t{1} << 20);
}

bool is_redirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

}  // namespace

ClientCore::ClientCore(ClientOptions options)
    : options_(std::move(options)),
      stream_limits_(limits_of(options_.limits, UINT64_MAX)),
      whole_limits_(limits_of(options_.limits, options_.limits.body_bytes)),
      pool_(options_) {
  if (options_.connections == 0 || options_.connections_per_origin == 0) {
    throw std::invalid_argument("a client needs at least one connection");
  }
  std::vector<ClientField> checked = options_.headers;
  checked.push_back({"User-Agent", options_.user_agent});
  for (const ClientField& field : checked) {
    if (std::string refusal = refusal_of(field); !refusal.empty()) {
      throw std::invalid_argument("headers of a client: " + refusal);
    }
    if (equals_ignoring_case(field.name, "host") ||
        equals_ignoring_case(field.name, "connection")) {
      throw std::invalid_argument("headers of a client: " + field.name + " is of one request");
    }
  }
  ClientUrl url;
  if (options_.base_url.empty()) return;
  std::string refusal = parse_url(options_.base_url, options_.limits.url_bytes, url);
  if (options_.base_url.find_first_of("?#") != std::string::npos) refusal = "it has a query";
  if (!refusal.empty()) {
    throw std::invalid_argument("base URL " + options_.base_url + ": " + refusal);
  }
}

std::string ClientCore::absolute(const std::string& url) const {
  if (!url.starts_with('/')) return url;
  if (!options_.base_url.empty()) {
    const bool slash = options_.base_url.ends_with('/');
    return options_.base_url.substr(0, options_.base_url.size() - (slash ? 1 : 0)) + url;
  }
  return options_.unix_socket.empty() ? url : "http://localhost" + url;
}

std::optional<ClientError> ClientCore::prepare(const ClientRequest& request,
                                               PreparedRequest& prepared) const {
  std::string url = absolute(request.url);
  if (url.starts_with('/') && !request.unix_socket.empty()) url.insert(0, "http://localhost");
  std::string refusal = parse_url(url, options_.limits.url_bytes, prepared.url);
  if (!refusal.empty()) {
    // As much of it as a line of a log can take, without what would break that.
    std::string shown = url.substr(0, 200);
    std::replace_if(shown.begin(), shown.end(), [](char c) { return c < 0x20 || c == 0x7F; }, '?');
    return ClientError{ClientErrorCode::refused_url, "URL " + shown + ": " + refusal, 0};
  }
  refusal = write_request(request, prepared.url, options_, prepared.text);
  if (!refusal.empty()) return ClientError{ClientErrorCode::refused_request, refusal, 0};
  prepared.unix_socket = request.unix_socket.empty() ? options_.unix_socket : request.unix_socket;
  prepared.peer = prepared.unix_socket.empty() ? prepared.url.authority : prepared.unix_socket;
  prepared.body = request.body;
  prepared.streams_body = request.body_length.has_value() || request.body_of_unknown_length;
  prepared.to_head = request.method == "HEAD";
  prepared.idempotent = request.idempotent.value_or(is_idempotent(request.method));
  return std::nullopt;
}

ClientError ClientCore::explain(const PreparedRequest& request, Error error, std::string slow) {
  if (cancelled()) {
    if (detail::now_ns() >= request.deadline_ns) {
      return {ClientErrorCode::timed_out,
              "the request to " + request.peer + " took longer than " +
                  std::to_string(request.timeout.count()) + " ms",
              0};
    }
    if (detail::own_cancellation().timed_out()) {
      return {ClientErrorCode::timed_out, "a deadline of the caller's has passed", 0};
    }
    return {ClientErrorCode::cancelled, "the caller was cancelled", 0};
  }
  if (error.code == ErrorCode::timed_out) return {ClientErrorCode::timed_out, std::move(slow), 0};
  if (error.code == ErrorCode::cancelled) {
    return {ClientErrorCode::connection_lost, "the connection has been closed here", 0};
  }
  return {ClientErrorCode::connection_lost,
          "the connection to " + request.peer + " broke: " + error.message(), error.os_errno};
}

ClientResult<std::unique_ptr<ClientConnection>> ClientCore::connect(
    const PreparedRequest& request) {
  const std::int64_t deadline_ns = deadline_in(options_.connect_timeout);
  const auto failed = [&](Error error) -> ClientError {
    const std::string slow = "connecting to " + request.peer + " took longer than " +
                             std::to_string(options_.connect_timeout.count()) + " ms";
    if (cancelled() || error.code == ErrorCode::timed_out) return explain(request, error, slow);
    return {ClientErrorCode::connect_failed,
            "no connection to " + request.peer + ": " + error.message(), error.os_errno};
  };
  if (!request.unix_socket.empty()) {
    const ConnectionHome here = ConnectionHome::here();
    Result<UnixStream> made = [&] {
      detail::DeadlineScope scope(deadline_ns);
      return UnixStream::connect(request.unix_socket);
    }();
    if (!made) return failed(made.error());
    return std::make_unique<ClientConnection>(std::move(*made), here);
  }
  std::vector<Endpoint> peers;
  if (auto address = Endpoint::parse(request.url.host, request.url.port)) {
    peers.push_back(*address);
  } else {
    auto found = resolve(request.url.host, request.url.port);
    if (!found && found.error().code == ErrorCode::not_found) {
      return ClientError{ClientErrorCode::not_found, "there is no host " + request.url.host, 0};
    }
    if (!found) return failed(found.error());
    peers = std::move(*found);
  }
  Error last;
  for (std::size_t i = 0; i < peers.size() && !cancelled(); ++i) {
    // Each gets its part of what is left, so that one that is silent does not cost all of it.
    const std::int64_t now_ns = detail::now_ns();
    const auto left = static_cast<std::int64_t>(peers.size() - i);
    const std::int64_t own_ns =
        deadline_ns == detail::kNever
            ? deadline_ns
            : now_ns + std::max<std::int64_t>(0, deadline_ns - now_ns) / left;
    const ConnectionHome here = ConnectionHome::here();
    Result<TcpStream> made = [&] {
      detail::DeadlineScope scope(own_ns);
      return TcpStream::connect(peers[i]);
    }();
    if (made) return std::make_unique<ClientConnection>(std::move(*made), here);
    last = made.error();
  }
  return failed(last);
}

ClientResult<ClientAnswer> ClientCore::ask_once(const std::shared_ptr<ClientCore>& core,
                                                const PreparedRequest& prepared, bool& sent) {
  ClientCall call(core, prepared, core->whole_limits_);
  const auto begun = call.begin();
  sent = call.sent();
  if (begun) return *begun;
  const auto read_all = [&]() -> ClientResult<ClientAnswer> {
    auto head = call.answer();
    if (!head) return head.error();
    std::string body;
    // What a server announces is no reason to take more memory than a usual answer needs.
    constexpr std::uint64_t kMostReserved = 1024 * 1024;
    body.reserve(std::min(head->content_length().value_or(0), kMostReserved));
    for (;;) {
      auto piece = call.read();
      if (!piece) return piece.error();
      if (piece->empty()) break;
      body += *piece;
    }
    return ClientAnswer(std::move(*head), std::move(body), call.trailers(), prepared.url.text());
  };
  if (!call.has_rest()) return read_all();
  if (gvt::current_io() == nullptr) {
    call.send_rest();
    return read_all();
  }
  // A server may answer before it has read a long body, and not read on until that is taken.
  std::optional<ClientResult<ClientAnswer>> got;
  scope([&](Scope& both) {
    both.spawn({.name = "request body"}, [&call] { call.send_rest(); });
    got = read_all();
    call.abandon();
  });
  return std::move(*got);
}

std::optional<nanoseconds> ClientCore::pause_before_retry(const PreparedRequest& prepared,
                                                          const ClientResult<ClientAnswer>& got,
                                                          bool sent, unsigned tries) const {
  const ClientRetries& retries = options_.retries;
  if (tries >= retries.most || cancelled()) return std::nullopt;
  nanoseconds pause = retries.first_pause;
  for (unsigned i = 0; i < tries && pause < retries.longest_pause; ++i) pause *= 2;
  pause = scattered(std::min<nanoseconds>(pause, retries.longest_pause));
  if (!got) {
    const ClientErrorCode code = got.error().code;
    const bool may_pass = code == ClientErrorCode::connect_failed ||
                          code == ClientErrorCode::connection_lost ||
                          code == ClientErrorCode::timed_out;
    if (!may_pass || (sent && !prepared.idempotent)) return std::nullopt;
    return pause;
  }
  const auto& statuses = retries.statuses;
  if (!prepared.idempotent ||
      std::find(statuses.begin(), statuses.end(), got->status()) == statuses.end()) {
    return std::nullopt;
  }
  if (const auto asked = retry_after(got->header("retry-after"))) {
    if (*asked > retries.longest_pause) return std::nullopt;
    pause = std::max(pause, *asked);
  }
  return pause;
}

ClientResult<ClientAnswer> ClientCore::ask(const std::shared_ptr<ClientCore>& core,
                                           const PreparedRequest& prepared) {
  for (unsigned tries = 0;; ++tries) {
    bool sent = false;
    ClientResult<ClientAnswer> got = ask_once(core, prepared, sent);
    const auto pause = core->pause_before_retry(prepared, got, sent, tries);
    if (!pause) return got;
    sleep(*pause);
  }
}

// RFC 9110 §15.4. What is secret stays with the origin it was meant for.
std::optional<ClientError> ClientCore::redirect(const ClientAnswer& answer,
                                                const PreparedRequest& from,
                                                ClientRequest& request) const {
  ClientUrl to;
  std::string refusal =
      resolve_url(from.url, answer.header("location"), options_.limits.url_bytes, to);
  const bool same_origin = to.same_origin(from.url);
  if (refusal.empty() && !from.unix_socket.empty() && !same_origin) {
    refusal = "it leads away from the Unix socket";
  }
  if (!refusal.empty()) {
    return ClientError{ClientErrorCode::refused_url, "a redirect of " + from.peer + ": " + refusal,
                       0};
  }
  const int status = answer.status();
  const bool to_get = (status == 303 && request.method != "HEAD") ||
                      ((status == 301 || status == 302) && request.method == "POST");
  std::erase_if(request.headers, [&](const ClientField& field) {
    const auto is = [&field](std::string_view name) {
      return equals_ignoring_case(field.name, name);
    };
    if (to_get && (is("content-type") || is("content-encoding") || is("content-language"))) {
      return true;
    }
    const bool secret = is("authorization") || is("cookie") || is("proxy-authorization");
    return !same_origin && (secret || is("host"));
  });
  if (to_get) {
    request.method = "GET";
    request.body.clear();
    request.idempotent.reset();
  }
  request.url = to.text();
  return std::nullopt;
}

ClientResult<ClientAnswer> ClientCore::request(const std::shared_ptr<ClientCore>& core,
                                               ClientRequest request) {
  if (request.body_length || request.body_of_unknown_length) {
    return ClientError{ClientErrorCode::refused_request,
                       "a body that is written piece by piece is for stream()", 0};
  }
  const milliseconds timeout = request.timeout.value_or(core->options_.timeout);
  const std::int64_t deadline_ns = deadline_in(timeout);
  detail::DeadlineScope scope(deadline_ns);
  for (unsigned followed = 0;; ++followed) {
    PreparedRequest prepared;
    prepared.keeps_answer = true;
    prepared.timeout = timeout;
    prepared.deadline_ns = deadline_ns;
    if (auto refused = core->prepare(request, prepared)) return *refused;
    try {
      ClientResult<ClientAnswer> got = ask(core, prepared);
      if (!got || core->options_.redirects == 0 || !is_redirect(got->status()) ||
          got->header("location").empty()) {
        return got;
      }
      if (followed == core->options_.redirects) {
        return ClientError{
            ClientErrorCode::too_many_redirects,
            "more than " + std::to_string(followed) + " redirects, the last of " + prepared.peer,
            0};
      }
      if (auto refused = core->redirect(*got, prepared, request)) return *refused;
    } catch (const Cancelled& cause) {
      return explain(prepared, cause.error(), {});
    }
  }
}

ClientResult<std::unique_ptr<ClientCall>> ClientCore::begin_stream(
    const std::shared_ptr<ClientCore>& core, const ClientRequest& request) {
  PreparedRequest prepared;
  prepared.timeout = request.timeout.value_or(core->options_.timeout);
  prepared.deadline_ns = deadline_in(prepared.timeout);
  if (auto refused = core->prepare(request, prepared)) return *refused;
  // The caller's may be gone when it has to be sent again.
  auto kept_body = std::make_unique<std::string>(request.body);
  prepared.body = *kept_body;
  detail::DeadlineScope scope(prepared.deadline_ns);
  try {
    auto call = std::make_unique<ClientCall>(core, prepared, core->stream_limits_);
    call->kept_body = std::move(kept_body);
    if (auto failed = call->begin()) return *failed;
    if (call->has_rest()) call->send_rest();
    return call;
  } catch (const Cancelled& cause) {
    return explain(prepared, cause.error(), {});
  }
}

}  // namespace weft::http
