// A head that has arrived in part while a response was taken slowly had the time of an idle client
// from then on, not the time of a head.

#include <gtest/gtest.h>

#include "http/sim/sim_run.hpp"

namespace weft::http::test {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(Regression, a_partial_head_behind_a_slow_response_has_the_time_of_a_head) {
  SimRunOptions options;
  options.drain_after = seconds(30);
  SimRun run(1, options);
  run.site().site.limits.idle_timeout = seconds(20);
  run.site().site.limits.head_timeout = seconds(1);
  ClientPlan plan;
  plan.asks = {get("/big/120000", big_body(120'000)), get("/hello", "hello")};
  plan.depth = 2;
  plan.rests = milliseconds(10);
  plan.ending = ClientPlan::Ending::stalls;
  plan.ends_at = plan.total_bytes() - 5;
  const SimClient& client = run.add_client(std::move(plan));
  EXPECT_EQ(run.run(), "");
  EXPECT_EQ(client.checker().answered(), 1U);
  EXPECT_TRUE(client.checker().was_refused());
  EXPECT_LE(client.left_at() - client.started_at(), seconds(4));
}

}  // namespace weft::http::test
