#include "exec/admission.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "exec/hog_judge.hpp"
#include "exec/workshop.hpp"

namespace weft::exec {

namespace {

using std::chrono::microseconds;
using std::chrono::seconds;

struct Someone final : Entrant {
  explicit Someone(const std::array<Gate*, kMostGates>& gates) { set_way(gates); }
  bool still_wants() noexcept override { return wants; }
  bool wants = true;
};

std::vector<Entrant*> all(Entrant* first) {
  std::vector<Entrant*> list;
  for (; first != nullptr; first = first->next_admitted()) list.push_back(first);
  return list;
}

using Entrants = std::vector<Entrant*>;

struct AdmissionTest : testing::Test {
  Entrants enter(Someone& one) { return all(admission.enter(one)); }
  Entrants leave(Someone& one) { return all(admission.leave(one)); }
  Entrants withdraw(Someone& one) { return all(admission.withdraw(one)); }

  Admission admission;
  Gate route{1};
  Gate executor{2};
  Gate pool{3};
};

}  // namespace

TEST_F(AdmissionTest, who_finds_room_everywhere_is_let_in_at_once) {
  Someone one({&route, &executor, &pool});
  EXPECT_EQ(enter(one), Entrants{&one});
  EXPECT_EQ(route.inside(), 1U);
  EXPECT_EQ(pool.inside(), 1U);
  EXPECT_EQ(leave(one), Entrants{});
  EXPECT_EQ(route.inside() + executor.inside() + pool.inside(), 0U);
}

TEST_F(AdmissionTest, the_line_is_first_come_first_served) {
  Someone first({&route, nullptr, &pool});
  Someone second({&route, nullptr, &pool});
  Someone third({&route, nullptr, &pool});
  EXPECT_EQ(enter(first), Entrants{&first});
  EXPECT_EQ(enter(second), Entrants{});
  EXPECT_EQ(enter(third), Entrants{});
  EXPECT_EQ(route.waiting(), 2U);
  EXPECT_EQ(leave(first), Entrants{&second});
  EXPECT_EQ(leave(second), Entrants{&third});
  EXPECT_EQ(leave(third), Entrants{});
}

TEST_F(AdmissionTest, who_waits_at_its_route_does_not_hold_up_others_of_the_executor) {
  Someone first({&route, &executor, &pool});
  Someone waiting({&route, &executor, &pool});
  Someone other({nullptr, &executor, &pool});
  enter(first);
  EXPECT_EQ(enter(waiting), Entrants{});
  EXPECT_EQ(enter(other), Entrants{&other});
}

TEST_F(AdmissionTest, who_moves_up_may_wait_at_the_next_gate) {
  Gate narrow(1);
  Someone holder({nullptr, &narrow, &pool});
  Someone first({&route, nullptr, &pool});
  Someone second({&route, &narrow, &pool});
  enter(holder);
  enter(first);
  EXPECT_EQ(enter(second), Entrants{});
  EXPECT_EQ(leave(first), Entrants{});
  EXPECT_EQ(route.inside(), 1U);
  EXPECT_EQ(narrow.waiting(), 1U);
  EXPECT_EQ(leave(holder), Entrants{&second});
}

TEST_F(AdmissionTest, one_that_leaves_the_line_is_passed_over_and_holds_no_place) {
  Someone first({&route, &executor, &pool});
  Someone gone({&route, &executor, &pool});
  Someone last({&route, &executor, &pool});
  enter(first);
  enter(gone);
  enter(last);
  EXPECT_EQ(withdraw(gone), Entrants{});
  EXPECT_EQ(route.waiting(), 1U);
  EXPECT_EQ(leave(first), Entrants{&last});
}

TEST_F(AdmissionTest, one_that_waits_in_the_middle_gives_back_what_it_has) {
  Gate narrow(1);
  Someone holder({nullptr, &narrow, &pool});
  Someone middle({&route, &narrow, &pool});
  Someone behind({&route, nullptr, &pool});
  enter(holder);
  EXPECT_EQ(enter(middle), Entrants{});
  EXPECT_EQ(enter(behind), Entrants{});
  EXPECT_EQ(withdraw(middle), Entrants{&behind});
  EXPECT_EQ(narrow.waiting(), 0U);
}

TEST_F(AdmissionTest, ten_thousand_that_have_given_up_are_passed_over_in_one_go) {
  Someone first({&route, &executor, &pool});
  enter(first);
  std::vector<std::unique_ptr<Someone>> crowd;
  for (int i = 0; i < 10'000; ++i) {
    crowd.push_back(std::make_unique<Someone>(std::array<Gate*, 3>{&route, &executor, &pool}));
    enter(*crowd.back());
    crowd.back()->wants = false;
  }
  Someone last({&route, &executor, &pool});
  enter(last);
  EXPECT_EQ(leave(first), Entrants{&last});
  // Their owners come later; it makes no difference any more.
  for (auto& one : crowd) EXPECT_EQ(withdraw(*one), Entrants{});
  EXPECT_EQ(leave(last), Entrants{});
  EXPECT_EQ(route.inside() + executor.inside() + pool.inside(), 0U);
  EXPECT_EQ(route.waiting() + executor.waiting() + pool.waiting(), 0U);
}

TEST(HogJudge, one_slow_call_in_twenty_is_borne_and_two_are_not) {
  HogJudge judge;
  EXPECT_FALSE(judge.ran_here(microseconds(1'001), {0}));
  for (int i = 0; i < 19; ++i) EXPECT_FALSE(judge.ran_here(microseconds(1'000), {0}));
  EXPECT_FALSE(judge.on_pool());
  EXPECT_TRUE(judge.ran_here(microseconds(1'001), {0}));
  EXPECT_TRUE(judge.on_pool());
}

TEST(HogJudge, fewer_than_twenty_calls_say_nothing) {
  HogJudge judge;
  for (int i = 0; i < 19; ++i) EXPECT_FALSE(judge.ran_here(seconds(1), {0}));
  EXPECT_TRUE(judge.ran_here(seconds(1), {0}));
}

TEST(HogJudge, what_was_long_ago_does_not_count) {
  HogJudge judge;
  for (int i = 0; i < 5; ++i) judge.ran_here(microseconds(i < 1 ? 2'000 : 1), {0});
  for (int i = 0; i < 95; ++i) EXPECT_FALSE(judge.ran_here(microseconds(1), {0}));
  // The next hundred begin here.
  EXPECT_FALSE(judge.ran_here(microseconds(2'000), {0}));
  for (int i = 0; i < 99; ++i) EXPECT_FALSE(judge.ran_here(microseconds(1), {0}));
}

TEST(HogJudge, it_comes_back_when_calls_take_half_as_long_and_its_time_there_is_over) {
  HogJudge judge;
  for (int i = 0; i < 20; ++i) judge.ran_here(seconds(1), {0});
  ASSERT_TRUE(judge.on_pool());
  judge.begin_anew();
  // Below the limit, but not by enough.
  for (int i = 0; i < 200; ++i) EXPECT_FALSE(judge.ran_there(microseconds(900), {}));
  // By enough, but too early.
  constexpr ksvc::TimePoint kEarly{4'999'999'999};
  constexpr ksvc::TimePoint kLate{5'000'000'000};
  for (int i = 0; i < 200; ++i) EXPECT_FALSE(judge.ran_there(microseconds(1), kEarly));
  bool moved = false;
  for (int i = 0; i < 100 && !moved; ++i) moved = judge.ran_there(microseconds(1), kLate);
  EXPECT_TRUE(moved);
  EXPECT_FALSE(judge.on_pool());
}

TEST(HogJudge, the_second_stay_is_twice_as_long) {
  HogJudge judge;
  constexpr ksvc::TimePoint kBack{5'000'000'000};
  for (int i = 0; i < 20; ++i) judge.ran_here(seconds(1), {0});
  judge.begin_anew();
  for (int i = 0; i < 100; ++i) judge.ran_there(microseconds(1), kBack);
  ASSERT_FALSE(judge.on_pool());
  judge.begin_anew();
  for (int i = 0; i < 20; ++i) judge.ran_here(seconds(1), kBack);
  ASSERT_TRUE(judge.on_pool());
  judge.begin_anew();
  for (int i = 0; i < 300; ++i) EXPECT_FALSE(judge.ran_there(microseconds(1), {14'999'999'999}));
  for (int i = 0; i < 100; ++i) judge.ran_there(microseconds(1), {15'000'000'000});
  EXPECT_FALSE(judge.on_pool());
}

TEST(QueueFigures, times_are_counted_by_the_bound_above_them) {
  QueueFigures figures;
  figures.count_begun(0);
  figures.count_begun(16'000);  // 16 us
  figures.count_begun(16'001);  // the next
  figures.count_begun(64'000);  // and still
  figures.count_begun(5'000'000'000);
  EXPECT_EQ(figures.waited(0), 2U);
  EXPECT_EQ(figures.waited(1), 2U);
  EXPECT_EQ(figures.waited(QueueFigures::kBounds), 1U);
  EXPECT_EQ(figures.begun(), 5U);
  EXPECT_EQ(figures.waited_ns(), 5'000'096'001U);
}

}  // namespace weft::exec
