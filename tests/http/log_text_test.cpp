// printable(): what comes from outside cannot forge a log line.
#include "http/log_text.hpp"

#include <gtest/gtest.h>

namespace weft::http {
namespace {

TEST(LogText, ordinary_text_is_kept) {
  EXPECT_EQ(printable("GET /a?b=c \xC3\xA9"), "GET /a?b=c \xC3\xA9");
}

TEST(LogText, line_breaks_escapes_and_backslashes_are_spelled_out) {
  EXPECT_EQ(printable("a\nb\x1b[31m\\"), "a\\x0ab\\x1b[31m\\x5c");
  EXPECT_EQ(printable(std::string_view("\0\x7f", 2)), "\\x00\\x7f");
}

TEST(LogText, long_text_is_cut) {
  const std::string text = printable(std::string(5'000, 'a'));
  EXPECT_EQ(text, std::string(1'000, 'a') + "...");
}

}  // namespace
}  // namespace weft::http
