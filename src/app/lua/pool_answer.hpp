// PoolAnswer: a request whose handler in Lua runs on a pool thread, in that thread's own state.
//
// Invariants: all of a request is answered by one generation of its script, also when another one
// is current meanwhile. What c:set() keeps goes there and comes back as values. Made and ended by
// the request's worker; see PoolCall for who has it in between.
#pragma once

#include <memory>

#include "app/lua/carried_values.hpp"
#include "app/lua/script.hpp"
#include "app/route_places.hpp"
#include "exec/pool_call.hpp"
#include "http/awaited_end.hpp"

namespace weft::app::lua {

class PoolAnswer final : public http::AwaitedEnd {
 public:
  PoolAnswer(const PoolAnswer&) = delete;
  PoolAnswer& operator=(const PoolAnswer&) = delete;

  // `route` is the App's, in whose line it waits. `behind`: the request as the middleware around
  // it has it; null where there is none. Throws as PoolCall::make().
  static PoolAnswer& make(Generation& generation, RouteEntry& entry, RouteEntry& route,
                          RoutePlaces& places, http::Exchange& exchange, Request* behind = nullptr);

  bool has_ended(http::ToldOfAnswer told, detail::CancelNode* node) noexcept override {
    return call_->has_ended(told, node);
  }
  bool give_up() noexcept override { return call_->give_up(); }
  void fill(Context& context) override;
  void request_ended() noexcept override;

 private:
  PoolAnswer(Generation& generation, RouteEntry& entry, Request* behind);
  ~PoolAnswer() = default;

  static void run(void* self, http::Exchange& exchange);

  std::shared_ptr<Generation> generation_;
  RouteEntry& entry_;
  Request* behind_;
  CarriedValues carried_;
  bool has_changes_ = false;  // then those are what it carries
  exec::PoolCall* call_ = nullptr;
};

// What a route's handler is behind its middleware, for one that goes to the pool.
void answer_on_pool(RouteEntry& entry, Context& context);
inline bool goes_to_pool(const RouteEntry& entry) noexcept { return entry.last == &answer_on_pool; }

}  // namespace weft::app::lua
