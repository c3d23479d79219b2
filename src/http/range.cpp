#include "http/range.hpp"

#include <algorithm>
#include <limits>
#include <optional>

#include "http/head_parser.hpp"
#include "http/header_text.hpp"

namespace weft::http {

namespace {

constexpr std::string_view kUnit = "bytes=";
constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();

// The number that the text begins with, taken off it. One that is too large for its type lies
// behind the end of everything, and so does the largest that is not.
std::optional<std::uint64_t> take_number(std::string_view& text) {
  std::uint64_t number = 0;
  std::size_t digits = 0;
  for (; digits < text.size() && text[digits] >= '0' && text[digits] <= '9'; ++digits) {
    const auto digit = static_cast<std::uint64_t>(text[digits] - '0');
    number = number > (kMost - digit) / 10 ? kMost : number * 10 + digit;
  }
  if (digits == 0) return std::nullopt;
  text.remove_prefix(digits);
  return number;
}

// One element of the set. Nothing if it is malformed; length 0 if it selects no byte.
std::optional<ByteRange> parse_range(std::string_view text, std::uint64_t size) {
  if (text.starts_with('-')) {
    text.remove_prefix(1);
    const auto suffix = take_number(text);
    if (!suffix || !text.empty()) return std::nullopt;
    const std::uint64_t length = std::min(*suffix, size);
    return ByteRange{size - length, length};
  }
  const auto first = take_number(text);
  if (!first || !text.starts_with('-')) return std::nullopt;
  text.remove_prefix(1);
  std::uint64_t last = kMost;
  if (!text.empty()) {
    const auto given = take_number(text);
    if (!given || !text.empty() || *given < *first) return std::nullopt;
    last = *given;
  }
  if (*first >= size) return ByteRange{0, 0};
  return ByteRange{*first, std::min(last, size - 1) - *first + 1};
}

bool touch(const ByteRange& a, const ByteRange& b) {
  return a.offset <= b.offset + b.length && b.offset <= a.offset + a.length;
}

ByteRange join(const ByteRange& a, const ByteRange& b) {
  const std::uint64_t begin = std::min(a.offset, b.offset);
  return {begin, std::max(a.offset + a.length, b.offset + b.length) - begin};
}

// Joining with one range may make the result touch another, before or behind it.
void add(ByteRanges& set, ByteRange range) {
  std::size_t place = set.count;
  for (std::size_t i = 0; i < set.count;) {
    if (!touch(set.ranges[i], range)) {
      ++i;
      continue;
    }
    range = join(set.ranges[i], range);
    place = std::min(place, i);
    std::copy(set.ranges.begin() + i + 1, set.ranges.begin() + set.count, set.ranges.begin() + i);
    --set.count;
    i = 0;
  }
  place = std::min(place, set.count);
  std::copy_backward(set.ranges.begin() + place, set.ranges.begin() + set.count,
                     set.ranges.begin() + set.count + 1);
  set.ranges[place] = range;
  ++set.count;
}

}  // namespace

ByteRanges parse_ranges(std::string_view value, std::uint64_t size, std::size_t most_ranges) {
  ByteRanges set;
  if (!equals_ignoring_case(value.substr(0, kUnit.size()), kUnit)) return set;
  value.remove_prefix(kUnit.size());
  const std::size_t most = std::min(most_ranges, ByteRanges::capacity);
  std::size_t elements = 0;
  bool any = false;
  bool whole = false;
  for (bool last = false; !last;) {
    const std::size_t comma = value.find(',');
    const std::string_view text = trim_blanks(value.substr(0, comma));
    last = comma == std::string_view::npos;
    value.remove_prefix(last ? value.size() : comma + 1);
    if (++elements > most) return ByteRanges();
    if (text.empty()) continue;  // RFC 9110 §5.6.1.2: empty elements of a list are ignored
    const auto range = parse_range(text, size);
    if (!range) return ByteRanges();
    any = true;
    whole |= size == 0 && text.front() == '-' && text.find_first_not_of('0', 1) != text.npos;
    if (range->length != 0) add(set, *range);
  }
  if (!any || whole) return ByteRanges();
  set.state = set.count != 0 ? RangeState::satisfiable : RangeState::unsatisfiable;
  return set;
}

}  // namespace weft::http
