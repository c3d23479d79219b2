// One row, one figure, one process: what the C++ programs that bench/gvt.py drives share.
//
// A program is called as PROGRAM ROW COUNT FIRST_CORE SECOND_CORE, pins itself to the first core,
// and prints one figure. A process of its own for each figure lets the driver take the programs in
// turns and gives each of them a heap that no other row has been at.
#pragma once

#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <span>
#include <string_view>
#include <vector>

#include "ksvc_rows.hpp"

namespace bench {

constexpr std::size_t kMutexThreads = 8;
constexpr std::size_t kJoinedTogether = 1000;

struct RowArguments {
  std::size_t count = 0;
  int first_core = 0;
  int second_core = 1;
};

struct NamedRow {
  std::string_view name;
  double (*measure)(const RowArguments& arguments);
};

inline double clock_ns(clockid_t clock) {
  timespec time{};
  ::clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

// Nanoseconds of one of `count` operations, after a tenth as many to warm up. The processor time of
// the process, unless another clock is named: what others do on the machine is not in it.
template <class Operations>
double per_operation(std::size_t count, Operations&& operations,
                     clockid_t clock = CLOCK_PROCESS_CPUTIME_ID) {
  operations(count / 10 + 1);
  const double begin = clock_ns(clock);
  operations(count);
  return (clock_ns(clock) - begin) / static_cast<double>(count);
}

inline std::size_t resident_bytes() {
  std::FILE* file = std::fopen("/proc/self/statm", "r");
  unsigned long pages = 0;
  const bool read = file != nullptr && std::fscanf(file, "%*u %lu", &pages) == 1;
  if (file != nullptr) std::fclose(file);
  if (!read) std::abort();
  return pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

// The same delays in every program, which each has in its own language.
inline std::vector<std::chrono::nanoseconds> delays(std::size_t count,
                                                    std::chrono::nanoseconds least,
                                                    std::chrono::nanoseconds most) {
  std::vector<std::chrono::nanoseconds> drawn;
  drawn.reserve(count);
  std::uint64_t state = 1;
  for (std::size_t i = 0; i < count; ++i) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    const auto range = static_cast<std::uint64_t>((most - least).count());
    drawn.push_back(least + std::chrono::nanoseconds((state >> 33) % range));
  }
  return drawn;
}

inline int print_row(std::span<const NamedRow> rows, int count, char** words) {
  if (count != 5) {
    std::fprintf(stderr, "usage: %s ROW COUNT FIRST_CORE SECOND_CORE\n", words[0]);
    return 2;
  }
  RowArguments arguments;
  arguments.count = std::strtoul(words[2], nullptr, 10);
  arguments.first_core = std::atoi(words[3]);
  arguments.second_core = std::atoi(words[4]);
  for (const NamedRow& row : rows) {
    if (row.name != words[1]) continue;
    pin_this_thread(arguments.first_core);
    std::printf("%.3f\n", row.measure(arguments));
    return 0;
  }
  std::fprintf(stderr, "no row %s\n", words[1]);
  return 2;
}

}  // namespace bench
