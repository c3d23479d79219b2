// One seed is one run: time, order, and whole workloads that are the same to the byte.
#include "ksvc/sim/sim_world.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <set>

#include "ksvc/clock/sim_clock.hpp"
#include "sim_rig.hpp"

namespace weft::ksvc {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

SimFaults storm() {
  SimFaults faults;
  faults.reorder = 200;
  faults.error = 20;
  faults.early_end = 200;
  faults.spurious_wake = 100;
  faults.interrupt = 100;
  faults.partial_drain = 200;
  faults.late_cancel = 300;
  faults.already = 100;
  faults.late_notice = 300;
  faults.busy = 200;
  faults.short_read = 300;
  faults.short_write = 300;
  faults.again = 200;
  faults.no_buffers = 100;
  faults.delay = 20;
  faults.reset = 5;
  faults.accept_error = 200;
  return faults;
}

TEST(SimRandom, is_the_same_stream_everywhere) {
  SimRandom random(1);
  EXPECT_EQ(random.next(), 16'572'613'472'718'614'229U);
}

TEST(SimRandom, keeps_its_bounds) {
  SimRandom random(7);
  std::set<std::uint64_t> drawn;
  for (int i = 0; i < 200; ++i) drawn.insert(random.between(3, 6));
  EXPECT_EQ(drawn, (std::set<std::uint64_t>{3, 4, 5, 6}));
  EXPECT_FALSE(random.strikes(0));
  EXPECT_TRUE(random.strikes(1000));
}

TEST(SimWorld, events_happen_in_the_order_of_time_and_then_of_their_making) {
  SimWorld world(1);
  std::string order;
  world.after(milliseconds(2), [&] { order += 'c'; });
  world.after(milliseconds(1), [&] {
    order += 'a';
    world.after(milliseconds(0), [&] { order += 'b'; });
  });
  world.after(milliseconds(2), [&] { order += 'd'; });
  const TimePoint start = world.now();
  world.run_until(start + milliseconds(5));
  EXPECT_EQ(order, "abcd");
  EXPECT_EQ(world.now(), start + milliseconds(5));
}

TEST(SimWorld, clock_tells_its_time_and_a_time_of_day) {
  SimWorld world(1, {.wall_start = seconds(1'000)});
  const SimClock clock(world);
  const TimePoint before = clock.now();
  const TimePoint wall = clock.wall();
  world.run_until(before + seconds(3));
  EXPECT_EQ(clock.now() - before, seconds(3));
  EXPECT_EQ(clock.wall() - wall, seconds(3));
}

TEST(SimWorld, program_that_spins_makes_time_pass) {
  SimRig rig;
  const TimePoint before = rig.world.now();
  for (int i = 0; i < 100; ++i) rig.backend->submit_and_wait(0, kNoDeadline);
  EXPECT_GT(rig.world.now(), before);
}

TEST(SimWorld, worlds_do_not_disturb_each_other) {
  const std::uint64_t alone = run_echo(5, {}).hash;
  SimRig other(9);
  other.backend->submit(Nop{}, 1);
  other.await(1);
  EXPECT_EQ(run_echo(5, {}).hash, alone);
}

TEST(SimWorld, same_seed_is_the_same_run_to_the_byte) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const SimOptions options{.faults = storm(), .keep_trace = true};
    const EchoOutcome first = run_echo(seed, options);
    const EchoOutcome second = run_echo(seed, options);
    EXPECT_EQ(first.hash, second.hash) << "seed " << seed;
    EXPECT_EQ(first.trace, second.trace) << "seed " << seed;
  }
}

TEST(SimWorld, other_seeds_are_other_runs) {
  std::set<std::uint64_t> hashes;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) hashes.insert(run_echo(seed, {}).hash);
  EXPECT_EQ(hashes.size(), 100U);
}

TEST(SimWorld, calm_worlds_lose_nothing) {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    const EchoOutcome outcome = run_echo(seed, {});
    EXPECT_EQ(outcome.unfaulted_losses, 0U) << "seed " << seed;
    EXPECT_GT(outcome.answered, 0U);
  }
}

TEST(SimWorld, storms_lose_nothing_but_what_they_break) {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    EXPECT_EQ(run_echo(seed, {.faults = storm()}).unfaulted_losses, 0U) << "seed " << seed;
  }
}

TEST(SlowSimWorld, long_storms_lose_nothing_but_what_they_break) {
  for (std::uint64_t seed = 1'000; seed <= 20'000; ++seed) {
    ASSERT_EQ(run_echo(seed, {.faults = storm()}).unfaulted_losses, 0U) << "seed " << seed;
  }
}

TEST(SimWorld, descriptors_run_out_where_the_options_say) {
  SimWorld world(1, {.most_descriptors = 2});
  EXPECT_GE(world.make_socket(), kBackendDescriptor);
  const int second = world.make_event();
  EXPECT_EQ(world.make_file("bytes"), -EMFILE);
  world.close(second, false);
  EXPECT_GE(world.make_socket(), kBackendDescriptor);
  EXPECT_EQ(world.open_descriptors(), 2U);
}

TEST(SimWorld, half_of_all_worlds_use_numbers_again) {
  int again = 0;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    SimWorld world(seed);
    const int first = world.make_event();
    world.close(first, false);
    if (world.make_event() == first) ++again;
  }
  EXPECT_GT(again, 25);
  EXPECT_LT(again, 75);
}

TEST(SimWorldDeathTest, descriptor_that_is_left_open_is_told) {
  GTEST_FLAG_SET(death_test_style, "fast");
  SimWorld world(77);
  world.check_nothing_left();
  world.make_socket();
  EXPECT_DEATH(world.check_nothing_left(), "descriptors are left open: 0\n.*seed 77");
}

}  // namespace
}  // namespace weft::ksvc
