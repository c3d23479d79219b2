#include "weft/result.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace weft {
namespace {

TEST(Result, holds_a_value_or_an_error) {
  const Result<int> good = 5;
  EXPECT_TRUE(good.ok());
  EXPECT_EQ(*good, 5);
  const Result<int> bad = Error{ErrorCode::timed_out, 0};
  EXPECT_FALSE(bad);
  EXPECT_EQ(bad.error().code, ErrorCode::timed_out);
}

TEST(Result, value_of_a_failed_result_throws_what_went_wrong) {
  Result<int> bad = Error::from_errno(ECONNREFUSED);
  try {
    static_cast<void>(bad.value());
    FAIL() << "nothing was thrown";
  } catch (const std::logic_error& error) {
    EXPECT_NE(std::string(error.what()).find("refused"), std::string::npos) << error.what();
  }
}

TEST(Result, value_or_replaces_an_error_only) {
  EXPECT_EQ(Result<int>(5).value_or(7), 5);
  EXPECT_EQ(Result<int>(Error{}).value_or(7), 7);
}

TEST(Result, value_that_can_only_be_moved_is_moved_out) {
  Result<std::unique_ptr<int>> good = std::make_unique<int>(9);
  const std::unique_ptr<int> taken = std::move(good).value();
  EXPECT_EQ(*taken, 9);
  // NOLINTNEXTLINE(bugprone-use-after-move): what is left behind is what is asked about.
  EXPECT_EQ(good->get(), nullptr);
}

TEST(Result, success_without_a_value_is_the_default) {
  EXPECT_TRUE(Result<void>().ok());
  EXPECT_FALSE(Result<void>(Error{ErrorCode::cancelled, 0}).ok());
}

TEST(Error, errno_maps_to_what_a_caller_branches_on) {
  EXPECT_EQ(Error::from_errno(ECONNRESET).code, ErrorCode::reset);
  EXPECT_EQ(Error::from_errno(EPIPE).code, ErrorCode::reset);
  EXPECT_EQ(Error::from_errno(ECONNABORTED).code, ErrorCode::reset);
  EXPECT_EQ(Error::from_errno(ETIMEDOUT).code, ErrorCode::timed_out);
  EXPECT_EQ(Error::from_errno(ETIME).code, ErrorCode::timed_out);
  EXPECT_EQ(Error::from_errno(ECANCELED).code, ErrorCode::cancelled);
  EXPECT_EQ(Error::from_errno(EINVAL).code, ErrorCode::invalid_argument);
  EXPECT_EQ(Error::from_errno(ENOENT).code, ErrorCode::system);
  EXPECT_EQ(Error::from_errno(ENOENT).os_errno, ENOENT);
}

TEST(Error, message_says_what_happened_even_without_an_errno) {
  EXPECT_EQ((Error{ErrorCode::end_of_stream, 0}).message(), "end of stream");
  EXPECT_EQ((Error{ErrorCode::timed_out, 0}).message(), "timed out");
  EXPECT_EQ((Error{ErrorCode::cancelled, 0}).message(), "cancelled");
  EXPECT_EQ(Error::from_errno(ENOENT).message(), "No such file or directory");
}

}  // namespace
}  // namespace weft
