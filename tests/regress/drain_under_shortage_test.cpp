// A drain while something is short. Without descriptors the server gave up whoever waited to be
// accepted; without a free block it took the part of a pipeline that it had seen for the whole.

#include <gtest/gtest.h>

#include <vector>

#include "http/sim/sim_run.hpp"

namespace weft::http::test {

using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr std::uint32_t kBlock = 512;

// So that a block looks as if there were nothing behind it.
Ask request_of_a_block() {
  const std::size_t head = post_echo(std::string(400, 'x')).head_bytes;
  return post_echo(std::string(kBlock - head, 'x'));
}

// Twenty pipelining clients that wait for a descriptor until two seconds into the drain.
void expect_all_answered_after_a_shortage(const ksvc::SimFaults& faults) {
  SimRunOptions options;
  options.drain_after = seconds(1);
  options.any_faults = true;
  options.world.faults = faults;
  options.world.most_descriptors = 40;
  options.world.socket_buffer_bytes = 16'384;
  options.backend.buffers = {1'024, kBlock};
  SimRun run(1, options);
  std::vector<int> hoard;
  for (int fd = run.world().make_socket(); fd >= 0; fd = run.world().make_socket()) {
    hoard.push_back(fd);
  }
  for (int i = 0; i < 20; ++i) {
    ClientPlan plan;
    while (plan.asks.size() < 10) plan.asks.push_back(request_of_a_block());
    plan.depth = plan.asks.size();
    run.add_client(std::move(plan));
  }
  run.world().after(seconds(3), [&] {
    for (const int fd : hoard) run.world().close(fd, false);
  });
  EXPECT_EQ(run.run(), "");
  for (const SimClient& client : run.clients()) EXPECT_EQ(client.checker().answered(), 10U);
}

}  // namespace

TEST(Regression, a_drain_without_descriptors_gives_nobody_up_who_waits) {
  expect_all_answered_after_a_shortage({});
}

TEST(Regression, a_drain_without_free_blocks_answers_what_it_has_not_seen) {
  ksvc::SimFaults faults;
  faults.no_buffers = 1'000;
  expect_all_answered_after_a_shortage(faults);
}

TEST(Regression, a_drain_whose_receives_end_early_answers_what_it_has_not_seen) {
  ksvc::SimFaults faults;
  faults.early_end = 1'000;
  expect_all_answered_after_a_shortage(faults);
}

}  // namespace weft::http::test
