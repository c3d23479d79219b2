#include "http/scan_wide.hpp"

#include <array>

#include "http/scan.hpp"

#if defined(__x86_64__)
#include <immintrin.h>

#include <bit>
#endif

namespace weft::http::scan {

namespace {

bool works_everywhere() { return true; }

std::size_t narrow_value_end(std::string_view bytes, std::size_t from) {
  return fastest::value_end(bytes, from);
}

std::size_t narrow_target_end(std::string_view bytes, std::size_t from) {
  return fastest::target_end(bytes, from);
}

#if defined(__x86_64__)

// Only what is marked so is compiled for AVX2, this file as a whole is not: a function of a header
// that the linker takes from here still runs on every processor.
namespace avx2 {

constexpr std::size_t width = 32;

bool works() { return __builtin_cpu_supports("avx2") != 0; }

[[gnu::target("avx2"), gnu::always_inline]] inline __m256i load(const char* bytes) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(bytes));
}

// The bytes that end a value: control bytes other than the tab.
[[gnu::target("avx2"), gnu::always_inline]] inline unsigned value_ends(const char* bytes) {
  const __m256i window = load(bytes);
  const __m256i low = _mm256_cmpeq_epi8(_mm256_min_epu8(window, _mm256_set1_epi8(0x1F)), window);
  const __m256i tab = _mm256_cmpeq_epi8(window, _mm256_set1_epi8('\t'));
  const __m256i del = _mm256_cmpeq_epi8(window, _mm256_set1_epi8(0x7F));
  return static_cast<unsigned>(
      _mm256_movemask_epi8(_mm256_or_si256(_mm256_andnot_si256(tab, low), del)));
}

// The bytes that end a target: all but visible ASCII, and '#'. Signed, what is from 0x80 on is
// less than the space.
[[gnu::target("avx2"), gnu::always_inline]] inline unsigned target_ends(const char* bytes) {
  const __m256i window = load(bytes);
  const __m256i above = _mm256_cmpgt_epi8(window, _mm256_set1_epi8(0x20));
  const __m256i del = _mm256_cmpeq_epi8(window, _mm256_set1_epi8(0x7F));
  const __m256i hash = _mm256_cmpeq_epi8(window, _mm256_set1_epi8('#'));
  return ~static_cast<unsigned>(
      _mm256_movemask_epi8(_mm256_andnot_si256(_mm256_or_si256(del, hash), above)));
}

// The last window begins earlier instead of reaching past the view.
template <unsigned (*marks_at)(const char*)>
[[gnu::target("avx2"), gnu::always_inline]] inline std::size_t first_marked(std::string_view bytes,
                                                                            std::size_t from) {
  const char* const data = bytes.data();
  const std::size_t size = bytes.size();
  for (; size - from >= width; from += width) {
    const unsigned marks = marks_at(data + from);
    if (marks != 0) return from + static_cast<unsigned>(__builtin_ctz(marks));
  }
  if (from == size) return from;
  const std::size_t begin = size - width;
  const unsigned marks = marks_at(data + begin) >> (from - begin);
  return marks == 0 ? size : from + static_cast<unsigned>(__builtin_ctz(marks));
}

[[gnu::target("avx2")]] std::size_t value_end(std::string_view bytes, std::size_t from) {
  return first_marked<value_ends>(bytes, from);
}

[[gnu::target("avx2")]] std::size_t target_end(std::string_view bytes, std::size_t from) {
  return first_marked<target_ends>(bytes, from);
}

}  // namespace avx2

#endif

constexpr WideScans table[] = {
#if defined(__x86_64__)
    {"AVX2", avx2::works, avx2::value_end, avx2::target_end},
#endif
    {fastest::name, works_everywhere, narrow_value_end, narrow_target_end},
};

const WideScans& choose() {
  for (const WideScans& scans : table) {
    if (scans.works_here()) return scans;
  }
  return table[std::size(table) - 1];
}

}  // namespace

std::span<const WideScans> all_wide_scans() { return table; }

const WideScans& wide_scans() {
  static const WideScans& chosen = choose();
  return chosen;
}

}  // namespace weft::http::scan
