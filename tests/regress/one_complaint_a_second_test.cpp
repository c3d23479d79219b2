// The count of messages that were left out was a line of its own, and so made two a second.

#include <gtest/gtest.h>

#include "http/sim/sim_run.hpp"

namespace weft::http::test {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(Regression, complaints_are_one_line_a_second_and_tell_what_was_left_out) {
  SimRunOptions options;
  options.drain_after = seconds(5);
  SimRun run(1, options);
  for (int i = 0; i < 400; ++i) {
    ClientPlan plan;
    plan.asks = {failing("/throw")};
    plan.starts_after = i * milliseconds(10);
    run.add_client(std::move(plan));
  }
  EXPECT_EQ(run.run(), "");
  const std::vector<std::string>& complaints = run.site().complaints;
  EXPECT_GE(complaints.size(), 3U);
  EXPECT_LE(complaints.size(), 5U);
  EXPECT_NE(complaints.back().find(" messages before this were left out"), std::string::npos)
      << complaints.back();
}

}  // namespace weft::http::test
