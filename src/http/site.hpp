// Site: what a server serves: routes, their endpoints, limits.
//
// Each worker copies the router and the endpoints when it is made, and keeps its copies; routes
// that come later reach it through its RouteFeed. The endpoints' objects are shared and must be
// safe to call from several workers at once.
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/endpoint.hpp"
#include "http/exchange.hpp"
#include "http/limits.hpp"
#include "http/log_text.hpp"
#include "http/router.hpp"
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
  // The application's own, for its endpoints.
  const void* application = nullptr;
  // Where complaints go, a line without its end at a time; called by all workers.
  std::function<void(const std::string& line)> log = log_to_stderr;
  // Called with the text of what a handler has thrown, beside the line in the log; by all workers.
  // Empty: not called.
  std::function<void(std::string_view what)> handler_failed;
  // What all connections say of their other end, in place of what the system says.
  std::optional<weft::Endpoint> peer;
};

// A number that one thread counts up and others read.
class Counter {
 public:
  void add(std::uint64_t amount) noexcept {
    value_.store(value_.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
  }
  void set(std::uint64_t value) noexcept { value_.store(value, std::memory_order_relaxed); }
  std::uint64_t value() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

// One worker's figures. A cache line of its own, so that reading costs the worker nothing.
struct alignas(64) WorkerCounters {
  Counter accepted;
  Counter closed;
  Counter refused;
  Counter requests;
  Counter handler_errors;
  Counter parked;      // green threads, as of the last turn
  Counter answers[6];  // by the first digit of the status
};

}  // namespace weft::http
