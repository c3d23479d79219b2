#include "gvt/stall_detector.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <string>
#include <thread>

#include "gvt/context.hpp"
#include "gvt/sanitizer.hpp"

namespace weft::gvt {
namespace stall_test {

using namespace std::chrono_literals;
using Verdict = StallJudge::Verdict;

struct JudgeTest : ::testing::Test {
  std::atomic<std::uint32_t> sleeps{0};
  Pulse pulse{sleeps};
  StallJudge judge{100ns};

  Verdict at(std::int64_t time) { return judge.look(pulse.word(), {time}); }
};

TEST_F(JudgeTest, a_worker_that_has_not_begun_waits) { EXPECT_EQ(at(1'000'000), Verdict::waits); }

TEST_F(JudgeTest, who_takes_its_turns_works_however_long_that_goes_on) {
  for (std::int64_t time = 0; time < 1000; time += 90) {
    pulse.turn_begins();
    EXPECT_EQ(at(time), Verdict::works);
  }
}

TEST_F(JudgeTest, a_turn_as_long_as_the_threshold_is_a_stall_and_its_end_is_said_once) {
  pulse.turn_begins();
  EXPECT_EQ(at(1000), Verdict::works);
  EXPECT_EQ(at(1099), Verdict::works);
  EXPECT_EQ(at(1100), Verdict::stalls);
  EXPECT_EQ(judge.lasted(), 100ns);
  EXPECT_EQ(at(1700), Verdict::stalls);
  pulse.turn_begins();
  EXPECT_EQ(at(1800), Verdict::over);
  EXPECT_EQ(judge.lasted(), 800ns);
  EXPECT_EQ(at(1850), Verdict::works);
}

TEST_F(JudgeTest, a_wait_is_no_stall_and_ends_one) {
  pulse.turn_begins();
  pulse.wait_begins();
  EXPECT_EQ(at(10), Verdict::works);
  EXPECT_EQ(at(1'000'000), Verdict::waits);
  pulse.turn_begins();
  EXPECT_EQ(at(1'000'010), Verdict::works);
  EXPECT_EQ(at(1'000'110), Verdict::stalls);
  pulse.wait_begins();
  EXPECT_EQ(at(1'000'120), Verdict::over);
  EXPECT_EQ(at(1'000'130), Verdict::waits);
}

TEST_F(JudgeTest, going_to_work_wakes_a_sleeping_watcher_and_staying_there_does_not) {
  sleeps = 1;
  pulse.turn_begins();
  EXPECT_EQ(sleeps, 0U);
  sleeps = 1;
  pulse.turn_begins();
  EXPECT_EQ(sleeps, 1U);
  pulse.wait_begins();
  EXPECT_EQ(sleeps, 1U);
  pulse.turn_begins();
  EXPECT_EQ(sleeps, 0U);
}

// What a detector tells, for a thread that waits for it.
class Told {
 public:
  StallOptions options() {
    return {.threshold = 8ms, .report = [this](const Stall& stall) { add(stall); }};
  }
  Stall next() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !stalls_.empty(); });
    Stall stall = std::move(stalls_.front());
    stalls_.pop_front();
    ++taken_;
    return stall;
  }
  std::size_t count() {
    const std::lock_guard lock(mutex_);
    return taken_ + stalls_.size();
  }

 private:
  void add(const Stall& stall) {
    const std::lock_guard lock(mutex_);
    stalls_.push_back(stall);
    changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Stall> stalls_;
  std::size_t taken_ = 0;
};

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

void let_others_run() { ::usleep(200); }

// Stands still until it was told.
[[gnu::noinline]] void a_handler_that_computes(Told& told, std::size_t count) {
  while (told.count() < count) let_others_run();
  __asm__ volatile("");
}

TEST(StallDetector, tells_of_a_stall_where_it_is_and_then_that_it_is_over) {
  Told told;
  StallDetector detector(told.options());
  StallWatch watch(detector, 7);
  watch.pulse().turn_begins();
  a_handler_that_computes(told, 1);
  const Stall noticed = told.next();
  EXPECT_EQ(noticed.stage, Stall::Stage::noticed);
  EXPECT_EQ(noticed.worker, 7U);
  EXPECT_GE(noticed.lasted, 8ms);
  EXPECT_TRUE(contains(noticed.text, "worker 7 has not been in its loop for ")) << noticed.text;
  ASSERT_FALSE(noticed.stack.empty());
  const bool named =
      Symbolizer().has_debug_information(reinterpret_cast<void*>(&a_handler_that_computes));
  EXPECT_TRUE(!named || contains(noticed.text, "a_handler_that_computes")) << noticed.text;
  watch.pulse().turn_begins();
  const Stall over = told.next();
  EXPECT_EQ(over.stage, Stall::Stage::over);
  EXPECT_EQ(over.worker, 7U);
  EXPECT_GE(over.lasted, noticed.lasted);
  EXPECT_TRUE(contains(over.text, "worker 7 is back in its loop, after about ")) << over.text;
  watch.pulse().wait_begins();
}

TEST(StallDetector, tells_once_of_a_stall_however_long) {
  Told told;
  StallDetector detector(told.options());
  StallWatch watch(detector, 0);
  watch.pulse().turn_begins();
  a_handler_that_computes(told, 1);
  const std::uint64_t before = detector.looks();
  while (detector.looks() < before + 30) let_others_run();
  EXPECT_EQ(told.count(), 1U);
  watch.pulse().wait_begins();
  told.next();
  EXPECT_EQ(told.next().stage, Stall::Stage::over);
  watch.pulse().turn_begins();
  a_handler_that_computes(told, 3);
  EXPECT_EQ(told.next().stage, Stall::Stage::noticed);
}

TEST(StallDetector, sleeps_while_all_workers_wait_and_wakes_when_one_goes_to_work) {
  Told told;
  StallDetector detector(told.options());
  StallWatch one(detector, 1);
  StallWatch two(detector, 2);
  for (int i = 0; i < 3; ++i) {
    while (!detector.asleep()) let_others_run();
    const std::uint64_t looks = detector.looks();
    one.pulse().turn_begins();
    one.pulse().wait_begins();
    while (detector.looks() == looks) let_others_run();
  }
  while (!detector.asleep()) let_others_run();
  EXPECT_EQ(told.count(), 0U);
  // A stall that begins while it sleeps is seen.
  two.pulse().turn_begins();
  a_handler_that_computes(told, 1);
  EXPECT_EQ(told.next().worker, 2U);
}

TEST(StallDetector, tells_several_workers_apart) {
  Told told;
  StallDetector detector(told.options());
  std::atomic<bool> done = false;
  std::atomic<bool> watched = false;
  std::thread other([&] {
    StallWatch watch(detector, 1);
    watch.pulse().turn_begins();
    watched = true;
    while (!done) let_others_run();
  });
  StallWatch watch(detector, 2);
  while (!watched) let_others_run();
  watch.pulse().turn_begins();
  a_handler_that_computes(told, 2);
  const Stall first = told.next();
  const Stall second = told.next();
  EXPECT_EQ(first.worker + second.worker, 3U);
  EXPECT_NE(first.stack, second.stack);
  done = true;
  other.join();
}

TEST(StallDetector, may_go_while_a_worker_stalls) {
  Told told;
  {
    StallDetector detector(told.options());
    StallWatch watch(detector, 0);
    watch.pulse().turn_begins();
    const std::uint64_t before = detector.looks();
    while (detector.looks() < before + 4) let_others_run();
  }
  EXPECT_LE(told.count(), 1U);
}

TEST(StallDetector, says_where_a_worker_is_whenever_it_is_asked) {
  Told told;
  StallOptions options = told.options();
  options.threshold = 1h;
  StallDetector detector(options);
  EXPECT_TRUE(contains(detector.where_is(3), "has ended"));
  std::atomic<bool> asked{false};
  std::string text;
  StallWatch watch(detector, 3);
  watch.pulse().turn_begins();
  std::thread other([&] {
    // More than once, and with nothing left behind of the one before.
    for (int i = 0; i < 3; ++i) text = detector.where_is(3);
    asked = true;
  });
  while (!asked) let_others_run();
  other.join();
  EXPECT_TRUE(contains(text, "#0 ")) << text;
  EXPECT_FALSE(contains(text, "static local")) << text;
  EXPECT_EQ(told.count(), 0U);
}

int made_by_one_that_waits(std::atomic<bool>& begun, const std::atomic<bool>& go_on) {
  static const int made = [&] {
    begun = true;
    while (!go_on) let_others_run();
    return 7;
  }();
  return made;
}

TEST(StallDetector, knows_who_waits_for_the_making_of_a_static_local) {
#ifdef WEFT_TSAN
  GTEST_SKIP() << "ThreadSanitizer keeps a signal back from who waits there";
#endif
  Told told;
  StallDetector detector(told.options());
  std::atomic<bool> begun{false};
  std::atomic<bool> go_on{false};
  std::thread maker([&] { made_by_one_that_waits(begun, go_on); });
  while (!begun) let_others_run();
  std::thread worker([&] {
    StallWatch watch(detector, 1);
    watch.pulse().turn_begins();
    made_by_one_that_waits(begun, go_on);
    watch.pulse().wait_begins();
  });
  told.next();
  // On a machine that is busy its signal may take a while.
  std::string text;
  for (int i = 0; i < 20 && !contains(text, "#0 "); ++i) text = detector.where_is(1);
  go_on = true;
  maker.join();
  worker.join();
  EXPECT_TRUE(contains(text, "The making of a static local is waited for")) << text;
}

TEST(StallDetector, leaves_a_signal_that_is_in_use_alone) {
  struct sigaction used = {};
  used.sa_handler = SIG_IGN;
  struct sigaction before = {};
  ASSERT_EQ(::sigaction(SIGRTMAX - 3, &used, &before), 0);
  Told told;
  StallOptions options = told.options();
  options.signal = SIGRTMAX - 3;
  {
    StallDetector detector(options);
    StallWatch watch(detector, 0);
    watch.pulse().turn_begins();
    a_handler_that_computes(told, 1);
    const Stall noticed = told.next();
    EXPECT_TRUE(noticed.stack.empty());
    EXPECT_TRUE(contains(noticed.text, "could not be looked at")) << noticed.text;
  }
  struct sigaction after = {};
  ASSERT_EQ(::sigaction(SIGRTMAX - 3, &before, &after), 0);
  EXPECT_EQ(after.sa_handler, SIG_IGN);
}

}  // namespace stall_test
}  // namespace weft::gvt
