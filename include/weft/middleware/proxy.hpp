// proxy(): a handler that passes requests on to other servers, and their answers back.
//
//     app.any("/api/*rest", weft::proxy({.upstreams = {"http://127.0.0.1:9000"}}));
//
// Bodies go through piece by piece in both directions, at the pace of whoever takes them; nothing
// is kept but one piece. Fields of one connection stay on it, upgrades become tunnels, a client
// that goes away ends the request at the upstream. A handler like others: for what no route fits,
// give it to App::not_found(). All workers share one; what it knows of its upstreams, too.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "weft/client.hpp"
#include "weft/handler.hpp"

namespace weft {

// Which upstream gets the next request.
enum class ProxyBalance : std::uint8_t {
  round_robin,      // each in its turn
  least_in_flight,  // the one with the fewest requests under way, each in its turn among equals
};

// What the upstream is told in Host.
enum class ProxyHost : std::uint8_t {
  client,    // what the client has said
  upstream,  // the upstream's own name
};

// Where a proxy passes requests on to, and what it changes in them.
struct ProxyOptions {
  // "http://10.0.0.1:9000", with a path in front of all others if need be: "http://10.0.0.1/app";
  // or "unix:/run/app.sock", "unix:@name". At most 64, since each request marks those it has tried.
  std::vector<std::string> upstreams = {};
  // Which of them is next.
  // Which of them is asked.
  ProxyBalance balance = ProxyBalance::round_robin;

  // Taken off the front of paths; one that is not below it is sent on as it is. "/api" makes
  // "/api/users" "/users", and "/api" "/".
  std::string strip_prefix = {};
  // What becomes of the path behind that, still percent-encoded; it must begin with a slash. The
  // query is kept.
  std::function<std::string(std::string_view path)> rewrite = {};
  // Location fields that lead to the upstream itself, or are paths, are led through the proxy:
  // strip_prefix in front again, the upstream's own path off. Not where there is a `rewrite`, whose
  // way back nobody knows.
  bool rewrite_location = true;

  // What they are told in Host.
  // What Host says to the upstream.
  ProxyHost host = ProxyHost::client;
  // True: the Forwarded and X-Forwarded-… of a proxy that is one of Options::trusted_proxies are
  // continued as they came. Whoever else asks may have made them up: they are replaced by what
  // Context::client_address(), host() and scheme() say, and so are all where this is false.
  bool trust_forwarded = false;
  // Sets X-Forwarded-For, -Host, -Proto, and -Prefix where one is stripped.
  bool x_forwarded = true;
  // Sets Forwarded (RFC 7239).
  bool forwarded = true;
  // The name in Via (RFC 9110 §7.6.3); empty: none is added.
  std::string via = "weft";
  // Set in requests, in place of what the client sends under these names.
  std::vector<ClientField> headers = {};
  // Protocols (in lower case) that a client may change to. Others are not passed on: what follows
  // an upgrade goes by all that looks at requests.
  std::vector<std::string> upgrades = {"websocket"};

  // Other tries at the upstreams, in turn: after a connection that could not be made; and, for an
  // idempotent request without a body, after one that was lost before the answer.
  unsigned retries = 1;
  // An upstream that has failed so many times in a row (no connection, none of an answer, none in
  // time) gets no requests for `eject_for`, and then one to try. With all of them ejected, none is.
  // 0: never.
  unsigned failures_to_eject = 3;
  // Long enough for a process to be started again.
  // How long one that has failed is left alone.
  std::chrono::milliseconds eject_for{10'000};

  // To connect. A machine of the same network answers in far less, or not at all.
  std::chrono::milliseconds connect_timeout{3'000};
  // From the end of the request's body to the head of the answer: 504. Below the server's own
  // request_timeout of 30 s, whose answer would be a 503.
  std::chrono::milliseconds answer_timeout{25'000};
  // The upstream takes nothing of the request's body, or sends nothing more of its answer, for so
  // long.
  std::chrono::milliseconds idle_timeout{25'000};
  // Nothing comes out of a tunnel for so long: endpoints of WebSocket ask each other every minute
  // or so.
  std::chrono::milliseconds tunnel_idle_timeout{600'000};

  // Connections of all workers together; who needs one more waits. As ClientOptions'.
  std::size_t connections = 1'024;
  // Of these, to one upstream.
  // Those of them to one upstream.
  std::size_t connections_per_upstream = 256;
  // How long an idle one is kept; below the idle timeouts of servers in use.
  std::chrono::milliseconds keep_for{30'000};
  // What an upstream may send. Bodies have no bound here; those of requests have the server's
  // (Limits::body_bytes).
  ClientLimits limits = {};
};

// Throws std::invalid_argument, saying what to do, for options that make no sense.
Handler proxy(const ProxyOptions& options);

}  // namespace weft
