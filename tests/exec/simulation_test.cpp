// Worker routes on the simulated kernel: clients of every kind, faults, a drain amid all that, and
// a pool whose threads take as long as the seed says.

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "exec/workshop.hpp"
#include "gvt/blocking_io.hpp"
#include "http/sim/random.hpp"
#include "http/sim/sim_run.hpp"
#include "ksvc/core/assert.hpp"
#include "ksvc/pool/current_pool.hpp"
#include "weft/context.hpp"

namespace weft::exec {

namespace {

using http::test::Random;
using http::test::SimRun;
using http::test::SimRunOptions;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

// Threads in virtual time: a task ends when the world says so, on what is no worker's thread then.
class SimPool {
 public:
  SimPool(unsigned threads, std::uint64_t seed) : threads_(threads), random_(seed) {}

  void live_in(ksvc::SimWorld& world) { world_ = &world; }

  ksvc::PoolAnswer submit(ksvc::PoolTask& task) noexcept {
    // Who is behind the last gate has a thread.
    WEFT_ASSERT(busy_ < threads_);
    ++busy_;
    const auto takes = microseconds(random_.below(random_.chance(80) ? 2'000 : 400'000));
    world_->after(takes, [this, &task] {
      gvt::Scheduler* const worker = gvt::current_scheduler();
      gvt::set_current_scheduler(nullptr);
      const void* const outer = ksvc::set_current_pool(this);
      --busy_;
      task.run(task);
      ksvc::set_current_pool(outer);
      gvt::set_current_scheduler(worker);
    });
    return ksvc::PoolAnswer::accepted;
  }
  void stop() noexcept {}
  bool on_own_thread() const noexcept { return ksvc::current_pool() == this; }
  unsigned threads() const noexcept { return threads_; }
  unsigned busy() const noexcept { return busy_; }
  std::size_t queued() const noexcept { return 0; }
  static const char* name() noexcept { return "simulated"; }

 private:
  unsigned threads_;
  unsigned busy_ = 0;
  Random random_;
  ksvc::SimWorld* world_ = nullptr;
};

static_assert(ksvc::WorkerPool<SimPool>);

// What the simulated site has besides its own routes.
struct PoolRoutes {
  PoolRoutes(unsigned threads, std::uint64_t seed)
      : workshop(std::make_unique<PoolPortOf<SimPool>>(threads, seed), threads) {
    workshop.add_executor("one", 1);
    const auto lane = [this](const char* executor, std::size_t places) {
      return workshop.make_lane(
          {.executor = executor, .places = places, .queue_time = std::chrono::hours(1)});
    };
    free = lane("", 0);
    alone = lane("", 1);
    shared = lane("one", 0);
  }

  SimPool& pool() { return port().pool(); }
  PoolPortOf<SimPool>& port() {
    return const_cast<PoolPortOf<SimPool>&>(
        dynamic_cast<const PoolPortOf<SimPool>&>(*workshop.pool()));
  }

  http::HandedOver hand_over(Lane& lane, http::Exchange& exchange, bool may_wait) {
    if (!may_wait) return {.waits_elsewhere = true};
    exchange.show_as<Context>();
    return {.end = &PoolCall::make(workshop, lane, exchange, {&answer, this, "simulated"})};
  }
  static void answer(void* self, http::Exchange& exchange) {
    EXPECT_TRUE(static_cast<PoolRoutes*>(self)->workshop.on_pool_thread());
    exchange.response().content_type = "text/plain";
    exchange.response().body.assign(exchange.params().size() > 0 ? exchange.params().value(0)
                                                                 : exchange.read_body());
  }

  template <std::unique_ptr<Lane> PoolRoutes::* lane>
  http::Endpoint endpoint() {
    return {[](void* self, http::Exchange& exchange, bool may_wait) {
              auto& routes = *static_cast<PoolRoutes*>(self);
              return routes.hand_over(*(routes.*lane), exchange, may_wait);
            },
            this};
  }
  void add_to(http::Site& site) {
    const auto add = [&site](const char* pattern, http::Endpoint endpoint) {
      const auto refused =
          http::add_route({http::Method::get, pattern, endpoint}, site.router, site.endpoints);
      ASSERT_FALSE(refused) << refused->text;
    };
    add("/free/:n", endpoint<&PoolRoutes::free>());
    add("/alone/:n", endpoint<&PoolRoutes::alone>());
    add("/shared/:n", endpoint<&PoolRoutes::shared>());
  }

  Workshop workshop;
  std::unique_ptr<Lane> free;
  std::unique_ptr<Lane> alone;
  std::unique_ptr<Lane> shared;
};

struct Outcome {
  std::string wrong;
  std::uint64_t trace_hash = 0;
  std::uint64_t begun = 0;
  std::uint64_t dropped = 0;
};

Outcome run_seed(std::uint64_t seed) {
  Random random(seed);
  PoolRoutes routes(static_cast<unsigned>(random.between(1, 3)), seed);
  SimRunOptions options;
  constexpr std::array kModels{http::Model::green, http::Model::coroutine, http::Model::callback};
  options.model = kModels[random.below(kModels.size())];
  options.any_faults = random.chance(50);
  if (options.any_faults) {
    options.world.faults.reset = static_cast<unsigned>(random.below(10));
    options.world.faults.short_read = static_cast<unsigned>(random.below(500));
    options.world.faults.short_write = static_cast<unsigned>(random.below(500));
    options.world.faults.delay = static_cast<unsigned>(random.below(10));
    options.world.faults.no_buffers = static_cast<unsigned>(random.below(500));
  }
  options.backend.buffers = {64, 4'096};
  options.file_bytes = 300'000;
  options.drain_after = milliseconds(random.between(1, 300));
  options.add_routes = [&routes](http::Site& site) { routes.add_to(site); };
  SimRun run(seed, options);
  routes.pool().live_in(run.world());
  constexpr std::array kPaths{"/free/", "/alone/", "/shared/"};
  for (http::test::ClientPlan& plan : http::test::random_plans(random, {})) {
    for (http::test::Ask& ask : plan.asks) {
      if (!random.chance(70) || ask.closes) continue;
      const std::string number = std::to_string(random.below(100));
      ask = http::test::get(kPaths[random.below(kPaths.size())] + number, number);
    }
    // What they end at has moved with what they ask.
    using Plan = http::test::ClientPlan;
    if (plan.ends_at != Plan::kAtItsEnd) plan.ends_at = random.below(plan.total_bytes() + 1);
    if (plan.ends_amid != Plan::kAtItsEnd) plan.ends_amid = random.below(100);
    run.add_client(std::move(plan));
  }
  Outcome outcome;
  outcome.wrong = run.run();
  outcome.trace_hash = run.trace_hash();
  for (const auto& [name, executor] : routes.workshop.executors()) {
    if (executor->gate.inside() + executor->gate.waiting() > 0) {
      outcome.wrong += "places of the executor " + name + " are left\n";
    }
    outcome.begun += executor->figures.begun();
    outcome.dropped += executor->figures.dropped();
  }
  if (routes.workshop.pool_gate().inside() > 0) outcome.wrong += "a thread is left busy\n";
  return outcome;
}

}  // namespace

TEST(WorkerRouteSimulation, five_hundred_seeds_hold) {
  std::uint64_t begun = 0;
  std::uint64_t dropped = 0;
  for (std::uint64_t seed = 1; seed <= 500; ++seed) {
    const Outcome outcome = run_seed(seed);
    ASSERT_EQ(outcome.wrong, "") << "seed " << seed;
    begun += outcome.begun;
    dropped += outcome.dropped;
  }
  // What is meant to be seen has been.
  EXPECT_GT(begun, 1'000U);
  EXPECT_GT(dropped, 10U);
}

TEST(WorkerRouteSimulation, the_same_seed_gives_the_same_run) {
  for (const std::uint64_t seed : {3U, 14U, 159U}) {
    EXPECT_EQ(run_seed(seed).trace_hash, run_seed(seed).trace_hash);
  }
}

}  // namespace weft::exec
