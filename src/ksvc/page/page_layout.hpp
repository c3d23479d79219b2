// The layout of a shared page's file, which other processes read: version 1.
//
// Numbers are in the machine's own byte order; a reader of another order does not find the magic.
// A change of anything here needs a new version. The facts that may change are written under
// `sequence`: odd while a writer is at them, so that a reader who sees the same even number before
// and after has read what was true together. Texts never change once the file has its name.
// Counters are written by one thread each, on cache lines of their own. Any thread, any process.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "ksvc/core/shared_page.hpp"

namespace weft::ksvc {

inline constexpr std::uint64_t kPageMagic = 0x31'45'47'41'50'54'46'57;  // "WFTPAGE1" in memory
inline constexpr std::uint32_t kPageVersion = 1;
inline constexpr std::uint32_t kMostPageWorkers = 256;

// Set in a credential whose value differs from thread to thread; the rest is the value of the
// thread that wrote it last.
inline constexpr std::uint64_t kDiffersByThread = std::uint64_t{1} << 63;

struct PageHeader {
  std::uint64_t magic;
  std::uint32_t version;
  std::uint32_t header_bytes;
  std::uint64_t file_bytes;
  std::uint32_t facts_offset;
  std::uint32_t facts_count;
  std::uint32_t texts_offset;
  std::uint32_t texts_count;
  std::uint32_t text_bytes;
  std::uint32_t counters_offset;
  std::uint32_t counters_stride;
  std::uint32_t counters_count;  // per worker
  std::uint32_t most_workers;
  std::uint32_t reserved;

  friend bool operator==(const PageHeader&, const PageHeader&) = default;
};

struct alignas(64) PageFacts {
  static constexpr std::size_t kMostFacts = 32;
  std::atomic<std::uint32_t> sequence;
  std::uint32_t reserved;
  std::array<std::atomic<std::uint64_t>, kMostFacts> values;
};

struct alignas(64) PageTexts {
  static constexpr std::size_t kTextBytes = 64;  // with the zero at the end
  std::array<std::array<char, kTextBytes>, kTexts> texts;
};

// Two cache lines, since processors fetch them in pairs.
struct alignas(128) PageCounters {
  std::array<std::atomic<std::uint64_t>, kCounters> values;
};

struct PageFile {
  PageHeader header;
  PageFacts facts;
  PageTexts texts;
  alignas(128) std::array<PageCounters, kMostPageWorkers> workers;
};

static_assert(std::is_standard_layout_v<PageFile> && std::is_trivially_destructible_v<PageFile>);
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);
static_assert(sizeof(std::atomic<std::uint64_t>) == 8 && sizeof(std::atomic<std::uint32_t>) == 4);
static_assert(sizeof(PageHeader) == 64);
static_assert(offsetof(PageHeader, version) == 8 && offsetof(PageHeader, file_bytes) == 16);
static_assert(offsetof(PageHeader, counters_offset) == 44);
static_assert(offsetof(PageFacts, values) == 8 && kFacts <= PageFacts::kMostFacts);
static_assert(offsetof(PageFile, facts) == 64);
static_assert(offsetof(PageFile, texts) == 384);
static_assert(offsetof(PageFile, workers) == 640);
static_assert(sizeof(PageCounters) == 128);
static_assert(sizeof(PageFile) == 640 + 128 * kMostPageWorkers);

// What version 1 says in its header; a reader accepts nothing else.
inline constexpr PageHeader kPageHeader{
    .magic = kPageMagic,
    .version = kPageVersion,
    .header_bytes = sizeof(PageHeader),
    .file_bytes = sizeof(PageFile),
    .facts_offset = offsetof(PageFile, facts) + offsetof(PageFacts, values),
    .facts_count = kFacts,
    .texts_offset = offsetof(PageFile, texts),
    .texts_count = kTexts,
    .text_bytes = PageTexts::kTextBytes,
    .counters_offset = offsetof(PageFile, workers),
    .counters_stride = sizeof(PageCounters),
    .counters_count = kCounters,
    .most_workers = kMostPageWorkers,
    .reserved = 0,
};

using FactValues = std::array<std::uint64_t, kFacts>;

inline std::uint64_t& at(FactValues& values, Fact fact) noexcept {
  return values[static_cast<std::size_t>(fact)];
}
inline std::uint64_t at(const FactValues& values, Fact fact) noexcept {
  return values[static_cast<std::size_t>(fact)];
}

// One attempt to read the facts as they were together; false when a writer was at them.
inline bool try_read_facts(const PageFacts& facts, FactValues& values) noexcept {
  const std::uint32_t before = facts.sequence.load(std::memory_order_acquire);
  if (before % 2 != 0) return false;
  // Acquiring loads keep the second look at the sequence behind them.
  for (std::size_t index = 0; index < kFacts; ++index) {
    values[index] = facts.values[index].load(std::memory_order_acquire);
  }
  return facts.sequence.load(std::memory_order_relaxed) == before;
}

inline CounterValues read_counters(const PageCounters& counters) noexcept {
  CounterValues read;
  for (std::size_t index = 0; index < kCounters; ++index) {
    read.values[index] = counters.values[index].load(std::memory_order_relaxed);
  }
  return read;
}

// Values of differing credentials are given without their mark.
inline ProcessIdentity identity_from(const FactValues& values) noexcept {
  const auto number = [&values](Fact fact) { return static_cast<std::uint32_t>(at(values, fact)); };
  return {
      .pid = number(Fact::pid),
      .ppid = number(Fact::ppid),
      .uid = number(Fact::uid),
      .euid = number(Fact::euid),
      .suid = number(Fact::suid),
      .gid = number(Fact::gid),
      .egid = number(Fact::egid),
      .sgid = number(Fact::sgid),
      .start_ticks = at(values, Fact::start_ticks),
  };
}

}  // namespace weft::ksvc
