// Each fault alone, with the figures that the server promises, in virtual time.

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "sim_run.hpp"

namespace weft::http::test {

namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

constexpr std::uint64_t kSeed = 1;

ClientPlan client_of(std::vector<Ask> asks, nanoseconds starts_after = nanoseconds(0)) {
  ClientPlan plan;
  plan.asks = std::move(asks);
  plan.starts_after = starts_after;
  plan.depth = plan.asks.size();
  return plan;
}

Ask big(std::size_t bytes) { return get("/big/" + std::to_string(bytes), big_body(bytes)); }

std::string text(std::size_t bytes) {
  std::string out(bytes, ' ');
  for (std::size_t i = 0; i < bytes; ++i) out[i] = static_cast<char>('a' + i % 26);
  return out;
}

// Every kind of request that is answered without luck.
std::vector<Ask> one_of_each() {
  return {get("/hello", "hello"), post_echo(text(40)), get("/sleep/3", "3"),
          get("/yield/5", "5"),   big(3'000),          post_echo_in_chunks({text(7), text(20)}),
          post_parts(text(60)),   streamed(2'000),     streamed_in_chunks(9),
          get("/sleep/1", "1"),   head_of_hello(),     failing("/throw"),
          failing("/park-throw")};
}

// All the descriptors there may be, until they are given back.
class Hoard {
 public:
  explicit Hoard(ksvc::SimWorld& world, std::size_t left = 0) : world_(world) {
    take_all_but(left);
  }
  ~Hoard() { give_back(); }
  Hoard(const Hoard&) = delete;
  Hoard& operator=(const Hoard&) = delete;

  void take_all_but(std::size_t left) {
    while (world_.open_descriptors() + left < world_.options().most_descriptors) {
      held_.push_back(world_.make_socket());
    }
  }
  void give_back() {
    for (const int fd : held_) world_.close(fd, false);
    held_.clear();
  }

 private:
  ksvc::SimWorld& world_;
  std::vector<int> held_;
};

SimRunOptions lasting(nanoseconds time) {
  SimRunOptions options;
  options.drain_after = time;
  return options;
}

void expect_all_answered(const SimRun& run) {
  for (const SimClient& client : run.clients()) {
    EXPECT_EQ(client.checker().answered(), client.plan().asks.size());
  }
}

}  // namespace

TEST(SimulatedFaults, without_descriptors_it_neither_spins_nor_floods_and_recovers) {
  SimRunOptions options = lasting(seconds(12));
  options.world.most_descriptors = 8;
  SimRun run(kSeed, options);
  Hoard hoard(run.world());
  for (int i = 0; i < 20; ++i) run.add_client(client_of({get("/hello", "hello")}));
  const ksvc::TimePoint begin = run.world().now();
  std::uint64_t turns = 0;
  run.world().after(milliseconds(500), [&] { turns = run.backend().entries(); });
  run.world().after(seconds(10), [&] {
    turns = run.backend().entries() - turns;
    EXPECT_EQ(run.counters().accepted.value(), 0U);
    EXPECT_LE(run.site().complaints.size(), 10U);
    hoard.give_back();
  });
  EXPECT_EQ(run.run(), "");
  expect_all_answered(run);
  for (const SimClient& client : run.clients()) {
    EXPECT_LE((client.left_at() - begin).count(), nanoseconds(seconds(11)).count());
  }
  // 9.5 seconds of at most a few turns for each try, of which there are ten a second.
  EXPECT_LE(turns, 95U * 4);
  EXPECT_GE(run.site().complaints.size(), 1U);
}

TEST(SimulatedFaults, without_descriptors_at_the_drain_whoever_waits_is_still_answered) {
  SimRunOptions options = lasting(seconds(1));
  options.world.most_descriptors = 8;
  SimRun run(kSeed, options);
  Hoard hoard(run.world());
  for (int i = 0; i < 30; ++i) run.add_client(client_of(one_of_each(), milliseconds(i)));
  run.world().after(seconds(4), [&] { hoard.give_back(); });
  EXPECT_EQ(run.run(), "");
  EXPECT_EQ(run.counters().accepted.value(), 30U);
  for (const SimClient& client : run.clients()) {
    EXPECT_TRUE(client.checker().answered() == client.plan().asks.size());
  }
}

// With nobody left to accept, that is all there is to wait for.
TEST(SimulatedFaults, without_descriptors_a_drain_ends_when_the_connections_are_answered) {
  for (const std::uint64_t held_back : {0U, 1U}) {
    SimRunOptions options = lasting(seconds(1));
    options.world.most_descriptors = 8;
    SimRun run(kSeed, options);
    for (int i = 0; i < 3; ++i) {
      run.add_client(client_of({get("/sleep/1500", "1500"), get("/hello", "hello")}));
    }
    std::optional<Hoard> hoard;
    run.world().after(milliseconds(500), [&] { hoard.emplace(run.world(), held_back); });
    // Descriptors that the connections give back are taken by others at once.
    for (int ms = 1'000; ms < 5'000; ms += 1) {
      run.world().after(milliseconds(ms), [&] {
        if (hoard) hoard->take_all_but(held_back);
      });
    }
    run.at_end = [&] { hoard.reset(); };
    EXPECT_EQ(run.run(), "");
    expect_all_answered(run);
    EXPECT_EQ(run.counters().accepted.value(), 3U);
    // 0.5 s of them are the clients'.
    EXPECT_LT((run.drained_at() - run.drain_began_at()).count(), nanoseconds(seconds(2)).count());
    if (held_back == 0) {
      EXPECT_GE(run.site().complaints.size(), 1U);
    }
  }
}

TEST(SimulatedFaults, without_free_blocks_no_byte_is_lost_and_nothing_spins) {
  SimRunOptions options = lasting(seconds(5));
  options.world.faults.no_buffers = 1'000;
  SimRun run(kSeed, options);
  std::size_t blocks = 0;
  for (int i = 0; i < 20; ++i) {
    std::vector<Ask> asks;
    for (std::size_t n = 0; n < 5; ++n) asks.push_back(post_echo(text(n * 3'000)));
    for (const Ask& ask : asks) blocks += ask.bytes.size() / 700 + 1;
    run.add_client(client_of(std::move(asks)));
  }
  std::uint64_t turns = 0;
  run.world().after(seconds(4), [&] { turns = run.backend().entries(); });
  EXPECT_EQ(run.run(), "");
  expect_all_answered(run);
  // Arrivals share turns, so there are fewer of those than there would be blocks.
  EXPECT_LE(turns, blocks);
}

TEST(SimulatedFaults, a_client_that_is_silent_without_free_blocks_costs_no_turns) {
  SimRunOptions options = lasting(seconds(5));
  options.world.faults.no_buffers = 1'000;
  SimRun run(kSeed, options);
  for (int i = 0; i < 20; ++i) {
    ClientPlan plan = client_of({get("/hello", "hello"), get("/hello", "hello")});
    plan.ending = ClientPlan::Ending::stalls;
    plan.ends_at = plan.asks[0].bytes.size() + 10;
    run.add_client(std::move(plan));
  }
  std::uint64_t turns = 0;
  run.world().after(seconds(1), [&] { turns = run.backend().entries(); });
  run.world().after(seconds(4), [&] { turns = run.backend().entries() - turns; });
  EXPECT_EQ(run.run(), "");
  EXPECT_LE(turns, 3U * 4);  // the date, each second
}

TEST(SimulatedFaults, a_parked_handler_keeps_no_block_from_others) {
  SimRun run(kSeed, lasting(seconds(2)));
  for (int i = 0; i < 50; ++i) run.add_client(client_of({get("/sleep/900", "900")}));
  run.world().after(milliseconds(500), [&] {
    EXPECT_EQ(run.worker().parked(), 50U);
    EXPECT_EQ(run.backend().buffers().lent(), 0U);
  });
  EXPECT_EQ(run.run(), "");
}

TEST(SimulatedFaults, what_waits_behind_a_handler_is_bounded_each_time) {
  SimRunOptions options = lasting(seconds(5));
  SimRun run(kSeed, options);
  run.site().site.limits.pipelined_bytes = 20'000;
  run.site().site.limits.gone_probe = seconds(10);  // it need not be asked whether it is there
  std::vector<Ask> asks;
  std::size_t half = 0;
  for (int round = 0; round < 2; ++round) {
    half = 0;
    for (const Ask& ask : asks) half += ask.bytes.size();
    asks.push_back(get("/sleep/1000", "1000"));
    for (int n = 0; n < 100; ++n) asks.push_back(post_echo(text(5'000)));
  }
  const SimClient& client = run.add_client(client_of(std::move(asks)));
  // What the server takes, what a turn brings beyond it, and what the network holds.
  const std::size_t most = 20'000 + options.world.socket_buffer_bytes * 2;
  run.world().after(milliseconds(900), [&, most] { EXPECT_LE(client.sent_bytes(), most); });
  run.world().after(milliseconds(1'900), [&, most] {
    EXPECT_GT(client.sent_bytes(), half);
    EXPECT_LE(client.sent_bytes(), half + most);
  });
  EXPECT_EQ(run.run(), "");
  expect_all_answered(run);
}

TEST(SimulatedFaults, a_request_that_comes_in_the_turn_of_its_deadline_is_answered) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    SimRunOptions options = lasting(milliseconds(100));
    options.world.turn_time = milliseconds(20);
    SimRun run(seed, options);
    for (int i = 0; i < 400; ++i) {
      ClientPlan plan = client_of({get("/hello", "hello"), get("/hello", "hello")});
      plan.depth = 1;
      plan.thinks = milliseconds(500);
      run.add_client(std::move(plan));
    }
    EXPECT_EQ(run.run(), "");
  }
}

TEST(SimulatedFaults, a_completion_queue_of_eight_entries_loses_nothing) {
  SimRunOptions options = lasting(seconds(5));
  options.backend.completion_entries = 8;
  SimRun run(kSeed, options);
  for (int i = 0; i < 100; ++i) run.add_client(client_of(one_of_each()));
  EXPECT_EQ(run.run(), "");
  expect_all_answered(run);
}

TEST(SimulatedFaults, every_cut_of_every_request_is_the_same_request) {
  SimRunOptions options = lasting(seconds(5));
  SimRun run(kSeed, options);
  for (const Ask& ask : one_of_each()) {
    for (std::size_t cut = 1; cut <= ask.bytes.size(); ++cut) {
      ClientPlan plan = client_of({ask, get("/hello", "hello")});
      plan.pauses_behind = cut;
      plan.between_pieces = milliseconds(2);
      run.add_client(std::move(plan));
    }
  }
  ClientPlan byte_by_byte = client_of(one_of_each());
  byte_by_byte.most_pieces = 100'000;
  run.add_client(std::move(byte_by_byte));
  EXPECT_EQ(run.run(), "");
  expect_all_answered(run);
}

TEST(SimulatedFaults, a_reset_amid_an_answer_gives_everything_back_within_a_second) {
  SimRunOptions options = lasting(seconds(20));
  SimRun run(kSeed, options);
  for (int i = 0; i < 200; ++i) {
    ClientPlan plan = client_of({get("/sleep/5", "5"), big(300'000)}, milliseconds(i));
    plan.ending = i % 2 == 0 ? ClientPlan::Ending::resets : ClientPlan::Ending::closes;
    plan.ends_amid = static_cast<std::size_t>(i) * 1'000;
    run.add_client(std::move(plan));
  }
  bool looked = false;
  run.world().after(seconds(2), [&] {
    looked = true;
    EXPECT_EQ(run.counters().accepted.value(), 200U);
    EXPECT_EQ(run.counters().closed.value(), 200U);
    EXPECT_EQ(run.world().open_descriptors(), 1U);  // the listener
    EXPECT_EQ(run.backend().buffers().lent() + run.backend().buffers().detached(), 0U);
    EXPECT_EQ(run.worker().parked(), 0U);
  });
  EXPECT_EQ(run.run(), "");
  EXPECT_TRUE(looked);
}

TEST(SimulatedFaults, a_client_that_shuts_its_side_gets_every_answer) {
  SimRunOptions options = lasting(seconds(5));
  options.world.faults.short_write = 500;
  options.world.faults.short_read = 500;
  SimRun run(kSeed, options);
  for (int i = 0; i < 100; ++i) {
    ClientPlan plan = client_of(one_of_each());
    plan.ending = ClientPlan::Ending::half_closes;
    run.add_client(std::move(plan));
  }
  EXPECT_EQ(run.run(), "");
  expect_all_answered(run);
}

TEST(SimulatedFaults, handlers_that_throw_disturb_nobody_and_do_not_flood_the_log) {
  SimRun run(kSeed, lasting(seconds(4)));
  for (int i = 0; i < 300; ++i) {
    run.add_client(client_of({failing("/throw"), get("/hello", "hello"), failing("/park-throw"),
                              failing("/throw-oddly"), get("/sleep/2", "2")},
                             milliseconds(i * 10)));
  }
  EXPECT_EQ(run.run(), "");
  expect_all_answered(run);
  EXPECT_EQ(run.counters().handler_errors.value(), 900U);
  EXPECT_LE(run.site().complaints.size(), 4U);
}

TEST(SimulatedFaults, a_reader_that_takes_nothing_is_given_up_after_the_write_timeout) {
  SimRunOptions options = lasting(seconds(30));
  SimRun run(kSeed, options);
  ClientPlan plan = client_of({big(500'000)});
  plan.ending = ClientPlan::Ending::vanishes;
  run.add_client(std::move(plan));
  const auto given_up = nanoseconds(run.site().site.limits.write_timeout) + milliseconds(100);
  run.world().after(seconds(1), [&] { EXPECT_EQ(run.counters().closed.value(), 0U); });
  run.world().after(given_up, [&] { EXPECT_EQ(run.counters().closed.value(), 1U); });
  EXPECT_EQ(run.run(), "");
  EXPECT_TRUE(run.clients().front().is_reset());
}

TEST(SimulatedFaults, a_reader_that_takes_no_more_of_a_stream_holds_little_and_is_given_up) {
  SimRunOptions options = lasting(seconds(30));
  SimRun run(kSeed, options);
  for (int i = 0; i < 10; ++i) {
    ClientPlan plan = client_of({streamed(5'000'000)});
    plan.ending = ClientPlan::Ending::vanishes;
    run.add_client(std::move(plan));
  }
  const auto given_up = nanoseconds(run.site().site.limits.write_timeout) + milliseconds(200);
  run.world().after(seconds(1), [&] {
    EXPECT_EQ(run.counters().closed.value(), 0U);
    EXPECT_EQ(run.worker().parked(), 10U);
  });
  run.world().after(given_up, [&] {
    EXPECT_EQ(run.counters().closed.value(), 10U);
    EXPECT_EQ(run.worker().parked(), 0U);
  });
  EXPECT_EQ(run.run(), "");
}

TEST(SimulatedFaults, a_reset_amid_a_stream_gives_everything_back_within_a_second) {
  SimRunOptions options = lasting(seconds(20));
  SimRun run(kSeed, options);
  for (int i = 0; i < 200; ++i) {
    ClientPlan plan = client_of({streamed_in_chunks(20), streamed(300'000)}, milliseconds(i));
    plan.ending = i % 2 == 0 ? ClientPlan::Ending::resets : ClientPlan::Ending::closes;
    plan.ends_amid = static_cast<std::size_t>(i) * 1'000;
    run.add_client(std::move(plan));
  }
  run.world().after(seconds(3), [&] {
    EXPECT_EQ(run.counters().closed.value(), 200U);
    EXPECT_EQ(run.world().open_descriptors(), 1U);  // the listener
    EXPECT_EQ(run.backend().buffers().lent() + run.backend().buffers().detached(), 0U);
    EXPECT_EQ(run.worker().parked(), 0U);
  });
  EXPECT_EQ(run.run(), "");
}

TEST(SimulatedFaults, a_drain_amid_many_busy_clients_fails_nobody) {
  SimRunOptions options = lasting(milliseconds(40));
  SimRun run(kSeed, options);
  for (int i = 0; i < 300; ++i) {
    std::vector<Ask> asks;
    for (int n = 0; n < 4; ++n) {
      for (Ask& ask : one_of_each()) asks.push_back(std::move(ask));
    }
    ClientPlan plan = client_of(std::move(asks), nanoseconds(milliseconds(i)) / 4);
    plan.depth = i % 3 == 0 ? 1 : 5;
    run.add_client(std::move(plan));
  }
  EXPECT_EQ(run.run(), "");
  EXPECT_GT(run.counters().requests.value(), 500U);
  EXPECT_LT((run.drained_at() - run.drain_began_at()).count(), nanoseconds(seconds(2)).count());
}

}  // namespace weft::http::test
