// A server that gets no memory in the wrong moment, and one that is used wrongly, simulated.

#include <gtest/gtest.h>

#include <new>
#include <optional>
#include <string>
#include <string_view>

#include "http/failing_new.hpp"
#include "ksvc/sim/sim_peer.hpp"
#include "sim_run.hpp"
#include "weft/context.hpp"
#include "weft/coro.hpp"
#include "weft/green.hpp"
#include "weft/respond.hpp"

namespace weft::http::test {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// So long that it takes an allocation to answer with it.
const std::string kLongReason(2'000, 'x');

bool g_fails = false;

void refuse_without_memory() {
  if (g_fails) fail_next_allocation();
  throw RequestAborted{400, kLongReason};
}

std::string request_for(std::string_view target) {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: sim\r\n\r\n";
}

void add_route(Site& site, std::string_view pattern, const Endpoint& endpoint) {
  ASSERT_FALSE(site.router.add(Method::get, pattern, static_cast<RouteId>(site.endpoints.size())));
  site.endpoints.push_back(endpoint);
}

class SimulatedShortage : public testing::TestWithParam<Model> {
 protected:
  SimulatedShortage() {
    options.model = GetParam();
    options.drain_after = seconds(5);
  }
  void TearDown() override { EXPECT_FALSE(call_off_failed_allocation()); }

  SimRunOptions options;
};

std::string name_of(const testing::TestParamInfo<Model>& info) {
  switch (info.param) {
    case Model::green: return "green";
    case Model::coroutine: return "coroutine";
    case Model::callback: return "callback";
  }
  return {};
}

INSTANTIATE_TEST_SUITE_P(Models, SimulatedShortage,
                         testing::Values(Model::green, Model::coroutine, Model::callback), name_of);

}  // namespace

// The answers before it are on their way to the kernel when the handler parks, and those of the
// same turn are to wait behind them, which takes memory.
TEST_P(SimulatedShortage, an_answer_that_cannot_be_kept_is_the_last_of_its_connection) {
  static bool caught;
  caught = false;
  options.add_routes = [](Site& site) {
    add_route(site, "/twice", Endpoint{[](void*, Exchange& exchange) {
                weft::yield();
                exchange.response().body.assign("twice");
              }});
    add_route(site, "/short", Endpoint{[](void*, Exchange& exchange) {
                fail_next_allocation();
                try {
                  weft::sleep(milliseconds(1));
                } catch (const std::bad_alloc&) {
                  caught = true;
                }
                exchange.response().body.assign("short");
              }});
  };
  SimRun run(1, options);
  ksvc::SimPeer peer(run.world(), run.port());
  std::string received;
  peer.on_bytes = [&](std::string_view bytes) { received += bytes; };
  peer.on_end = [&](int) { peer.close(); };
  run.world().after(milliseconds(1), [&] {
    peer.send(request_for("/hello") + request_for("/twice") + request_for("/short"));
  });
  EXPECT_EQ(run.run(), "");
  EXPECT_TRUE(caught);
  EXPECT_NE(received.find("hello"), std::string::npos);
  const bool second = received.find("twice") != std::string::npos;
  const bool third = received.find("short") != std::string::npos;
  EXPECT_TRUE(second || !third) << received;
}

TEST_P(SimulatedShortage, a_request_that_cannot_be_left_waiting_is_cancelled) {
  options.add_routes = [](Site& site) {
    add_route(site, "/wait", Endpoint{[](void*, Exchange&) -> Task<void> {
                fail_next_allocation();
                co_await coro::sleep(seconds(4));
              }});
  };
  SimRun run(1, options);
  ksvc::SimPeer peer(run.world(), run.port());
  peer.on_bytes = [](std::string_view) {};
  peer.on_end = [&](int) { peer.close(); };
  run.world().after(milliseconds(1), [&] { peer.send(request_for("/wait")); });
  run.world().after(milliseconds(100), [&] { EXPECT_EQ(run.counters().closed.value(), 1U); });
  EXPECT_EQ(run.run(), "");
}

TEST_P(SimulatedShortage, a_refusal_that_cannot_be_told_leaves_nothing_behind) {
  options.add_routes = [](Site& site) {
    add_route(site, "/at-once",
              Endpoint{[](void*, Exchange&, Respond) { refuse_without_memory(); }});
    add_route(site, "/in-answer", Endpoint{[](void*, Exchange& exchange, Respond respond) {
                exchange.show_as<Context>();
                respond([](Context&) { refuse_without_memory(); });
              }});
  };
  const auto left_behind = [this](std::string_view target, bool failing) {
    g_fails = failing;
    const std::ptrdiff_t before = live_allocations_here();
    {
      SimRun run(1, options);
      ksvc::SimPeer peer(run.world(), run.port());
      peer.on_bytes = [](std::string_view) {};
      peer.on_end = [&](int) { peer.close(); };
      run.world().after(milliseconds(1), [&] { peer.send(request_for(target)); });
      EXPECT_EQ(run.run(), "");
      EXPECT_EQ(run.counters().closed.value(), 1U);
    }
    return live_allocations_here() - before;
  };
  for (const std::string_view target : {"/at-once", "/in-answer"}) {
    SCOPED_TRACE(target);
    left_behind(target, false);  // but what is made once and stays
    EXPECT_EQ(left_behind(target, false), 0);
    EXPECT_EQ(left_behind(target, true), 0);
  }
}

// ---- What no handler may do

namespace {

Exchange* g_other = nullptr;

void use_the_context_of_another_request(const Endpoint& endpoint) {
  SimRunOptions options;
  options.add_routes = [&](Site& site) {
    add_route(site, "/keep", Endpoint{[](void*, Exchange& exchange) {
                g_other = &exchange;
                weft::sleep(milliseconds(100));
              }});
    add_route(site, "/use", endpoint);
  };
  SimRun run(1, options);
  ksvc::SimPeer one(run.world(), run.port());
  ksvc::SimPeer other(run.world(), run.port());
  run.world().after(milliseconds(1), [&] {
    one.send("GET /keep HTTP/1.1\r\nHost: sim\r\nContent-Length: 5\r\n\r\n");
  });
  run.world().after(milliseconds(2), [&] { other.send(request_for("/use")); });
  run.run();
}

}  // namespace

TEST(ContextDeathTest, waiting_by_the_context_of_another_request_is_a_broken_promise) {
  EXPECT_DEATH(
      use_the_context_of_another_request(Endpoint{[](void*, Exchange&) { g_other->read_body(); }}),
      "the Context of another request");
}

TEST(ContextDeathTest, writing_by_the_context_of_another_request_is_a_broken_promise) {
  EXPECT_DEATH(use_the_context_of_another_request(Endpoint{[](void*, Exchange&) {
                 g_other->bodies().begin_answer_stream(std::nullopt);
                 g_other->bodies().write_part("to whom?");
               }}),
               "the Context of another request");
}

}  // namespace weft::http::test
