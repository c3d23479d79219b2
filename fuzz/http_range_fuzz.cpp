// Range fields: what is asked for lies inside the representation and never adds up to more than it.
//
// The first byte of an input chooses the size; the rest is the field's value.

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "http/range.hpp"

namespace {

using namespace weft::http;

void check(const ByteRanges& ranges, std::uint64_t size) {
  if (ranges.count > ByteRanges::capacity) std::abort();
  if ((ranges.state == RangeState::satisfiable) != (ranges.count != 0)) std::abort();
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < ranges.count; ++i) {
    const ByteRange& one = ranges.ranges[i];
    if (one.length == 0 || one.offset >= size || one.length > size - one.offset) std::abort();
    total += one.length;
    for (std::size_t j = 0; j < i; ++j) {
      const ByteRange& other = ranges.ranges[j];
      const bool apart =
          one.offset + one.length < other.offset || other.offset + other.length < one.offset;
      if (!apart) std::abort();
    }
  }
  if (total > size) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view value(reinterpret_cast<const char*>(data) + 1, size - 1);
  constexpr std::uint64_t sizes[] = {0, 1, 100, 1'000'000, ~std::uint64_t{0}};
  const std::uint64_t bytes = sizes[data[0] % 5];
  const ByteRanges ranges = parse_ranges(value, bytes);
  check(ranges, bytes);
  const ByteRanges fewer = parse_ranges(value, bytes, 2);
  check(fewer, bytes);
  if (fewer.count > 2) std::abort();
  if (fewer.state != RangeState::ignored && fewer.state != ranges.state) std::abort();
  return 0;
}
