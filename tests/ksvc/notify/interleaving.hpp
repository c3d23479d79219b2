// Interleavings: runs the real code of several threads in every order of their steps.
//
// The threads of a scenario are fibers of one thread; each operation on a CheckedAtomic is a step,
// before which any other thread may run instead. From each state that was not met before, every
// thread that can go on is tried. A state is the value of all atomics and, for each thread, all
// that it has read since it began (as a hash of 64 bits), since a thread's future depends on
// nothing else. Memory is sequentially consistent here: what weaker orders allow is for other
// tests.
#pragma once

#include <gtest/gtest.h>
#include <ucontext.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <unordered_set>
#include <utility>
#include <vector>

namespace weft::ksvc::testing {

class CheckedCell {
 public:
  virtual std::uint64_t word() const noexcept = 0;

 protected:
  ~CheckedCell() = default;
};

class Interleavings {
 public:
  struct Report {
    std::string violation;  // empty: none
    std::string schedule;   // which thread took each step of the run that shows it
    std::size_t states = 0;
    std::size_t runs = 0;
  };

  // A Scenario is made anew for each run. Its threads() are functions, its verdict(ended) is empty
  // or says what is wrong when nothing can go on any more; `ended`: all threads have.
  template <class Scenario>
  static Report explore() {
    Interleavings all;
    // At one address in every run, since addresses are among what threads read.
    std::optional<Scenario> scenario;
    std::vector<std::vector<int>> untried{{}};
    while (!untried.empty() && all.report_.violation.empty()) {
      const std::vector<int> prefix = std::move(untried.back());
      untried.pop_back();
      scenario.reset();
      all.cells_.clear();
      current() = &all;
      scenario.emplace();
      all.run(scenario->threads(), prefix, untried);
      if (all.report_.violation.empty()) all.report_.violation = scenario->verdict(all.ended());
      ++all.report_.runs;
    }
    scenario.reset();
    current() = nullptr;
    all.report_.states = all.visited_.size();
    for (const int step : all.schedule_) all.report_.schedule += std::to_string(step);
    return all.report_;
  }

  static Interleavings*& current() {
    static thread_local Interleavings* running = nullptr;
    return running;
  }

  void add(const CheckedCell& cell) { cells_.push_back(&cell); }

  // A thread is about to do something others can see.
  void step() {
    if (running_ >= 0) ::swapcontext(&fiber(running_).context, &scheduler_);
  }
  void observed(std::uint64_t value) {
    if (running_ < 0) return;
    fiber(running_).history = mixed(fiber(running_).history, value);
  }
  // What the thread has read so far, and that of all it has read since then only `result` matters:
  // an operation that is over has left nothing else behind. Fewer states are then different.
  std::uint64_t mark() { return running_ >= 0 ? fiber(running_).history : 0; }
  void summarise(std::uint64_t marked, std::uint64_t result) {
    if (running_ >= 0) fiber(running_).history = mixed(marked, result);
  }
  // A thread reads a cell; a failed exchange that comes next there replaces what it read, as it
  // replaces the expected value.
  void reads(const CheckedCell& cell) {
    if (running_ < 0) return;
    fiber(running_).last_read = &cell;
    fiber(running_).before_last_read = fiber(running_).history;
  }
  void reads_again(const CheckedCell& cell) {
    if (running_ >= 0 && fiber(running_).last_read == &cell) {
      fiber(running_).history = fiber(running_).before_last_read;
    } else {
      reads(cell);
    }
  }
  // The thread goes on when the condition holds, which must read only by peek().
  void wait_until(std::function<bool()> condition) {
    fiber(running_).condition = std::move(condition);
    step();
    fiber(running_).condition = nullptr;
    observed(1);
  }
  void fail(std::string violation) {
    if (report_.violation.empty()) report_.violation = std::move(violation);
  }

 private:
  static constexpr std::size_t kStackBytes = 128 * 1024;
  static constexpr std::size_t kMostSteps = 2'000;  // a run that takes more does not end

  struct Fiber {
    ucontext_t context{};
    std::unique_ptr<char[]> stack = std::make_unique<char[]>(kStackBytes);
    std::function<void()> body;
    std::function<bool()> condition;
    std::uint64_t history = 0;
    std::uint64_t before_last_read = 0;
    const CheckedCell* last_read = nullptr;
    bool ended = false;
  };

  static std::uint64_t mixed(std::uint64_t seed, std::uint64_t value) noexcept {
    std::uint64_t word = (seed ^ value) + 0x9e3779b97f4a7c15ULL + (seed << 6);
    word = (word ^ (word >> 30)) * 0xbf58476d1ce4e5b9ULL;
    word = (word ^ (word >> 27)) * 0x94d049bb133111ebULL;
    return word ^ (word >> 31);
  }

  static void fiber_main() {
    Interleavings& self = *current();
    Fiber& fiber = self.fiber(self.running_);
    fiber.body();
    fiber.ended = true;
    for (;;) ::swapcontext(&fiber.context, &self.scheduler_);
  }

  Fiber& fiber(int i) { return *fibers_[static_cast<std::size_t>(i)]; }

  void start(std::vector<std::function<void()>> bodies) {
    while (fibers_.size() < bodies.size()) fibers_.push_back(std::make_unique<Fiber>());
    for (std::size_t i = 0; i < bodies.size(); ++i) {
      Fiber& fiber = *fibers_[i];
      fiber.body = std::move(bodies[i]);
      fiber.condition = nullptr;
      fiber.history = i;
      fiber.last_read = nullptr;
      fiber.ended = false;
      ::getcontext(&fiber.context);
      fiber.context.uc_stack.ss_sp = fiber.stack.get();
      fiber.context.uc_stack.ss_size = kStackBytes;
      ::makecontext(&fiber.context, &Interleavings::fiber_main, 0);
      // To the first step, which is before anything others can see.
      resume(static_cast<int>(i));
    }
  }

  void resume(int i) {
    running_ = i;
    ::swapcontext(&scheduler_, &fiber(i).context);
    running_ = -1;
  }

  std::vector<int> able() {
    std::vector<int> able;
    for (std::size_t i = 0; i < fibers_.size(); ++i) {
      const Fiber& fiber = *fibers_[i];
      if (!fiber.ended && (!fiber.condition || fiber.condition())) {
        able.push_back(static_cast<int>(i));
      }
    }
    return able;
  }

  bool ended() const {
    for (const auto& fiber : fibers_) {
      if (!fiber->ended) return false;
    }
    return true;
  }

  std::uint64_t state() const {
    std::uint64_t state = 0;
    for (const CheckedCell* cell : cells_) state = mixed(state, cell->word());
    for (const auto& fiber : fibers_) state = mixed(state, fiber->history);
    return state;
  }

  // A run that comes to a state met before is finished all the same, so that no frame is left.
  void run(std::vector<std::function<void()>> bodies, const std::vector<int>& prefix,
           std::vector<std::vector<int>>& untried) {
    schedule_.clear();
    start(std::move(bodies));
    bool is_new = true;
    for (std::vector<int> next = able(); !next.empty(); next = able()) {
      int choice = next.front();
      if (schedule_.size() < prefix.size()) {
        choice = prefix[schedule_.size()];
      } else if (is_new && (is_new = visited_.insert(state()).second)) {
        for (std::size_t i = 1; i < next.size(); ++i) {
          untried.push_back(schedule_);
          untried.back().push_back(next[i]);
        }
      }
      schedule_.push_back(choice);
      resume(choice);
      if (schedule_.size() > kMostSteps) fail("does not end");
      if (!report_.violation.empty()) return;
    }
  }

  Report report_;
  std::vector<const CheckedCell*> cells_;
  std::unordered_set<std::uint64_t> visited_;
  std::vector<std::unique_ptr<Fiber>> fibers_;
  std::vector<int> schedule_;
  ucontext_t scheduler_{};
  int running_ = -1;
};

// Performs an operation that leaves nothing behind in its thread but what it returns.
template <class Operation>
auto summarised(Operation operation) {
  Interleavings& all = *Interleavings::current();
  const std::uint64_t marked = all.mark();
  if constexpr (std::is_void_v<decltype(operation())>) {
    operation();
    all.summarise(marked, 1);
  } else {
    const auto result = operation();
    all.summarise(marked, static_cast<std::uint64_t>(result));
    return result;
  }
}

// As much of std::atomic as the code under test uses.
template <class T>
class CheckedAtomic final : public CheckedCell {
 public:
  explicit CheckedAtomic(T value) : value_(value) { all().add(*this); }
  CheckedAtomic(const CheckedAtomic&) = delete;
  CheckedAtomic& operator=(const CheckedAtomic&) = delete;

  T load(std::memory_order) const noexcept {
    all().step();
    all().reads(*this);
    return read();
  }
  void store(T value, std::memory_order) noexcept {
    all().step();
    value_ = value;
    all().observed(kStored);
  }
  T exchange(T value, std::memory_order) noexcept {
    all().step();
    const T before = read();
    value_ = value;
    return before;
  }
  bool compare_exchange_weak(T& expected, T value, std::memory_order,
                             std::memory_order = std::memory_order_seq_cst) noexcept {
    all().step();
    all().reads_again(*this);
    const T before = read();
    const bool same = before == expected;
    if (same) value_ = value;
    all().observed(same ? kStored : 0);
    expected = before;
    return same;
  }
  T fetch_add(T value, std::memory_order) noexcept {
    all().step();
    const T before = read();
    value_ = static_cast<T>(value_ + value);
    return before;
  }

  T fetch_or(T value, std::memory_order) noexcept {
    all().step();
    const T before = read();
    value_ |= value;
    return before;
  }
  T fetch_and(T value, std::memory_order) noexcept {
    all().step();
    const T before = read();
    value_ &= value;
    return before;
  }

  // Within a step, and without being one.
  T peek() const noexcept { return value_; }
  void poke(T value) noexcept { value_ = value; }

  std::uint64_t word() const noexcept override {
    if constexpr (std::is_pointer_v<T>) {
      return reinterpret_cast<std::uintptr_t>(value_);
    } else {
      return static_cast<std::uint64_t>(value_);
    }
  }

 private:
  static constexpr std::uint64_t kStored = 0x53;

  static Interleavings& all() noexcept { return *Interleavings::current(); }
  T read() const noexcept {
    all().observed(word());
    return value_;
  }

  T value_;
};

class InterleavingTest : public ::testing::Test {
 protected:
  // One thread on stacks of its own making, which sanitizers follow slowly or not at all.
  void SetUp() override {
#if defined(WEFT_ASAN) || defined(WEFT_TSAN)
    GTEST_SKIP() << "not under sanitizers";
#endif
  }
};

}  // namespace weft::ksvc::testing
