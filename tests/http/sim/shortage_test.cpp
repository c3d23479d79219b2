// A server that gets no memory in the wrong moment, and one that is used wrongly, simulated.

#include <gtest/gtest.h>

#include <deque>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

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

// Readers that take nothing, of answers that are long.
TEST_P(SimulatedShortage, slow_clients_hold_no_more_than_the_budget_and_others_are_told) {
  constexpr std::size_t kBudget = 1'000'000;
  constexpr int kReaders = 30;
  SimRun run(1, options);
  run.site().site.limits.buffered_bytes = kBudget;
  run.site().site.limits.write_timeout = seconds(2);
  std::deque<ksvc::SimPeer> readers;
  for (int i = 0; i < kReaders; ++i) {
    readers.emplace_back(run.world(), run.port()).pause();
    run.world().after(milliseconds(i),
                      [&reader = readers.back()] { reader.send(request_for("/big/300000")); });
  }
  std::string told;
  ksvc::SimPeer late(run.world(), run.port());
  late.on_bytes = [&](std::string_view bytes) { told += bytes; };
  // What needs no more than there is at hand is answered as ever.
  run.world().after(seconds(1), [&] {
    EXPECT_GE(run.buffered_bytes(), kBudget);
    EXPECT_LE(run.buffered_bytes(), kBudget + 400'000);
    EXPECT_GE(run.counters().answers[5].value(), static_cast<std::uint64_t>(kReaders) - 5);
    late.send(request_for("/hello") + request_for("/big/300000") + request_for("/hello"));
  });
  run.world().after(seconds(1) + milliseconds(50), [&] {
    EXPECT_EQ(told.find("HTTP/1.1 200 OK"), 0U);
    EXPECT_NE(told.find("HTTP/1.1 503 "), std::string::npos);
    EXPECT_NE(told.find("\r\nRetry-After: 1\r\n"), std::string::npos);
    EXPECT_TRUE(told.ends_with("\r\n\r\nhello"));
    told.clear();
  });
  // Who took nothing has been given up by then.
  run.world().after(seconds(4), [&] {
    EXPECT_EQ(run.buffered_bytes(), 0U);
    late.send(request_for("/big/300000"));
  });
  EXPECT_EQ(run.run(), "");
  EXPECT_EQ(told.find("HTTP/1.1 200 OK"), 0U);
  EXPECT_GT(told.size(), 300'000U);
  ASSERT_FALSE(run.site().complaints.empty());
  EXPECT_NE(run.site().complaints.front().find("slow clients hold"), std::string::npos);
}

// Once the budget is spent, nothing is begun that would have to wait.
TEST_P(SimulatedShortage, beyond_the_budget_heads_and_bodies_in_pieces_are_refused) {
  options.world.cut = 0;
  SimRun run(1, options);
  run.site().site.limits.buffered_bytes = 50'000;
  ksvc::SimPeer reader(run.world(), run.port());
  reader.pause();
  struct Refused {
    Refused(SimRun& run, std::string first) : peer(run.world(), run.port()) {
      peer.on_bytes = [this](std::string_view bytes) { received += bytes; };
      peer.on_end = [this](int) { ended = true; };
      run.world().after(seconds(1), [this, first = std::move(first)] { peer.send(first); });
    }
    ksvc::SimPeer peer;
    std::string received;
    bool ended = false;
  };
  const auto post = [](std::string_view target, std::string_view rest) {
    return "POST " + std::string(target) + " HTTP/1.1\r\nHost: sim\r\n" + std::string(rest);
  };
  std::deque<Refused> refused;
  refused.emplace_back(run, "GET /hello HT");
  refused.emplace_back(run, "GET /hello HTTP/1.1\r\nHost");
  refused.emplace_back(run, post("/echo", "Content-Length: 9\r\n\r\nabc"));
  refused.emplace_back(run, post("/echo", "Transfer-Encoding: chunked\r\n\r\n3\r\nab"));
  refused.emplace_back(run, post("/parts", "Content-Length: 9\r\n\r\nabc"));
  refused.emplace_back(run, post("/parts", "Transfer-Encoding: chunked\r\n\r\n3\r\nab"));
  // A whole body needs nothing.
  Refused answered(run, post("/echo", "Content-Length: 3\r\n\r\nabc"));
  run.world().after(milliseconds(500), [&] { reader.send(request_for("/big/300000")); });
  std::size_t held = 0;
  run.world().after(milliseconds(900), [&] { held = run.buffered_bytes(); });
  run.world().after(milliseconds(1'100), [&] {
    EXPECT_GT(held, 100'000U);
    EXPECT_LE(run.buffered_bytes(), held + 10'000);
  });
  run.world().after(seconds(2), [&] { reader.reset(); });
  EXPECT_EQ(run.run(), "");
  for (const Refused& one : refused) {
    EXPECT_EQ(one.received.find("HTTP/1.1 503 "), 0U) << one.received;
    EXPECT_TRUE(one.ended) << one.received;
  }
  EXPECT_EQ(answered.received.find("HTTP/1.1 200 "), 0U) << answered.received;
}

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
