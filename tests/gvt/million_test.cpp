// A million green threads parked at once: what they cost in memory and in mappings.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "gvt/sanitizer.hpp"
#include "gvt/scheduler.hpp"
#include "ksvc/backend/uring_abi.hpp"
#include "weft/green.hpp"

namespace weft {
namespace {

constexpr std::size_t kGreenThreads = 1'000'000;
constexpr std::size_t kBytesEachMax = 4608;  // 4.5 KB: one page, its tables, and the closure
constexpr std::size_t kMappingsMax = 50;     // a program with its libraries has some fifty besides

// A line of one of the kernel's "Name:   123 kB" files, in bytes; 0 where there is none.
std::size_t bytes_of(const char* file, const std::string& name) {
  std::ifstream lines(file);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(name + ":")) return std::stoull(line.substr(name.size() + 1)) * 1024;
  }
  return 0;
}

std::size_t resident_bytes() { return bytes_of("/proc/self/status", "VmRSS"); }
std::size_t page_table_bytes() { return bytes_of("/proc/self/status", "VmPTE"); }

std::size_t mappings() {
  std::ifstream lines("/proc/self/maps");
  std::size_t count = 0;
  for (std::string line; std::getline(lines, line);) ++count;
  return count;
}

std::size_t resident_pages(const gvt::Stack& stack) {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  std::vector<unsigned char> pages((stack.size + page - 1) / page);
  EXPECT_EQ(::mincore(stack.bottom, stack.size, pages.data()), 0);
  return static_cast<std::size_t>(std::count_if(
      pages.begin(), pages.end(), [](unsigned char state) { return (state & 1) != 0; }));
}

bool has_light_guards() {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  void* place = ::mmap(nullptr, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (place == MAP_FAILED) return false;
  const bool has = ::madvise(place, page, ksvc::uring_abi::kMadvGuardInstall) == 0;
  ::munmap(place, page);
  return has;
}

struct Cost {
  std::size_t parked = 0;
  std::size_t bytes = 0;
  std::size_t table_bytes = 0;
  std::size_t mappings = 0;      // of the whole process
  std::size_t own_mappings = 0;  // that came with them
};

// Parks `count` green threads, looks at the process, and wakes them all.
Cost cost_of_parked(std::size_t count) {
  Cost cost;
  run([&] {
    std::vector<gvt::GreenThread*> waiting;
    waiting.reserve(count);
    std::size_t went_on = 0;
    // Touched before the first look: the list is the test's, not the green threads'.
    waiting.resize(count);
    waiting.clear();
    yield();
    const std::size_t resident_before = resident_bytes();
    const std::size_t tables_before = page_table_bytes();
    const std::size_t mappings_before = mappings();
    for (std::size_t i = 0; i < count; ++i) {
      spawn([&waiting, &went_on] {
        gvt::Scheduler& scheduler = *gvt::current_scheduler();
        scheduler.prepare_park();
        waiting.push_back(&scheduler.running());
        scheduler.park_prepared();
        ++went_on;
      });
      // As a server would: in batches, not all of them ready before the first has run.
      if (i % 256 == 255) yield();
    }
    while (waiting.size() < count) yield();
    cost.parked = waiting.size();
    cost.table_bytes = page_table_bytes() - tables_before;
    cost.bytes = resident_bytes() - resident_before + cost.table_bytes;
    cost.mappings = mappings();
    cost.own_mappings = cost.mappings - mappings_before;
    for (gvt::GreenThread* thread : waiting) gvt::current_scheduler()->make_ready(*thread);
    while (went_on < count) yield();
  });
  return cost;
}

TEST(ManyStacks, twenty_thousand_parked_green_threads_come_back) {
  const std::size_t count = gvt::sanitizer::kEnabled ? 2000 : 20'000;
  const Cost cost = cost_of_parked(count);
  EXPECT_EQ(cost.parked, count);
  if (!has_light_guards() || gvt::sanitizer::kEnabled) return;
  EXPECT_LT(cost.own_mappings, kMappingsMax);
}

// A stack that the loop has run a turn on before a green thread parked on it costs no more.
TEST(ManyStacks, turn_of_the_loop_stays_on_the_first_page) {
  if (gvt::sanitizer::kEnabled) GTEST_SKIP() << "instrumented frames are larger";
  run([] {
    std::vector<gvt::GreenThread*> waiting;
    for (int i = 0; i < 50; ++i) {
      spawn([&waiting] {
        gvt::Scheduler& scheduler = *gvt::current_scheduler();
        scheduler.prepare_park();
        waiting.push_back(&scheduler.running());
        scheduler.park_prepared();
      });
      // Nothing is ready until this is due.
      sleep(std::chrono::nanoseconds(1));
    }
    EXPECT_EQ(waiting.size(), 50U);
    for (gvt::GreenThread* thread : waiting) {
      EXPECT_EQ(resident_pages(thread->stack), 1U);
      gvt::current_scheduler()->make_ready(*thread);
    }
  });
}

TEST(SlowMillion, parked_green_threads_cost_a_page_each_in_few_mappings) {
  if (gvt::sanitizer::kEnabled) GTEST_SKIP() << "the sanitizers' own memory would be counted";
  if (!has_light_guards()) GTEST_SKIP() << "guards take two mappings each on this kernel";
  if (bytes_of("/proc/meminfo", "MemAvailable") < 2 * kGreenThreads * kBytesEachMax) {
    GTEST_SKIP() << "less memory is free than this may take";
  }
  const Cost cost = cost_of_parked(kGreenThreads);
  const std::size_t each = cost.bytes / kGreenThreads;
  std::printf(
      "%zu parked: %zu bytes each, page tables %zu of them; %zu mappings more, %zu in all\n",
      cost.parked, each, cost.table_bytes / kGreenThreads, cost.own_mappings, cost.mappings);
  EXPECT_EQ(cost.parked, kGreenThreads);
  EXPECT_LE(each, kBytesEachMax);
  EXPECT_LT(cost.own_mappings, kMappingsMax);
}

}  // namespace
}  // namespace weft
