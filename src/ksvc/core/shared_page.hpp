// SharedPage: facts about the process and its live counters, read without a system call.
//
// Contract.
// - fact(f): one number. After a fork, however it was made, the child's next call sees the child;
//   only vfork() and clone(CLONE_VM) share the parent's memory, and hence what it says.
// - identity(): several numbers that were true together.
// - refresh_identity(): to be called after a call that changed credentials or limits, on the thread
//   that made it. Credentials are a thread's own in the kernel: where threads differ, fact() and
//   identity() give the calling thread's.
// - writer(worker): how a worker counts. One thread at a time writes a worker's counters; any
//   thread and any process may read them at any time. A counter is right by itself; two counters
//   need not be of the same moment. A forked child counts for itself, from 0, and never on what its
//   parent publishes.
// - Nothing here may be called from a signal handler.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace weft::ksvc {

// The values are places in a mapped file: never reuse or reorder them.
enum class Fact : std::uint8_t {
  pid = 0,
  ppid = 1,  // as of the last refresh; a parent that ends is replaced without notice
  uid = 2,
  euid = 3,
  suid = 4,
  gid = 5,
  egid = 6,
  sgid = 7,
  start_ticks = 8,  // when the process began, in clock ticks since the boot; with pid it is unique
  created_ns = 9,   // when the page was made, in nanoseconds since 1970
  page_bytes = 10,
  cores_online = 11,
  clock_ticks = 12,  // per second
  memory_bytes = 13,
  open_files_soft = 14,  // limits are as of the last refresh; UINT64_MAX is no limit
  open_files_hard = 15,
  memlock_soft = 16,
  memlock_hard = 17,
  workers = 18,
  pool_threads = 19,
};
inline constexpr std::size_t kFacts = 20;

enum class Text : std::uint8_t {
  process_name = 0,
  weft_version = 1,
  kernel_release = 2,
  boot_id = 3,
};
inline constexpr std::size_t kTexts = 4;

struct ProcessIdentity {
  std::uint32_t pid = 0;
  std::uint32_t ppid = 0;
  std::uint32_t uid = 0;
  std::uint32_t euid = 0;
  std::uint32_t suid = 0;
  std::uint32_t gid = 0;
  std::uint32_t egid = 0;
  std::uint32_t sgid = 0;
  std::uint64_t start_ticks = 0;

  friend bool operator==(const ProcessIdentity&, const ProcessIdentity&) = default;
};

enum class Counter : std::uint8_t {
  submitted = 0,    // operations handed to the kernel
  batches = 1,      // entries into the kernel
  completions = 2,  // completions drained
  in_flight = 3,    // operations that have not completed; goes down too
  pool_busy = 4,    // pool threads that run this worker's tasks; goes down too
  pool_queued = 5,  // this worker's tasks that wait for a pool thread; goes down too
};
inline constexpr std::size_t kCounters = 6;

struct CounterValues {
  std::array<std::uint64_t, kCounters> values{};

  std::uint64_t operator[](Counter counter) const noexcept {
    return values[static_cast<std::size_t>(counter)];
  }
  CounterValues& operator+=(const CounterValues& other) noexcept {
    for (std::size_t index = 0; index < kCounters; ++index) values[index] += other.values[index];
    return *this;
  }
};

template <class W>
concept CounterWriting = requires(const W& writer, Counter counter) {
  { writer.add(counter, std::int64_t{1}) } noexcept -> std::same_as<void>;
  { writer.set(counter, std::uint64_t{1}) } noexcept -> std::same_as<void>;
};

template <class P>
concept SharedPage = requires(P& page, Fact fact, Text text, std::uint32_t worker) {
  { page.fact(fact) } noexcept -> std::same_as<std::uint64_t>;
  { page.identity() } noexcept -> std::same_as<ProcessIdentity>;
  { page.text(text) } noexcept -> std::same_as<std::string_view>;
  { page.refresh_identity() } noexcept -> std::same_as<void>;
  { page.writer(worker) } noexcept -> CounterWriting;
  { page.counters(worker) } noexcept -> std::same_as<CounterValues>;
  { P::name() } -> std::convertible_to<const char*>;
};

// The counters of all workers together.
template <SharedPage P>
CounterValues total_counters(P& page) noexcept {
  CounterValues total;
  const auto workers = static_cast<std::uint32_t>(page.fact(Fact::workers));
  for (std::uint32_t worker = 0; worker < workers; ++worker) total += page.counters(worker);
  return total;
}

}  // namespace weft::ksvc
