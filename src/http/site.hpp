// Site: what a server serves: routes, their endpoints, limits.
//
// Each worker copies the router and the endpoints when it is made, and keeps its copies; routes
// that come later reach it through its RouteFeed. The endpoints' objects are shared and must be
// safe to call from several workers at once.
#pragma once

#include <cstdint>
#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gvt/counter.hpp"
#include "http/endpoint.hpp"
#include "http/error_answer.hpp"
#include "http/exchange.hpp"
#include "http/forwarded.hpp"
#include "http/limits.hpp"
#include "http/log_text.hpp"
#include "http/router.hpp"
#include "http/trusted_proxies.hpp"
#include "weft/endpoint.hpp"

namespace weft::http {

struct Site {
  Router router;
  std::vector<Endpoint> endpoints;  // by RouteId
  Limits limits;
  bool server_field = true;
  // Called for requests that no route fits; without one they are answered as answer_unrouted()
  // does.
  std::optional<Endpoint> unrouted;
  // Called with what a handler has thrown, inside of the catch block, in place of the plain 500.
  // May throw itself. Empty: the plain one.
  std::function<void(Exchange& exchange, const std::exception& error)> on_error;
  // The shape of all errors that are not a handler's own.
  ErrorWording error_wording;
  // Called with each request before its route is looked for, and may give it another path. Must not
  // wait, nor throw anything but std::bad_alloc. Empty: no path is changed.
  std::function<void(Exchange& exchange)> rewrite;
  // The application's own, for its endpoints.
  const void* application = nullptr;
  // Where those run that do not run on the workers, for the application's endpoints.
  const void* places = nullptr;
  // And what watches this server, for those that show it.
  const void* observation = nullptr;
  // Where complaints go, a line without its end at a time; called by all workers.
  std::function<void(const std::string& line)> log = log_to_stderr;
  // Those that matter less are not made.
  LogLevel log_level = LogLevel::info;
  // Called with the text of what a handler has thrown, beside the line in the log; by all workers.
  // Empty: not called.
  std::function<void(std::string_view what)> handler_failed;
  // What all connections say of their other end, in place of what the system says.
  std::optional<weft::Endpoint> peer;
  // Who may say for whom it asks, and in which fields.
  TrustedProxies trusted_proxies;
  ProxyFields proxy_fields = ProxyFields::x_forwarded;
  bool serves_unix = false;  // so that who has no address comes over such a socket
};

using gvt::Counter;

// One worker's figures. A cache line of its own, so that reading costs the worker nothing.
struct alignas(64) WorkerCounters {
  Counter accepted;
  Counter closed;
  Counter refused;
  Counter requests;
  Counter handler_errors;
  Counter parked;      // green threads, as of the last turn
  Counter operations;  // accepts, receives and sends that the kernel has not ended
  Counter answers[6];  // by the first digit of the status
};

}  // namespace weft::http
