// limiter and max_in_flight: how often a client may ask, and how many requests may run at a time.
//
//     app.use(weft::limiter({.requests = 100, .window = std::chrono::minutes(1)}));
//     app.post("/report", weft::max_in_flight({.requests = 4}), make_report);
//
// A client has a bucket of `burst` requests, which fills again at the rate of `requests` in a
// window, one by one and not all at its end. One request more is answered 429, with a Retry-After
// that says when the next one will do. Who is limited is Context::client_address(), and an IPv6 /64
// is one client; behind a proxy that is none of Options::trusted_proxies all clients have one. All
// workers share the buckets, which stand in shards with a lock each. With several processes each
// counts for itself.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "weft/middleware.hpp"

namespace weft {

struct LimiterOptions {
  // Each is a half of the rate, so many requests in so long: what a person who clicks, or a page
  // with its parts, stays below.
  std::uint64_t requests = 300;
  std::chrono::nanoseconds window = std::chrono::minutes(1);
  // So many at once; 0: as many as `requests`.
  std::uint64_t burst = 0;
  // Who is limited; empty: the client's address. What has no key, as "" or a client without an
  // address, has one bucket together.
  std::function<std::string(Context&)> key = {};
  // Buckets. Each takes 40 bytes. One that is full again makes room for another client; one that is
  // not is never given up, so that nobody gets a fresh bucket by making others come. Clients for
  // whom there is no room meanwhile share a bucket.
  std::size_t keys = 65'536;
  // Answers say what is left: RateLimit-Limit, -Remaining, -Reset and -Policy
  // (draft-ietf-httpapi-ratelimit-headers-06, what clients read today).
  bool headers = true;
  // What it is true for is not counted.
  std::function<bool(Context&)> skip = {};
  // The time since some moment in the past, which never goes back; empty: the steady clock.
  std::function<std::chrono::nanoseconds()> clock = {};
};

// Throws std::invalid_argument for no requests, no keys, more requests than the window has
// nanoseconds, and times beyond 70 years.
[[nodiscard]] Middleware limiter(const LimiterOptions& options = {});

// What max_in_flight() is told.
struct InFlightOptions {
  // So many at a time; with a key, of each. One more is answered 503, or 429 with a key, at once:
  // what waits in line would take memory, too.
  std::size_t requests = 100;
  // Whose requests are counted together; empty: all.
  std::function<std::string(Context&)> key = {};
  // What Retry-After says.
  std::chrono::seconds retry_after{1};
  // What it is true for is not counted.
  std::function<bool(Context&)> skip = {};
};

// Throws std::invalid_argument for no requests at all, and for a negative retry_after.
[[nodiscard]] Middleware max_in_flight(const InFlightOptions& options = {});

}  // namespace weft
