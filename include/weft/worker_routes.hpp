// Worker routes: routes whose handlers compute or block for long, and so run on a pool of threads,
// where they hold up nobody.
//
//     app.get("/fib/{n:uint}", weft::worker(), fib);
//     app.group("/reports").worker({.concurrency = 2}).get("/{id:int}", make_report);
//
// Such a handler is a plain call and is given its Context as any other: the request with its whole
// body, and text(), json(), bytes() and the like to answer with. What it answers is sent when it
// has returned. On a pool thread calls that park block, and end when the request's time is over.
// What needs the worker (streams, files, events, other protocols) throws std::logic_error there.
// Middleware runs on the worker, as always. While a request waits, and while its handler runs, it
// holds no stack of the worker's, unless the route has middleware.
// Plain data; see docs/worker-routes.md.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "weft/middleware.hpp"

namespace weft {

// How requests for a worker route wait for their turn.
struct WorkerOptions {
  // The executor that they belong to, by the name that App::executor() was given. Empty: one that
  // is there anyway and has as many places as the pool has threads.
  std::string executor = {};
  // Requests for this route that may run at once, beside what the executor and the pool allow.
  // 0: as many as those. For what others are to have room beside, or what takes much memory.
  unsigned concurrency = 0;
  // A request that has not begun after this time is answered 503 with Retry-After. Longer than a
  // burst takes to pass, shorter than people wait.
  std::chrono::milliseconds queue_time{2'000};
};

// What is common to all worker routes that name an executor.
struct ExecutorOptions {
  // Requests that may run at once. 0: as many as the pool has threads.
  unsigned concurrency = 0;
};

namespace detail {

struct Placement {
  bool on_pool = false;
  WorkerOptions options = {};
};

}  // namespace detail

// Where the handler of a route runs, to be put before it.
class RoutePlace {
 public:
  // For worker() and on_loop().
  explicit RoutePlace(detail::Placement placement);

  // For the routes that it stands in.
  void add_to(detail::RouteParts& parts) const { parts.placement = placement_; }

 private:
  std::shared_ptr<const detail::Placement> placement_;
};

// On the pool. Throws std::invalid_argument for a negative time.
RoutePlace worker(const WorkerOptions& options = {});
// On the worker that has the request, whatever the group or Options::mode say: for handlers that
// stream.
RoutePlace on_loop();

}  // namespace weft
