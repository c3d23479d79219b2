#include "app/route_places.hpp"

#include <algorithm>
#include <chrono>
#include <new>
#include <stdexcept>
#include <utility>

#include "app/place_chooser.hpp"
#include "http/site.hpp"
#include "ksvc/pool/pool_threads.hpp"
#include "weft/context.hpp"
#include "weft/detail/task_state.hpp"
#include "weft/detail/waiter.hpp"

namespace weft {

RoutePlace::RoutePlace(detail::Placement placement)
    : placement_(std::make_shared<const detail::Placement>(std::move(placement))) {}

RoutePlace worker(const WorkerOptions& options) {
  if (options.queue_time.count() < 0) {
    throw std::invalid_argument("the queue_time of a worker route is negative: give 0 or more");
  }
  return RoutePlace({true, options});
}

RoutePlace on_loop() { return RoutePlace({false, {}}); }

namespace app {

namespace {

RoutePlaces* places_of(const http::Exchange& exchange) noexcept {
  // What a site points to is its application's, and changes by itself.
  return static_cast<RoutePlaces*>(const_cast<void*>(exchange.site().places));
}

void call_here(void* self, http::Exchange& exchange) {
  Context context(exchange);
  (*static_cast<RouteEntry*>(self)->handler.get_if<Handler::Call>())(context);
}

std::string name_of(const RouteEntry& entry) {
  return (entry.method.empty() ? "ANY" : entry.method) + " " + entry.pattern;
}

void say(const http::Exchange& exchange, const std::string& line) {
  const http::Site& site = exchange.site();
  if (site.log_level >= http::LogLevel::info) site.log(line);
}

RouteMode mode_of(const Options& options) {
  if (options.mode != "spawn" && options.mode != "worker" && options.mode != "adaptive") {
    throw std::runtime_error("unknown mode \"" + options.mode +
                             "\": use spawn, worker or adaptive");
  }
  if (options.worker_pool == "off") return RouteMode::in_place;
  if (options.worker_pool != "auto" && options.worker_pool != "on") {
    throw std::runtime_error("unknown worker_pool \"" + options.worker_pool +
                             "\": use auto, on or off");
  }
  if (options.mode == "spawn") return RouteMode::marked;
  return options.mode == "worker" ? RouteMode::all : RouteMode::adaptive;
}

}  // namespace

bool may_leave_loop(const RouteEntry& entry, RouteMode mode) noexcept {
  if (mode == RouteMode::in_place) return false;
  if (entry.placement != nullptr) return entry.placement->on_pool;
  return mode != RouteMode::marked && entry.handler.is<Handler::Call>();
}

void require_plain_call(RouteEntry& entry) {
  if (entry.placement == nullptr || !entry.placement->on_pool) return;
  if (entry.handler.is<Handler::Call>()) return;
  throw std::invalid_argument("worker route " + entry.pattern +
                              ": its handler must be a plain call, void(Context&); a coroutine or "
                              "one with a Respond stays on the loop");
}

std::shared_ptr<RoutePlaces> RoutePlaces::of(const Options& options, const Executors& executors,
                                             std::size_t workers, std::size_t routes) {
  Setup setup;
  setup.mode = mode_of(options);
  if (setup.mode == RouteMode::in_place) return nullptr;
  if (options.worker_pool_size > ksvc::PoolThreads::kMostThreads) {
    throw std::runtime_error("a worker_pool_size of " + std::to_string(options.worker_pool_size) +
                             " is too much: use 64 or less");
  }
  setup.workshop = {.threads = options.worker_pool_size,
                    .threads_from_start = options.worker_pool == "on"};
  setup.workers = workers;
  setup.routes = routes;
  return std::make_shared<RoutePlaces>(setup, executors);
}

RoutePlaces::RoutePlaces(const Setup& setup, const Executors& executors)
    : setup_(setup),
      workshop_(setup.workshop),
      workers_(setup.workers),
      lanes_(setup.routes + kLateRoutes + 1) {
  for (const auto& [name, wanted] : executors) workshop_.add_executor(name, wanted.concurrency);
}

RoutePlaces::~RoutePlaces() {
  for (auto& lane : lanes_) delete lane.load();
}

void RoutePlaces::require_place(const RouteEntry& entry) {
  if (entry.placement == nullptr || !entry.placement->on_pool) return;
  // The last lane is that of all routes which come too late to say where they run.
  if (entry.number >= lanes_.size() - 1) {
    throw std::invalid_argument("worker route " + entry.pattern +
                                ": too many routes were added since the server started; add it "
                                "before, or let it run on the loop");
  }
  const std::string& name = entry.placement->options.executor;
  if (workshop_.find_executor(name) != nullptr) return;
  throw std::invalid_argument("worker route " + entry.pattern + ": there is no executor \"" + name +
                              "\"; make it with App::executor()");
}

RoutePlaces::RouteLane& RoutePlaces::lane_of(RouteEntry& entry) {
  const std::size_t number = std::min(entry.number, lanes_.size() - 1);
  if (RouteLane* const there = lanes_[number].load(std::memory_order_acquire)) return *there;
  exec::LaneOptions options;
  const bool shared = number == lanes_.size() - 1;
  const PlaceChooser* const chooser = chooser_of(entry.handler);
  const WorkerOptions* const wanted = chooser != nullptr           ? &chooser->options()
                                      : entry.placement != nullptr ? &entry.placement->options
                                                                   : nullptr;
  if (wanted != nullptr && !shared) {
    options.executor = wanted->executor;
    options.places = wanted->concurrency;
    options.queue_time = wanted->queue_time;
  }
  auto made = std::make_unique<RouteLane>();
  made->entry = shared ? nullptr : &entry;
  made->lane = workshop_.make_lane(options);
  if (setup_.mode == RouteMode::adaptive) {
    made->judged.resize(setup_.workers, Judged{exec::HogJudge(setup_.hogs)});
  }
  const std::lock_guard lock(mutex_);
  if (RouteLane* const there = lanes_[number].load(std::memory_order_acquire)) return *there;
  lanes_[number].store(made.get(), std::memory_order_release);
  return *made.release();
}

exec::HogJudge* RoutePlaces::judge_of(RouteLane& lane) noexcept {
  const gvt::Scheduler* const here = gvt::current_scheduler();
  for (std::size_t i = 0; i < lane.judged.size(); ++i) {
    const gvt::Scheduler* at = workers_[i].load(std::memory_order_relaxed);
    if (at == nullptr && workers_[i].compare_exchange_strong(at, here)) at = here;
    if (at == here) return &lane.judged[i].judge;
  }
  return nullptr;
}

exec::PoolWork RoutePlaces::work_of(RouteEntry& entry) const noexcept {
  exec::PoolWork work{&call_here, &entry, entry.pattern.c_str()};
  if (entry.placement == nullptr) work.has_run = &RoutePlaces::has_run;
  return work;
}

http::HandedOver RoutePlaces::hand_over(RouteEntry& entry, http::Exchange& exchange,
                                        bool may_wait) {
  if (entry.placement == nullptr && run_here(entry, exchange)) return {};
  if (!may_wait) return {.waits_elsewhere = true};
  exchange.show_as<Context>();
  return {.end = &exec::PoolCall::make(workshop_, *lane_of(entry).lane, exchange, work_of(entry))};
}

void RoutePlaces::run_and_wait(RouteEntry& entry, Context& context) {
  http::Exchange& exchange = context.exchange();
  if (entry.placement == nullptr && run_here(entry, exchange)) return;
  wait_and_fill(exec::PoolCall::make(workshop_, *lane_of(entry).lane, exchange, work_of(entry)),
                context);
}

exec::PoolCall& RoutePlaces::make_call(RouteEntry& entry, http::Exchange& exchange,
                                       const exec::PoolWork& work) {
  return exec::PoolCall::make(workshop_, *lane_of(entry).lane, exchange, work);
}

bool RoutePlaces::run_here(RouteEntry& entry, http::Exchange& exchange) {
  RouteLane& lane = lane_of(entry);
  const bool stays = lane.stays.load(std::memory_order_relaxed);
  if (setup_.mode == RouteMode::all && !stays) return false;
  exec::HogJudge* const judge = stays ? nullptr : judge_of(lane);
  if (judge != nullptr && judge->on_pool()) return false;
  if (judge == nullptr) {
    call_here(&entry, exchange);
  } else {
    judge_here(entry, exchange, *judge);
  }
  return true;
}

// What throws is not counted: it is answered, and rare.
void RoutePlaces::judge_here(RouteEntry& entry, http::Exchange& exchange, exec::HogJudge& judge) {
  const auto now = [] { return ksvc::TimePoint{detail::now_ns()}; };
  // One that has parked has a number.
  const bool has_parked = detail::current_task().id != 0;
  const bool suspects = judge.suspects();
  const ksvc::TimePoint began = now();
  const auto cpu_before = suspects ? exec::thread_time() : std::chrono::nanoseconds(0);
  call_here(&entry, exchange);
  if (exchange.bodies().answer_is_streamed()) {
    return pin(lane_of(entry), exchange, nullptr);
  }
  if (has_parked || detail::current_task().id != 0) return;
  const ksvc::TimePoint ended = now();
  std::chrono::nanoseconds took = ended - began;
  if (took > judge.slow()) {
    if (!suspects) return judge.suspect();
    took = exec::thread_time() - cpu_before;
  }
  if (!judge.ran_here(took, ended)) return;
  RouteLane& lane = lane_of(entry);
  lane.moved_to_pool.fetch_add(1, std::memory_order_relaxed);
  say(exchange, "route " + name_of(entry) +
                    " goes to the pool: " + std::to_string(judge.slow_calls()) + " of its last " +
                    std::to_string(judge.calls()) + " calls held a worker up for more than " +
                    std::to_string(judge.slow().count() / 1'000) + " us");
  judge.begin_anew();
}

void RoutePlaces::has_run(void* self, http::Exchange& exchange,
                          const exec::PoolReport& report) noexcept {
  try {
    places_of(exchange)->judge_there(*static_cast<RouteEntry*>(self), exchange, report);
  } catch (const std::bad_alloc&) {
    // There was no memory to say it with.
  }
}

void RoutePlaces::judge_there(RouteEntry& entry, http::Exchange& exchange,
                              const exec::PoolReport& report) {
  RouteLane& lane = lane_of(entry);
  if (report.refused) {
    return pin(lane, exchange, "it wants what cannot be had on the pool; give it weft::on_loop()");
  }
  exec::HogJudge* const judge = judge_of(lane);
  if (judge == nullptr) return;
  if (!judge->ran_there(report.processor_time, ksvc::TimePoint{detail::now_ns()})) return;
  lane.moved_back.fetch_add(1, std::memory_order_relaxed);
  say(exchange, "route " + name_of(entry) +
                    " comes back from the pool: " + std::to_string(judge->slow_calls()) +
                    " of its last " + std::to_string(judge->calls()) + " calls took more than " +
                    std::to_string(judge->slow().count() / 2'000) + " us");
  judge->begin_anew();
}

// From now on it runs on the workers.
void RoutePlaces::pin(RouteLane& lane, http::Exchange& exchange, const char* why) {
  if (lane.stays.exchange(true, std::memory_order_relaxed) || why == nullptr) return;
  const std::string name = lane.entry != nullptr ? name_of(*lane.entry) : "of many";
  lane.moved_back.fetch_add(1, std::memory_order_relaxed);
  say(exchange, "route " + name + " runs on the loop from now on: " + why);
}

void RoutePlaces::for_each_lane(
    const std::function<void(const LaneFigures& figures)>& visit) const {
  for (const auto& slot : lanes_) {
    const RouteLane* const one = slot.load(std::memory_order_acquire);
    if (one == nullptr) continue;
    visit({one->entry, one->lane.get(), one->moved_to_pool.load(std::memory_order_relaxed),
           one->moved_back.load(std::memory_order_relaxed)});
  }
}

// What is on a pool thread already runs there: to wait for another one might be to wait for ever.
RoutePlaces* places_beside(const http::Exchange& exchange) noexcept {
  RoutePlaces* const places = places_of(exchange);
  return places != nullptr && !places->workshop().on_pool_thread() ? places : nullptr;
}

http::HandedOver hand_over(void* self, http::Exchange& exchange, bool may_wait) {
  auto& entry = *static_cast<RouteEntry*>(self);
  if (RoutePlaces* const places = places_beside(exchange)) {
    return places->hand_over(entry, exchange, may_wait);
  }
  call_here(self, exchange);
  return {};
}

http::HandedOver choose_place(void* self, http::Exchange& exchange, bool may_wait) {
  auto& entry = *static_cast<RouteEntry*>(self);
  return chooser_of(entry.handler)->hand_over(entry, places_beside(exchange), exchange, may_wait);
}

void run_behind_links(RouteEntry& entry, Context& context) {
  require_body_that_fits(context);
  RoutePlaces* const places = places_beside(context.exchange());
  if (places != nullptr && may_leave_loop(entry, places->mode())) {
    return places->run_and_wait(entry, context);
  }
  call_and_wait(entry.handler, context);
}

}  // namespace app

}  // namespace weft
