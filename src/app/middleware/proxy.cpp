#include "weft/middleware/proxy.hpp"

#include <algorithm>
#include <chrono>
#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "app/middleware/proxy_fields.hpp"
#include "app/middleware/proxy_upstreams.hpp"
#include "http/exchange.hpp"
#include "http/header_text.hpp"
#include "http/log_text.hpp"
#include "http/method.hpp"
#include "http/site.hpp"
#include "http/status.hpp"
#include "http/uri.hpp"
#include "weft/cancel.hpp"
#include "weft/context.hpp"
#include "weft/green.hpp"
#include "weft/http_error.hpp"
#include "weft/scope.hpp"

namespace weft {

namespace app {

namespace {

constexpr int kBadRequest = 400;
constexpr int kBadGateway = 502;
constexpr int kGatewayTimeout = 504;
constexpr int kSwitchingProtocols = 101;
constexpr int kHighestStatus = 599;

// A complaint about an upstream, at most one in this time.
constexpr std::chrono::nanoseconds kLogPause = std::chrono::seconds(1);

std::int64_t deadline_in(std::chrono::milliseconds time) {
  return time.count() <= 0 ? detail::kNever
                           : detail::deadline_after(std::chrono::nanoseconds(time).count());
}

// RFC 9110 §9.2.2.
bool is_idempotent(http::Method method) {
  switch (method) {
    case http::Method::get:
    case http::Method::head:
    case http::Method::options:
    case http::Method::put:
    case http::Method::delete_:
    case http::Method::trace: return true;
    default: return false;
  }
}

void check_options(const ProxyOptions& options) {
  const auto refuse = [](const std::string& why) {
    throw std::invalid_argument("proxy(): " + why);
  };
  const std::string& prefix = options.strip_prefix;
  if (!prefix.empty() && (!prefix.starts_with('/') || prefix.ends_with('/'))) {
    refuse("strip_prefix \"" + prefix + "\" must begin with a slash, and not end with one");
  }
  if (!options.via.empty() && !http::is_token(options.via)) {
    refuse("via \"" + options.via + "\" must be a token, such as the name of this server");
  }
  for (const ClientField& field : options.headers) {
    if (!http::is_token(field.name) || !http::is_field_value(field.value)) {
      refuse("header \"" + field.name + "\" would break out of its line");
    }
    for (const std::string_view own :
         {"host", "content-length", "transfer-encoding", "connection", "upgrade", "via"}) {
      if (http::equals_ignoring_case(field.name, own)) {
        refuse("header " + field.name + " is written by the proxy; leave it out");
      }
    }
  }
  for (const std::string& protocol : options.upgrades) {
    const bool is_lower =
        std::none_of(protocol.begin(), protocol.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
    if (!http::is_token(protocol) || !is_lower) {
      refuse("upgrade \"" + protocol + "\" must be a protocol's name in lower case");
    }
  }
}

ClientOptions client_options(const ProxyOptions& options) {
  ClientOptions made;
  made.user_agent.clear();
  made.connect_timeout = options.connect_timeout;
  // The proxy has deadlines of its own: what they are for changes with what is under way.
  made.timeout = std::chrono::milliseconds(0);
  made.idle_timeout = std::chrono::milliseconds(0);
  made.connections = options.connections;
  made.connections_per_origin = options.connections_per_upstream;
  if (options.answer_timeout.count() > 0) made.connection_wait = options.answer_timeout;
  made.keep_for = options.keep_for;
  made.limits = options.limits;
  return made;
}

// One request to one upstream after another, until there is the head of an answer.
class Proxy {
 public:
  explicit Proxy(const ProxyOptions& options)
      : options_(options), upstreams_(options), client_(client_options(options)) {
    check_options(options_);
  }

  void serve(Context& context);

 private:
  // A request under way at an upstream.
  struct Call {
    explicit Call(ProxyUpstream& asked) noexcept : upstream(asked) { ++upstream.in_flight; }
    ~Call() { --upstream.in_flight; }
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;

    ProxyUpstream& upstream;
    std::optional<ClientExchange> exchange;
  };

  ClientRequest request_for(Context& context, const ProxyUpstream& upstream,
                            const std::string& target, std::string_view upgrade) const;
  std::optional<ClientError> begin(Call& call, const ClientRequest& request, bool has_body);
  void note(Call& call, const ClientError& error, Context& context) const;
  [[noreturn]] static void give_up(const ClientError& error);
  void pass_on(Context& context, Call& call, std::string_view upgrade);
  void pass_on_with_body(Context& context, Call& call);
  void send_body(Context& context, ClientExchange& exchange) const;
  ClientHead head_of(Call& call, Context& context) const;
  void answer(Context& context, Call& call, const ClientHead& head) const;
  void pass_back_body(Context& context, Call& call, const ClientHead& head) const;
  void tunnel(Context& context, Call& call, const ClientHead& head, std::string_view upgrade) const;

  const ProxyOptions options_;
  ProxyUpstreams upstreams_;
  Client client_;
};

ClientRequest Proxy::request_for(Context& context, const ProxyUpstream& upstream,
                                 const std::string& target, std::string_view upgrade) const {
  const http::RequestHead& head = context.exchange().head().head();
  ClientRequest request;
  request.method = context.method();
  request.url = upstream.url + target;
  request.unix_socket = upstream.unix_socket;
  request.headers = proxied_fields(options_, context, upstream, upgrade);
  if (head.chunked || head.encoded_body) {
    // What was packed arrives unpacked, if at all.
    request.body_of_unknown_length = true;
  } else if (head.content_length > 0) {
    request.body_length = head.content_length;
  }
  return request;
}

void Proxy::serve(Context& context) {
  const http::HeadView head = context.exchange().head();
  auto path = proxied_path(options_, context.path());
  if (!path || !path->starts_with('/')) {
    throw HttpError(kBadRequest, "The path steps out of its place, or is escaped without need\n");
  }
  if (!head.query().empty()) path->append("?").append(head.query());
  const bool has_body = head.head().has_body();
  const std::string_view upgrade = has_body ? std::string_view{} : wanted_upgrade(options_, head);
  ProxyUpstreams::Tried tried = 0;
  for (unsigned retries = 0;; ++retries) {
    const std::int64_t now_ns = detail::now_ns();
    Call call(upstreams_.choose(tried, now_ns));
    const auto failed = begin(call, request_for(context, call.upstream, *path, upgrade), has_body);
    if (!failed) {
      return has_body ? pass_on_with_body(context, call) : pass_on(context, call, upgrade);
    }
    note(call, *failed, context);
    const bool not_sent = failed->code == ClientErrorCode::connect_failed ||
                          failed->code == ClientErrorCode::not_found;
    const bool lost = failed->code == ClientErrorCode::connection_lost && !has_body &&
                      is_idempotent(head.head().method);
    if (retries >= options_.retries || (!not_sent && !lost)) give_up(*failed);
  }
}

// Up to the head of the answer; where there is a body, to the connection.
std::optional<ClientError> Proxy::begin(Call& call, const ClientRequest& request, bool has_body) {
  detail::DeadlineScope deadline(deadline_in(options_.answer_timeout));
  auto exchange = client_.stream(request);
  if (!exchange) return exchange.error();
  call.exchange.emplace(std::move(*exchange));
  if (has_body) return std::nullopt;
  if (auto head = call.exchange->answer(); !head) return head.error();
  return std::nullopt;
}

// What an error says of the upstream; throws when it says more of the client.
void Proxy::note(Call& call, const ClientError& error, Context& context) const {
  // A deadline around the proxy says nothing of the upstream, which may wait for the client's body.
  if (error.code == ClientErrorCode::cancelled || error.code == ClientErrorCode::timed_out) {
    check_cancelled();
  }
  const bool ours =
      error.code == ClientErrorCode::refused_url || error.code == ClientErrorCode::refused_request;
  const std::int64_t now_ns = detail::now_ns();
  if (!ours) upstreams_.failed(call.upstream, now_ns);
  std::int64_t next_ns = call.upstream.next_log_ns;
  if (now_ns < next_ns ||
      !call.upstream.next_log_ns.compare_exchange_strong(next_ns, now_ns + kLogPause.count())) {
    return;
  }
  context.exchange().site().log("upstream " + call.upstream.name + ": " +
                                http::printable(error.message()));
}

void Proxy::give_up(const ClientError& error) {
  switch (error.code) {
    case ClientErrorCode::timed_out:
      throw HttpError(kGatewayTimeout, "The upstream server did not answer in time\n");
    case ClientErrorCode::refused_url:
    case ClientErrorCode::refused_request:
      throw HttpError(kBadRequest, "The request cannot be passed on\n");
    default: throw HttpError(kBadGateway, "The upstream server gave no valid answer\n");
  }
}

// Its head, when it is there or comes; throws when it does not.
ClientHead Proxy::head_of(Call& call, Context& context) const {
  auto head = call.exchange->answer();
  if (!head) {
    note(call, head.error(), context);
    give_up(head.error());
  }
  if (head->status() > kHighestStatus) {
    const ClientError error{ClientErrorCode::protocol_error,
                            "the status is " + std::to_string(head->status()), 0};
    note(call, error, context);
    give_up(error);
  }
  ProxyUpstreams::succeeded(call.upstream);
  return std::move(*head);
}

void Proxy::pass_on(Context& context, Call& call, std::string_view upgrade) {
  const ClientHead head = head_of(call, context);
  if (head.status() == kSwitchingProtocols) return tunnel(context, call, head, upgrade);
  answer(context, call, head);
}

// The body goes up on a green thread of its own, since an upstream may answer before its end, or
// answer by and by.
void Proxy::pass_on_with_body(Context& context, Call& call) {
  bool has_head = false;
  bool late = false;
  const auto pass = [&](Scope& both) {
    auto upload = both.spawn({.name = "proxied body"}, [&] {
      send_body(context, *call.exchange);
      if (has_head || options_.answer_timeout.count() <= 0) return;
      // The time for the answer begins with the end of the body.
      sleep(options_.answer_timeout);
      if (has_head) return;
      late = true;
      both.cancel();
    });
    const auto head = call.exchange->answer();
    if (late) return;
    has_head = true;
    if (head) {
      answer(context, call, head_of(call, context));
    } else {
      // What has gone wrong with the client is told by whoever reads its body.
      if (head.error().code == ClientErrorCode::cancelled) check_cancelled();
      head_of(call, context);
    }
    upload.cancel();
  };
  scope(pass);
  if (!late) return;
  const ClientError error{ClientErrorCode::timed_out, "no answer in time", 0};
  note(call, error, context);
  give_up(error);
}

void Proxy::send_body(Context& context, ClientExchange& exchange) const {
  BodyReader body = context.body_stream();
  // What an upstream does not take is no loss: its answer tells.
  for (auto part = body.read(); !part.empty(); part = body.read()) {
    detail::DeadlineScope deadline(deadline_in(options_.idle_timeout));
    if (!exchange.write(part)) return;
  }
  std::string_view lines = context.exchange().trailers();
  while (!lines.empty()) {
    const std::string_view line = lines.substr(0, lines.find("\r\n"));
    lines.remove_prefix(std::min(line.size() + 2, lines.size()));
    const std::size_t colon = std::min(line.find(':'), line.size());
    // One that has no place behind a body is left out.
    static_cast<void>(exchange.trailer(
        line.substr(0, colon), http::trim_blanks(line.substr(std::min(colon + 1, line.size())))));
  }
  detail::DeadlineScope deadline(deadline_in(options_.idle_timeout));
  static_cast<void>(exchange.finish());
}

void Proxy::answer(Context& context, Call& call, const ClientHead& head) const {
  if (head.status() == kSwitchingProtocols) {
    throw HttpError(kBadGateway, "The upstream server changed the protocol unasked\n");
  }
  pass_back_head(options_, context, call.upstream, head);
  if (http::allows_body(head.status())) pass_back_body(context, call, head);
}

void Proxy::pass_back_body(Context& context, Call& call, const ClientHead& head) const {
  const auto length = head.content_length();
  // The type is among the fields already, or there is none.
  http::BodySource& client = context.exchange().bodies();
  client.begin_answer_stream(length);
  if (context.exchange().head().head().method == http::Method::head) return;
  for (;;) {
    const auto part = [&] {
      detail::DeadlineScope deadline(deadline_in(options_.idle_timeout));
      return call.exchange->read();
    }();
    if (!part) {
      note(call, part.error(), context);
      if (!context.answer().head_is_sent()) give_up(part.error());
      // What has begun can only be cut off.
      throw std::runtime_error("upstream " + call.upstream.name +
                               " left its answer unfinished: " + part.error().message());
    }
    if (part->empty()) break;
    client.write_part(*part);
  }
  if (length) return;
  std::string_view lines = call.exchange->trailers();
  while (!lines.empty()) {
    const std::string_view line = lines.substr(0, lines.find("\r\n"));
    lines.remove_prefix(std::min(line.size() + 2, lines.size()));
    const std::size_t colon = std::min(line.find(':'), line.size());
    try {
      client.add_trailer(line.substr(0, colon),
                         http::trim_blanks(line.substr(std::min(colon + 1, line.size()))));
    } catch (const std::invalid_argument&) {  // it has no place behind a body
    } catch (const std::length_error&) {      // there are more than this server sends
      break;
    }
  }
}

void Proxy::tunnel(Context& context, Call& call, const ClientHead& head,
                   std::string_view upgrade) const {
  if (upgrade.empty() || !http::equals_ignoring_case(head.header("upgrade"), upgrade)) {
    throw HttpError(kBadGateway, "The upstream server changed to another protocol\n");
  }
  pass_back_head(options_, context, call.upstream, head);
  UpgradedStream client = context.upgrade(upgrade);
  ClientExchange& upstream = *call.exchange;
  scope([&](Scope& both) {
    both.spawn({.name = "proxied tunnel"}, [&] {
      for (;;) {
        const auto part = client.read();
        if (part && part->empty()) return upstream.shutdown_write();
        if (!part || !upstream.write(*part)) return both.cancel();
      }
    });
    for (;;) {
      const auto part = [&] {
        detail::DeadlineScope deadline(deadline_in(options_.tunnel_idle_timeout));
        return upstream.read();
      }();
      if (!part || part->empty() || !client.write(*part)) break;
      if (!client.flush()) break;
    }
    both.cancel();
  });
}

}  // namespace

}  // namespace app

Handler proxy(const ProxyOptions& options) {
  auto shared = std::make_shared<app::Proxy>(options);
  return Handler([shared](Context& context) { shared->serve(context); });
}

}  // namespace weft
