// RouteFeed: routes that join a running server, on their way to one of its workers.
//
// The contract: a bounded first-in first-out queue without locks. One thread at a time puts routes
// in (who registers), the worker takes them out between two turns of its loop, before it looks at
// anything that has arrived since. A full feed says so and changes nothing. A NewRoute is shared by
// all workers and never changes; whoever made it keeps it until every feed it was put into is
// empty. A route has been taken up when its feed's worker serves it, or never will: each take-up is
// one `untaken.done()`.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "http/endpoint.hpp"
#include "http/router.hpp"
#include "ksvc/queue/spsc_queue.hpp"
#include "weft/sync.hpp"

namespace weft::http {

struct NewRoute {
  std::optional<Method> method;  // nothing: any that the pattern has no other route for
  std::string pattern;
  Endpoint endpoint{static_cast<Endpoint::Call>(nullptr)};
  mutable WaitGroup untaken{};  // workers that do not serve it yet
};

// The same everywhere: the next id, and its endpoint. Refused or short of memory, nothing changes.
[[nodiscard]] inline std::optional<RouteError> add_route(const NewRoute& route, Router& router,
                                                         std::vector<Endpoint>& endpoints) {
  const auto id = static_cast<RouteId>(endpoints.size());
  endpoints.push_back(route.endpoint);
  struct Undo {
    std::vector<Endpoint>* endpoints;
    ~Undo() {
      if (endpoints != nullptr) endpoints->pop_back();
    }
  } undo{&endpoints};
  auto refused = route.method ? router.add(*route.method, route.pattern, id)
                              : router.add_any(route.pattern, id);
  if (!refused) undo.endpoints = nullptr;
  return refused;
}

class RouteFeed {
 public:
  static constexpr std::size_t kCapacity = 1024;

  // Who registers.
  bool has_room() const noexcept { return queue_.size() < kCapacity; }
  [[nodiscard]] bool put(const NewRoute& route) noexcept { return queue_.push(&route); }

  // The worker. `take(route)` returns whether it has been taken up; if not, it stays the first.
  template <class Take>
  void take_up(const Take& take) {
    for (;;) {
      if (next_ == nullptr) next_ = queue_.pop().value_or(nullptr);
      if (next_ == nullptr || !take(*next_)) return;
      next_->untaken.done();
      next_ = nullptr;
    }
  }
  // When the worker has ended and nobody puts anything in any more.
  void forget_all() noexcept {
    take_up([](const NewRoute&) { return true; });
  }

 private:
  ksvc::SpscQueue<const NewRoute*> queue_{kCapacity};
  const NewRoute* next_ = nullptr;  // that could not be taken up at once
};

}  // namespace weft::http
