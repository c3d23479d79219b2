// RoutePlaces: where the handlers of one server's routes run.
//
// Made before the server, and gone after it. Its workers ask; anybody may read the figures.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "app/route_entry.hpp"
#include "app/route_mode.hpp"
#include "exec/hog_judge.hpp"
#include "exec/workshop.hpp"
#include "gvt/scheduler.hpp"
#include "http/endpoint.hpp"
#include "http/exchange.hpp"
#include "weft/app.hpp"

namespace weft::app {

using Executors = std::map<std::string, ExecutorOptions>;

class RoutePlaces {
 public:
  // Null where all routes run in place. Throws std::runtime_error for settings that make no sense,
  // and when the threads that are wanted from the start cannot be had.
  static std::shared_ptr<RoutePlaces> of(const Options& options, const Executors& executors,
                                         std::size_t workers, std::size_t routes);

  struct Setup {
    RouteMode mode = RouteMode::marked;
    exec::WorkshopOptions workshop;
    exec::HogLimits hogs;
    std::size_t workers = 1;
    std::size_t routes = 0;
  };
  RoutePlaces(const Setup& setup, const Executors& executors);
  ~RoutePlaces();
  RoutePlaces(const RoutePlaces&) = delete;
  RoutePlaces& operator=(const RoutePlaces&) = delete;

  RouteMode mode() const noexcept { return setup_.mode; }
  // Throws std::invalid_argument when the route names an executor that there is not, or comes too
  // late to have a lane of its own.
  void require_place(const RouteEntry& entry);

  // For a route's endpoint, and for what is behind its middleware.
  http::HandedOver hand_over(RouteEntry& entry, http::Exchange& exchange, bool may_wait);
  void run_and_wait(RouteEntry& entry, Context& context);
  // For a chooser: a call of its own work, in the line of that route.
  exec::PoolCall& make_call(RouteEntry& entry, http::Exchange& exchange,
                            const exec::PoolWork& work);

  // ---- Any thread
  const exec::Workshop& workshop() const noexcept { return workshop_; }
  // Any thread: waits until no handler runs on the pool.
  void wait_until_none_runs() const noexcept { workshop_.wait_until_none_runs(); }
  struct LaneFigures {
    const RouteEntry* entry = nullptr;  // null: of all that share a lane since they are too many
    const exec::Lane* lane = nullptr;
    std::uint64_t moved_to_pool = 0;
    std::uint64_t moved_back = 0;
  };
  // Calls visit(figures) for each route that may have run on the pool.
  void for_each_lane(const std::function<void(const LaneFigures& figures)>& visit) const;

 private:
  // Routes beyond these, which were added while the server ran, share one lane.
  static constexpr std::size_t kLateRoutes = 4'096;

  // One worker's.
  struct alignas(64) Judged {
    exec::HogJudge judge;
  };
  struct RouteLane {
    const RouteEntry* entry = nullptr;
    std::unique_ptr<exec::Lane> lane;
    std::vector<Judged> judged;  // by worker, in adaptive mode
    // It has wanted what cannot be had on the pool.
    std::atomic<bool> stays{false};
    std::atomic<std::uint64_t> moved_to_pool{0};
    std::atomic<std::uint64_t> moved_back{0};
  };

  RouteLane& lane_of(RouteEntry& entry);
  // Null: not a worker of this server's.
  exec::HogJudge* judge_of(RouteLane& lane) noexcept;
  // Whether a handler that says nothing of itself has run here.
  bool run_here(RouteEntry& entry, http::Exchange& exchange);
  void judge_here(RouteEntry& entry, http::Exchange& exchange, exec::HogJudge& judge);
  static void has_run(void* self, http::Exchange& exchange,
                      const exec::PoolReport& report) noexcept;
  void judge_there(RouteEntry& entry, http::Exchange& exchange, const exec::PoolReport& report);
  void pin(RouteLane& lane, http::Exchange& exchange, const char* why);
  exec::PoolWork work_of(RouteEntry& entry) const noexcept;

  const Setup setup_;
  exec::Workshop workshop_;
  std::vector<std::atomic<const gvt::Scheduler*>> workers_;  // as they come
  std::mutex mutex_;                                         // of who makes lanes
  std::vector<std::atomic<RouteLane*>> lanes_;  // by the route's number, the shared one last
};

// Whether the handler may have to run on the pool.
bool may_leave_loop(const RouteEntry& entry, RouteMode mode) noexcept;
// Throws std::invalid_argument when a handler of another kind than a call is to run there.
void require_plain_call(RouteEntry& entry);
// The endpoint of such a route, if it has no middleware; and what is behind its middleware.
http::HandedOver hand_over(void* self, http::Exchange& exchange, bool may_wait);
void run_behind_links(RouteEntry& entry, Context& context);
// The endpoint of a route with a chooser; and where its handlers may run: null where the caller is
// to run them itself.
http::HandedOver choose_place(void* self, http::Exchange& exchange, bool may_wait);
RoutePlaces* places_beside(const http::Exchange& exchange) noexcept;

}  // namespace weft::app
