#include "weft/dns.hpp"

#include <gtest/gtest.h>

#include <string>

#include "net/modes.hpp"
#include "weft/cancel.hpp"

namespace weft {
namespace {

class Dns : public EveryMode {};

INSTANTIATE_TEST_SUITE_P(EveryMode, Dns, every_mode(), mode_name);

TEST_P(Dns, addresses_stand_for_themselves) {
  run_here([] {
    for (const char* host : {"192.0.2.7", "2001:db8::7"}) {
      auto found = resolve(host, 443);
      ASSERT_TRUE(found) << found.error().message();
      ASSERT_EQ(found->size(), 1U);
      EXPECT_EQ(found->front().host(), host);
      EXPECT_EQ(found->front().port(), 443);
    }
  });
}

TEST_P(Dns, localhost_is_this_machine) {
  run_here([] {
    auto found = resolve("localhost", "80");
    if (!found) GTEST_SKIP() << "this system does not know localhost";
    for (const Endpoint& endpoint : *found) {
      EXPECT_TRUE(endpoint.host().starts_with("127.") || endpoint.host() == "::1")
          << endpoint.to_string();
      EXPECT_EQ(endpoint.port(), 80);
    }
  });
}

TEST_P(Dns, what_cannot_be_found_is_an_error) {
  run_here([] {
    EXPECT_EQ(resolve("127.0.0.1", "no-such-service").error().code, ErrorCode::not_found);
    // No name has two dots in a row, so nobody is asked.
    EXPECT_EQ(resolve("no..name", 80).error().code, ErrorCode::not_found);
    EXPECT_EQ(resolve("no..name", 80).error().message(), "no such name");
    EXPECT_EQ(resolve("", 80).error().code, ErrorCode::invalid_argument);
    EXPECT_EQ(resolve(std::string("local\0host", 10), 80).error().code,
              ErrorCode::invalid_argument);
  });
}

TEST_P(Dns, a_caller_that_is_cancelled_asks_nobody) {
  run_here([] {
    CancelSource source;
    source.cancel();
    const auto found = with_cancel(source.token(), [] { return resolve("192.0.2.7", 1); });
    EXPECT_EQ(found.error().code, ErrorCode::cancelled);
  });
}

}  // namespace
}  // namespace weft
