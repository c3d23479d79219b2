// Runs each example, with io_uring and without, and compares what it says.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <csignal>
#include <cstdlib>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include "examples/program.hpp"

namespace weft::examples {
namespace {

// Leaves out frames of backtraces, and that the machine was too busy to let a worker run: what is
// left of an output is the same every time.
std::string without_circumstances(const std::string& output) {
  std::istringstream lines(output);
  std::string kept;
  for (std::string line; std::getline(lines, line);) {
    const bool frame = line.starts_with("   ") || line.starts_with("#");
    if (!frame && !line.starts_with("weft: worker ")) kept += line + '\n';
  }
  return kept;
}

struct Example {
  const char* name;
  const char* says;  // a regular expression, of all of it
  int signal = 0;    // that ends it
};

const Example kExamples[] = {
    {"answer", "the answer is 42\n"},
    {"client",
     "user0\nuser1\nuser2\nthe server counted 100 bytes\n"
     "refused_url: URL https://127.0.0.1/: https is not supported; use http\n"},
    {"pipeline", "the squares of 1 to 100 come to 338350\n"},
    {"testing",
     "ok: who has no key is refused\n"
     "ok: a user is made\n"
     "ok: and greeted by name\n"
     "ok: broken JSON is refused\n"
     "ok: a stream is seen whole\n"
     "ok: what a handler throws is answered with 500\n"
     "ok: and the test is told what it was\n"},
    {"deadline",
     "left is here\n"
     "right is here\n"
     "middle was given up: too late\n"
     "no pages: timed out\n"},
    {"blocking",
     "3 ticks while a call blocked\n"
     "wrote 5 bytes\n"
     "and then: Bad file descriptor\n"},
    // On a busy machine it may have been idle more often.
    {"select",
     "(idle\n)*job: wash\n(idle\n)*job: dry\n(idle\n)+job: fold\n(idle\n)*stopped\n"
     "no more jobs\n"},
    {"coroutines",
     "4 words\n"
     "the text of left, the text of right\n"
     "middle: timed out\n"},
    {"worker_routes",
     "two reports are made at once; the third was told to come again\n"
     "meanwhile: hello, fib\\(20\\) is 6765\n"
     "a report was made\na report was made\n"},
    {"workers",
     "64 results, mixed to 4081647517009395712\n"
     "(both workers computed|one worker was enough)\n"},
    {"snapshot",
     "green thread 1 \"main\" of worker 0, running\n"
     "green thread 2 \"waiter\" of worker 0, waits for a value from a channel .*\n"
     "green thread 3 \"cook\" of worker 0, waits for a mutex .*\n"
     "green thread 4 \"clock\" of worker 0, waits for time to pass .*\n"},
    {"deadlock",
     "weft: deadlock: every green thread waits, and nothing is left to end it.*\n"
     "green thread 2 \"left to right\" of worker 0, waits for a mutex .*\n"
     "green thread 3 \"right to left\" of worker 0, waits for a mutex .*\n",
     SIGABRT},
};

class ExamplesTest : public testing::TestWithParam<Example> {
 protected:
  static void check(Program::Kernel kernel) {
    const Example& example = GetParam();
    if (!Program::is_built(example.name)) GTEST_SKIP() << "the examples are not built";
    Program program(example.name, {}, kernel);
    const std::string said = program.read_all();
    const int status = program.wait();
    EXPECT_TRUE(std::regex_match(without_circumstances(said), std::regex(example.says))) << said;
    if (example.signal == 0) {
      EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
    } else {
      EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == example.signal) << status;
    }
  }
};

TEST_P(ExamplesTest, says_what_its_reader_expects) { check(Program::Kernel::as_it_is); }

TEST_P(ExamplesTest, says_the_same_where_io_uring_is_refused) {
  check(Program::Kernel::without_io_uring);
}

INSTANTIATE_TEST_SUITE_P(All, ExamplesTest, testing::ValuesIn(kExamples),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace weft::examples
