// Rows of figures taken in turns: what the benchmark programs of the kernel services share.
//
// A round takes every row once, a different one first each time, so that what slows the machine
// down for a while slows down all rows alike. The figures of every round are printed as JSON, for
// bench/ksvc.py to compare within the rounds.
#pragma once

#include <pthread.h>
#include <sched.h>

#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace bench {

struct RowsArguments {
  int rounds = 31;
  int first_core = 0;
  int second_core = 1;
  std::string folder = ".";  // for files

  // ROUNDS FIRST_CORE SECOND_CORE FOLDER, each of which may be left out with those behind it.
  static RowsArguments from(int count, char** words) {
    RowsArguments arguments;
    if (count > 1) arguments.rounds = std::atoi(words[1]);
    if (count > 2) arguments.first_core = std::atoi(words[2]);
    if (count > 3) arguments.second_core = std::atoi(words[3]);
    if (count > 4) arguments.folder = words[4];
    return arguments;
  }
};

inline void pin_this_thread(int core) {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  CPU_SET(core, &cores);
  pthread_setaffinity_np(pthread_self(), sizeof cores, &cores);
}

// The compiler must make this value, and may not know what became of it.
template <class Value>
void keep(const Value& value) {
  asm volatile("" : : "r"(&value) : "memory");
}

template <class Operation>
double nanoseconds_per(std::size_t repetitions, Operation&& operation) {
  const auto begin = std::chrono::steady_clock::now();
  for (std::size_t i = 0; i < repetitions; ++i) operation(i);
  const std::chrono::duration<double, std::nano> spent = std::chrono::steady_clock::now() - begin;
  return spent.count() / static_cast<double>(repetitions);
}

class Rows {
 public:
  // `measure` is called once a round and gives one figure.
  void add(std::string name, const char* unit, std::function<double()> measure) {
    rows_.push_back({std::move(name), unit, std::move(measure), {}});
  }
  // Nanoseconds of one `operation(i)`.
  template <class Operation>
  void add_operation(std::string name, std::size_t repetitions, Operation operation) {
    add(std::move(name), "ns",
        [repetitions, operation]() mutable { return nanoseconds_per(repetitions, operation); });
  }
  void skip(std::string name, std::string reason) {
    skipped_.emplace_back(std::move(name), std::move(reason));
  }

  void run(int rounds) {
    if (rows_.empty()) return;
    for (Row& row : rows_) row.measure();  // warms up
    for (int round = 0; round < rounds; ++round) {
      for (std::size_t i = 0; i < rows_.size(); ++i) {
        Row& row = rows_[(i + static_cast<std::size_t>(round)) % rows_.size()];
        row.figures.push_back(row.measure());
      }
    }
  }

  void print() const {
    std::printf("{\"rows\": [");
    const char* comma = "";
    for (const Row& row : rows_) {
      std::printf("%s\n {\"name\": \"%s\", \"unit\": \"%s\", \"rounds\": [",
                  std::exchange(comma, ","), row.name.c_str(), row.unit);
      for (std::size_t i = 0; i < row.figures.size(); ++i) {
        std::printf("%s%.4f", i == 0 ? "" : ", ", row.figures[i]);
      }
      std::printf("]}");
    }
    std::printf("],\n \"skipped\": [");
    comma = "";
    for (const auto& [name, reason] : skipped_) {
      std::printf("%s\n {\"name\": \"%s\", \"reason\": \"%s\"}", std::exchange(comma, ","),
                  name.c_str(), reason.c_str());
    }
    std::printf("]}\n");
  }

 private:
  struct Row {
    std::string name;
    const char* unit;
    std::function<double()> measure;
    std::vector<double> figures;
  };

  std::vector<Row> rows_;
  std::vector<std::pair<std::string, std::string>> skipped_;
};

}  // namespace bench
