#include "http/range.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace weft::http {

namespace {

// Which bytes of a small representation are asked for, found one by one.
std::vector<bool> asked_for(const std::vector<std::pair<int, int>>& wanted, int size) {
  std::vector<bool> bytes(static_cast<std::size_t>(size), false);
  for (const auto& [first, last] : wanted) {
    for (int at = first; at <= last && at < size; ++at) bytes[static_cast<std::size_t>(at)] = true;
  }
  return bytes;
}

}  // namespace

TEST(Range, ranges_cover_what_was_asked_for_once_and_do_not_touch) {
  std::mt19937 random(20240612);  // fixed, so that a failure can be repeated
  std::uniform_int_distribution<int> any(0, 59);
  for (int round = 0; round < 5'000; ++round) {
    constexpr int size = 50;
    std::string value = "bytes=";
    std::vector<std::pair<int, int>> wanted;
    for (int i = any(random) % 8; i >= 0; --i) {
      const int first = any(random);
      const int last = first + any(random) % 12;
      wanted.emplace_back(first, last);
      value += std::to_string(first) + "-" + std::to_string(last) + (i == 0 ? "" : ", ");
    }
    SCOPED_TRACE(value);
    const ByteRanges ranges = parse_ranges(value, size);
    std::vector<int> times(size + 2, 0);
    for (std::size_t i = 0; i < ranges.count; ++i) {
      ASSERT_GT(ranges.ranges[i].length, 0U);
      ASSERT_LE(ranges.ranges[i].offset + ranges.ranges[i].length, std::uint64_t{size});
      for (std::uint64_t at = 0; at < ranges.ranges[i].length; ++at) {
        ++times[ranges.ranges[i].offset + at];
      }
      // A gap behind each: the byte there is no other range's.
      times[ranges.ranges[i].offset + ranges.ranges[i].length] += 10;
    }
    const std::vector<bool> expected = asked_for(wanted, size);
    for (std::size_t at = 0; at < expected.size(); ++at) {
      ASSERT_EQ(times[at] % 10, expected[at] ? 1 : 0) << at;
      ASSERT_NE(times[at], 11) << "two ranges touch at " << at;
    }
    EXPECT_EQ(ranges.state,
              ranges.count != 0 ? RangeState::satisfiable : RangeState::unsatisfiable);
  }
}

TEST(Range, the_largest_sizes_do_not_overflow) {
  constexpr std::uint64_t most = ~std::uint64_t{0};
  const ByteRanges all = parse_ranges("bytes=0-", most);
  ASSERT_EQ(all.count, 1U);
  EXPECT_EQ(all.ranges[0], (ByteRange{0, most}));
  const ByteRanges end = parse_ranges("bytes=18446744073709551614-99999999999999999999999", most);
  ASSERT_EQ(end.count, 1U);
  EXPECT_EQ(end.ranges[0], (ByteRange{most - 1, 1}));
  EXPECT_EQ(parse_ranges("bytes=18446744073709551615-", most).state, RangeState::unsatisfiable);
}

TEST(Range, the_capacity_bounds_what_a_caller_allows) {
  std::string value = "bytes=0-0";
  for (int i = 1; i < 17; ++i) value += "," + std::to_string(10 * i) + "-" + std::to_string(10 * i);
  EXPECT_EQ(parse_ranges(value, 1000, 100).state, RangeState::ignored);
  EXPECT_EQ(parse_ranges(value.substr(0, value.rfind(',')), 1000, 100).count, 16U);
  EXPECT_EQ(parse_ranges("bytes=0-0", 1000, 0).state, RangeState::ignored);
}

}  // namespace weft::http
