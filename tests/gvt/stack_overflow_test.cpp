#include "gvt/stack_overflow.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "gvt/context.hpp"
#include "gvt/sanitizer.hpp"
#include "gvt/stack_pool.hpp"

namespace weft::gvt {
namespace {

using testing::ExitedWithCode;
using testing::KilledBySignal;

void say(std::string_view text) {
  [[maybe_unused]] const auto wrote = ::write(STDERR_FILENO, text.data(), text.size());
}

// Keeps what it is given in memory, so that no compiler makes a loop of the recursion.
[[gnu::noinline]] int recurse(volatile int* above, int depth) {
  volatile int here[16] = {};
  here[0] = *above + 1;
  const int below = depth == 0 ? 0 : recurse(here, depth - 1);
  return here[0] + below;
}

// Runs functions on a stack of a pool, as a worker does, and knows it when it overflows.
class OneStack : public OverflowReporter {
 public:
  explicit OneStack(std::size_t stack_bytes = 64 * 1024)
      : pool_(stack_bytes), stack_(pool_.take()) {}
  ~OneStack() { pool_.give_back(stack_); }

  void run(std::function<void()> function) {
    function_ = std::move(function);
    running() = this;
    inside_ = fresh_context(stack_.top(), &OneStack::enter);
    switch_context(outside_, inside_);
  }
  void overflow() {
    run([] {
      volatile int start = 0;
      recurse(&start, 1 << 30);
    });
  }
  const Stack& stack() const { return stack_; }

 private:
  static OneStack*& running() {
    static thread_local OneStack* stack = nullptr;
    return stack;
  }
  static void enter() noexcept {
    OneStack& self = *running();
    self.function_();
    switch_context(self.inside_, self.outside_);
    __builtin_unreachable();
  }
  bool describes(const void* address, OverflowedStack& description) const noexcept override {
    if (!is_in_guard(stack_, address)) return false;
    description = {"painter", 42, stack_.size};
    return true;
  }

  StackPool pool_;
  Stack stack_;
  std::function<void()> function_;
  Context inside_;
  Context outside_;
};

// Each dies in a process of its own that no watch has been in.
class StackOverflowDeathTest : public testing::Test {
 protected:
  void SetUp() override {
    if (sanitizer::kEnabled) GTEST_SKIP() << "sanitizers take the signal over";
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    const rlimit no_core = {0, 0};
    ::setrlimit(RLIMIT_CORE, &no_core);
  }
};

void set_action(int signal_number, void (*handler)(int), int flags = 0) {
  struct sigaction action = {};
  action.sa_handler = handler;
  action.sa_flags = flags;
  ::sigaction(signal_number, &action, nullptr);
}

[[gnu::noinline]] void fault_elsewhere() {
  int* volatile nowhere = reinterpret_cast<int*>(8);
  *nowhere = 1;
}

void watched(const std::function<void(OneStack&)>& function) {
  OneStack stack;
  const OverflowWatch watch(stack);
  function(stack);
}

void overflow_watched() {
  watched([](OneStack& stack) { stack.overflow(); });
}

TEST_F(StackOverflowDeathTest, is_told_with_the_threads_name_and_the_remedy) {
  EXPECT_EXIT(overflow_watched(), KilledBySignal(SIGSEGV),
              "weft: stack overflow: green thread 42 \"painter\" has used all 61[0-9]* bytes of "
              "its stack\n.*give spawn a larger stack_bytes");
}

TEST_F(StackOverflowDeathTest, shows_the_innermost_and_the_outermost_calls) {
  EXPECT_EXIT(overflow_watched(), KilledBySignal(SIGSEGV),
              "  #0 0x[0-9a-f]+ .*\\+0x[0-9a-f]+\\)\n.*  #49 0x.*\n"
              "  \\([0-9]+ calls between\\)\n  #[0-9]{3,} 0x");
}

TEST_F(StackOverflowDeathTest, shows_calls_of_a_large_stack_too) {
  const auto overflow = [] {
    OneStack stack(std::size_t{8} << 20);
    const OverflowWatch watch(stack);
    stack.overflow();
  };
  EXPECT_EXIT(overflow(), KilledBySignal(SIGSEGV), "\\([0-9]{5,} calls between\\)");
}

// Every call down to the one that the stack was entered with is this program's, and none of them is
// the signal handler's or the system's way into it.
TEST_F(StackOverflowDeathTest, shows_the_interrupted_calls_alone) {
  std::array<char, 4096> path = {};
  ASSERT_GT(::readlink("/proc/self/exe", path.data(), path.size() - 1), 0);
  // Named as it was started: its directory may be relative, or not there at all.
  const std::string program = std::filesystem::path(path.data()).filename().string();
  const auto overflow = [] {
    watched([](OneStack& stack) { stack.run([&stack] { *(stack.stack().bottom - 1) = 1; }); });
  };
  EXPECT_EXIT(overflow(), KilledBySignal(SIGSEGV),
              "first[^\n]*:\n(  #[0-9]+ 0x[0-9a-f]+ ([^ \n]+ )?\\(([^ \n]*/)?" + program +
                  "\\+0x[0-9a-f]+\\)\n)+$");
}

TEST_F(StackOverflowDeathTest, is_told_on_every_watched_thread) {
  EXPECT_EXIT(std::thread(overflow_watched).join(), KilledBySignal(SIGSEGV), "\"painter\"");
}

TEST_F(StackOverflowDeathTest, two_at_once_are_told_one_after_the_other) {
  const auto overflow = [] {
    std::thread one(overflow_watched);
    std::thread two(overflow_watched);
    one.join();
    two.join();
  };
  EXPECT_EXIT(overflow(), KilledBySignal(SIGSEGV), "\"painter\"");
}

TEST_F(StackOverflowDeathTest, other_faults_kill_in_silence_as_before) {
  const auto fault = [] { watched([](OneStack& stack) { stack.run(fault_elsewhere); }); };
  EXPECT_EXIT(fault(), KilledBySignal(SIGSEGV), "^$");
}

TEST_F(StackOverflowDeathTest, sent_signals_kill_as_before) {
  for (const int signal_number : {SIGSEGV, SIGBUS}) {
    const auto send = [signal_number] {
      watched([&](OneStack&) {
        ::raise(signal_number);
        ::_exit(1);
      });
    };
    EXPECT_EXIT(send(), KilledBySignal(signal_number), "^$");
  }
}

TEST_F(StackOverflowDeathTest, ignored_signals_stay_ignored) {
  const auto send = [] {
    set_action(SIGSEGV, SIG_IGN);
    watched([](OneStack&) { ::raise(SIGSEGV); });
    ::_exit(0);
  };
  EXPECT_EXIT(send(), ExitedWithCode(0), "^$");
}

TEST_F(StackOverflowDeathTest, other_faults_reach_the_handler_that_was_there) {
  const auto fault = [] {
    struct sigaction action = {};
    action.sa_flags = SA_SIGINFO;
    ::sigaddset(&action.sa_mask, SIGUSR1);
    action.sa_sigaction = [](int signal_number, siginfo_t* info, void*) {
      sigset_t blocked;
      ::pthread_sigmask(SIG_BLOCK, nullptr, &blocked);
      const bool as_asked = signal_number == SIGSEGV && info->si_addr == reinterpret_cast<void*>(8);
      const bool masked =
          ::sigismember(&blocked, SIGUSR1) == 1 && ::sigismember(&blocked, SIGSEGV) == 1;
      ::_exit(as_asked && masked ? 43 : 1);
    };
    ::sigaction(SIGSEGV, &action, nullptr);
    watched([](OneStack& stack) { stack.run(fault_elsewhere); });
  };
  EXPECT_EXIT(fault(), ExitedWithCode(43), "^$");
}

TEST_F(StackOverflowDeathTest, handler_for_one_signal_is_called_once) {
  const auto fault = [] {
    set_action(SIGSEGV, [](int) { say("once;"); }, static_cast<int>(SA_RESETHAND | SA_NODEFER));
    watched([](OneStack& stack) { stack.run(fault_elsewhere); });
  };
  EXPECT_EXIT(fault(), KilledBySignal(SIGSEGV), "^once;$");
}

TEST_F(StackOverflowDeathTest, handler_that_was_there_is_not_asked_about_overflows) {
  const auto fault = [] {
    set_action(SIGSEGV, [](int) { ::_exit(1); });
    overflow_watched();
  };
  EXPECT_EXIT(fault(), KilledBySignal(SIGSEGV), "\"painter\"");
}

struct sigaction g_ours;  // what a handler that came later found; of a death test's process

TEST_F(StackOverflowDeathTest, handler_installed_later_can_pass_overflows_on) {
  const auto fault = [] {
    watched([](OneStack& stack) {
      struct sigaction action = {};
      action.sa_flags = SA_SIGINFO | SA_ONSTACK;
      action.sa_sigaction = [](int signal_number, siginfo_t* info, void* context) {
        say("first;");
        g_ours.sa_sigaction(signal_number, info, context);
        ::sigaction(SIGSEGV, nullptr, &g_ours);
      };
      ::sigaction(SIGSEGV, &action, &g_ours);
      stack.overflow();
    });
  };
  EXPECT_EXIT(fault(), KilledBySignal(SIGSEGV), "^first;weft: stack overflow");
}

TEST_F(StackOverflowDeathTest, nothing_is_told_when_the_watch_is_over) {
  const auto fault = [] {
    OneStack stack;
    {
      const OverflowWatch watch(stack);
    }
    const AlternateSignalStack signal_stack;
    stack.overflow();
  };
  EXPECT_EXIT(fault(), KilledBySignal(SIGSEGV), "^$");
}

TEST(AlternateSignalStack, is_there_while_it_lives) {
  if (sanitizer::kEnabled) GTEST_SKIP() << "sanitizers have their own";
  stack_t before = {};
  ::sigaltstack(nullptr, &before);
  {
    const AlternateSignalStack stack;
    stack_t present = {};
    ::sigaltstack(nullptr, &present);
    EXPECT_EQ(present.ss_flags & SS_DISABLE, 0);
    EXPECT_GE(present.ss_size, std::size_t{64} * 1024);
  }
  stack_t after = {};
  ::sigaltstack(nullptr, &after);
  EXPECT_EQ(after.ss_flags, before.ss_flags);
  EXPECT_EQ(after.ss_sp, before.ss_sp);
}

TEST(AlternateSignalStack, leaves_a_large_one_alone) {
  if (sanitizer::kEnabled) GTEST_SKIP() << "sanitizers have their own";
  std::thread([] {
    const AlternateSignalStack outer;
    stack_t before = {};
    ::sigaltstack(nullptr, &before);
    {
      const AlternateSignalStack inner;
    }
    stack_t after = {};
    ::sigaltstack(nullptr, &after);
    EXPECT_EQ(after.ss_sp, before.ss_sp);
  }).join();
}

TEST(AlternateSignalStack, puts_a_small_one_back) {
  if (sanitizer::kEnabled) GTEST_SKIP() << "sanitizers have their own";
  std::thread([] {
    std::vector<char> memory(16 * 1024);
    stack_t small = {};
    small.ss_sp = memory.data();
    small.ss_size = memory.size();
    ASSERT_EQ(::sigaltstack(&small, nullptr), 0);
    stack_t present = {};
    {
      const AlternateSignalStack stack;
      ::sigaltstack(nullptr, &present);
      EXPECT_NE(present.ss_sp, memory.data());
    }
    ::sigaltstack(nullptr, &present);
    EXPECT_EQ(present.ss_sp, memory.data());
    small.ss_flags = SS_DISABLE;
    ::sigaltstack(&small, nullptr);
  }).join();
}

}  // namespace
}  // namespace weft::gvt
