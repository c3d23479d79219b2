// A response whose sending began while a handler of the connection was parked.
//
// It had no deadline when the handler's own answer was the last, so that a client that read nothing
// kept its connection for ever; and it had the deadline of an idle client when it was not.

#include <gtest/gtest.h>

#include "http/sim/sim_run.hpp"

namespace weft::http::test {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(Regression, a_last_response_behind_one_begun_while_parked_times_out) {
  SimRunOptions options;
  options.drain_after = milliseconds(20);
  SimRun run(1, options);
  ClientPlan plan;
  // While the first handler sleeps, the others arrive; then they are handled in one go.
  plan.asks = {get("/sleep/5", "5"), get("/big/100000", big_body(100'000)), get("/sleep/50", "50")};
  plan.depth = 3;
  plan.ending = ClientPlan::Ending::vanishes;
  run.add_client(std::move(plan));
  EXPECT_EQ(run.run(), "");
  const auto took = run.drained_at() - run.drain_began_at();
  EXPECT_LE(took, run.site().site.limits.write_timeout + seconds(1));
}

TEST(Regression, a_response_begun_while_parked_has_the_time_of_a_response) {
  SimRunOptions options;
  options.drain_after = seconds(10);
  SimRun run(1, options);
  run.site().site.limits.idle_timeout = milliseconds(200);
  ClientPlan plan;
  plan.asks = {get("/sleep/5", "5"), get("/big/120000", big_body(120'000)), get("/sleep/1", "1")};
  plan.depth = 3;
  plan.rests = milliseconds(100);
  const SimClient& client = run.add_client(std::move(plan));
  EXPECT_EQ(run.run(), "");
  EXPECT_EQ(client.checker().answered(), 3U);
}

}  // namespace weft::http::test
