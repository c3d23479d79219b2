// GreenLocal: every green thread has its own value, for as long as its function runs.
#include "weft/local.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "on_every_backend.hpp"

namespace weft {
namespace {

using std::chrono::microseconds;

class LocalOn : public OnEveryBackend {};
INSTANTIATE_TEST_SUITE_P(EveryBackend, LocalOn, every_backend(), backend_name);

TEST_P(LocalOn, green_threads_do_not_see_one_anothers_values) {
  run_here([] {
    GreenLocal<int> number;
    *number = 100;
    std::vector<JoinHandle<void>> all;
    for (int i = 0; i < 5; ++i) {
      all.push_back(spawn([&number, i] {
        EXPECT_EQ(*number, 0);
        *number = i;
        yield();
        sleep(microseconds(50));
        EXPECT_EQ(*number, i);
      }));
    }
    for (auto& one : all) one.join();
    EXPECT_EQ(*number, 100);
  });
}

// Tasks that do not park follow one another on one stack, with one record.
TEST_P(LocalOn, value_goes_with_the_function_even_when_the_stack_is_used_again) {
  int made = 0;
  run_here([&] {
    GreenLocal<int> number([&] { return ++made; });
    for (int i = 1; i <= 5; ++i) {
      spawn([&, i] { EXPECT_EQ(number.get(), i); }).join();
    }
  });
  EXPECT_EQ(made, 5);
}

struct Counted {
  explicit Counted(int& counter) : alive(&counter) { ++*alive; }
  Counted(Counted&& other) noexcept : alive(other.alive) { ++*alive; }
  ~Counted() { --*alive; }

  int* alive;
};

TEST_P(LocalOn, value_is_destroyed_before_a_join_returns_however_the_function_ends) {
  int alive = 0;
  run_here([&] {
    GreenLocal<Counted> counted([&] { return Counted(alive); });
    auto returns = spawn([&] {
      counted.get();
      EXPECT_EQ(alive, 1);
    });
    returns.join();
    EXPECT_EQ(alive, 0);
    auto throws = spawn([&] {
      counted.get();
      yield();
      throw std::runtime_error("left");
    });
    EXPECT_THROW(throws.join(), std::runtime_error);
    EXPECT_EQ(alive, 0);
    auto is_cancelled = spawn([&] {
      counted.get();
      sleep(std::chrono::hours(1));
    });
    yield();
    EXPECT_EQ(alive, 1);
    is_cancelled.cancel();
    EXPECT_THROW(is_cancelled.join(), Cancelled);
    EXPECT_EQ(alive, 0);
  });
}

TEST_P(LocalOn, destructor_of_a_value_may_park_and_use_other_locals) {
  struct Parks {
    GreenLocal<std::string>* other = nullptr;
    std::string* seen = nullptr;
    ~Parks() {
      if (other == nullptr) return;
      sleep(microseconds(20));
      *seen = other->get();
    }
  };
  std::string seen;
  run_here([&] {
    GreenLocal<std::string> other([] { return std::string("made anew"); });
    GreenLocal<Parks> parks;
    auto task = spawn([&] {
      parks->other = &other;
      parks->seen = &seen;
    });
    task.join();
  });
  EXPECT_EQ(seen, "made anew");
}

TEST_P(LocalOn, making_a_value_that_throws_is_tried_again) {
  run_here([] {
    int tries = 0;
    GreenLocal<int> number([&] {
      if (++tries == 1) throw std::runtime_error("not yet");
      return tries;
    });
    EXPECT_THROW(number.get(), std::runtime_error);
    EXPECT_EQ(number.get(), 2);
    EXPECT_EQ(number.get(), 2);
  });
}

TEST_P(LocalOn, several_of_one_type_are_different_variables) {
  run_here([] {
    GreenLocal<int> one;
    GreenLocal<int> other;
    one.get() = 1;
    other.get() = 2;
    EXPECT_EQ(*one, 1);
    EXPECT_EQ(*other, 2);
    EXPECT_EQ(&one.get(), &one.get());
  });
}

TEST(LocalOutside, os_threads_have_their_own_until_they_end) {
  static int alive = 0;
  static GreenLocal<Counted> counted([] { return Counted(alive); });
  std::thread([] {
    counted.get();
    EXPECT_EQ(alive, 1);
  }).join();
  EXPECT_EQ(alive, 0);
}

}  // namespace
}  // namespace weft
