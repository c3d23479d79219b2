#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <string>
#include <utility>

#include "net/modes.hpp"
#include "weft/cancel.hpp"
#include "weft/net.hpp"

namespace weft {
namespace {

using std::chrono::milliseconds;

class UnixSockets : public EveryMode {
 protected:
  UnixSockets() { EXPECT_NE(::mkdtemp(folder_.data()), nullptr); }
  ~UnixSockets() override { ::rmdir(folder_.c_str()); }

  std::string path() const { return folder_ + "/socket"; }
  // Nobody else's: it has the folder's name.
  std::string abstract_name() const { return '@' + folder_; }
  static bool exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

  void talk_over(const std::string& name) {
    auto listener = UnixListener::bind(name);
    ASSERT_TRUE(listener) << listener.error().message();
    EXPECT_EQ(listener->path(), name);
    together({[&] {
                auto stream = UnixStream::connect(name);
                ASSERT_TRUE(stream) << stream.error().message();
                EXPECT_TRUE(stream->write("question"));
                std::string answer(6, '\0');
                EXPECT_TRUE(stream->read_exactly(answer));
                EXPECT_EQ(answer, "answer");
              },
              [&] {
                auto stream = listener->accept();
                ASSERT_TRUE(stream);
                std::string question(8, '\0');
                EXPECT_TRUE(stream->read_exactly(question));
                EXPECT_EQ(question, "question");
                EXPECT_TRUE(stream->writev({"ans", "wer"}));
              }});
  }

 private:
  std::string folder_ = "/tmp/weft-unix-XXXXXX";
};

INSTANTIATE_TEST_SUITE_P(EveryMode, UnixSockets, every_mode(), mode_name);

TEST_P(UnixSockets, talk_over_a_path_which_goes_with_the_listener) {
  run_here([&] {
    talk_over(path());
    EXPECT_FALSE(exists(path()));
  });
}

TEST_P(UnixSockets, talk_over_an_abstract_name) {
  run_here([&] { talk_over(abstract_name()); });
}

TEST_P(UnixSockets, a_pair_is_connected_and_sees_the_other_end_go) {
  run_here([&] {
    auto pair = UnixStream::pair();
    ASSERT_TRUE(pair);
    auto& [left, right] = *pair;
    EXPECT_TRUE(left.write("x"));
    char byte = 0;
    EXPECT_EQ(right.read({&byte, 1}).value_or(9), 1U);
    left.close();
    EXPECT_EQ(right.read({&byte, 1}).value_or(9), 0U);
    EXPECT_EQ(right.write("x").error().code, ErrorCode::reset);
  });
}

TEST_P(UnixSockets, reads_time_out_and_are_cancelled) {
  run_here([&] {
    auto pair = UnixStream::pair();
    ASSERT_TRUE(pair);
    char byte = 0;
    pair->first.set_timeout(milliseconds(5));
    EXPECT_EQ(pair->first.read({&byte, 1}).error().code, ErrorCode::timed_out);
    CancelSource source;
    together({[&, token = source.token()] {
                char other = 0;
                const auto got = with_cancel(token, [&] { return pair->second.read({&other, 1}); });
                EXPECT_EQ(got.error().code, ErrorCode::cancelled);
              },
              [&] { source.cancel(); }});
  });
}

TEST_P(UnixSockets, a_path_that_is_there_already_is_refused_and_stays) {
  run_here([&] {
    auto first = UnixListener::bind(path());
    ASSERT_TRUE(first);
    EXPECT_EQ(UnixListener::bind(path()).error().os_errno, EADDRINUSE);
    EXPECT_TRUE(exists(path()));
    UnixListener moved = std::move(*first);
    first->close();
    EXPECT_TRUE(exists(path())) << "it is the one that it was moved to that counts";
    moved.close();
    EXPECT_FALSE(exists(path()));
  });
}

TEST_P(UnixSockets, paths_that_cannot_be_are_errors) {
  run_here([&] {
    EXPECT_EQ(UnixStream::connect("").error().code, ErrorCode::invalid_argument);
    EXPECT_EQ(UnixListener::bind("").error().code, ErrorCode::invalid_argument);
    EXPECT_EQ(UnixListener::bind(std::string("a\0b", 3)).error().code, ErrorCode::invalid_argument);
    EXPECT_EQ(UnixStream::connect(std::string(200, 'x')).error().os_errno, ENAMETOOLONG);
    EXPECT_EQ(UnixStream::connect(path()).error().os_errno, ENOENT);
    EXPECT_EQ(UnixStream::connect(abstract_name()).error().os_errno, ECONNREFUSED);
  });
}

TEST_P(UnixSockets, a_connect_waits_for_room_in_a_full_queue) {
  run_here([&] {
    auto listener = UnixListener::bind(abstract_name(), {.backlog = 0});
    ASSERT_TRUE(listener);
    constexpr int kClients = 4;
    const auto connect = [&] {
      auto stream = UnixStream::connect(abstract_name());
      EXPECT_TRUE(stream) << stream.error().message();
    };
    together({connect, connect, connect, connect, [&] {
                for (int i = 0; i < kClients; ++i) EXPECT_TRUE(listener->accept());
              }});
  });
}

TEST_P(UnixSockets, a_connect_that_finds_no_room_is_ended_by_a_deadline) {
  run_here([&] {
    auto listener = UnixListener::bind(abstract_name(), {.backlog = 0});
    ASSERT_TRUE(listener);
    std::vector<UnixStream> waiting;
    Error error;
    for (int i = 0; i < 10 && error.code != ErrorCode::timed_out; ++i) {
      auto stream =
          with_timeout(milliseconds(20), [&] { return UnixStream::connect(abstract_name()); });
      error = stream.error();
      if (stream) waiting.push_back(std::move(stream).value());
    }
    EXPECT_EQ(error.code, ErrorCode::timed_out);
  });
}

}  // namespace
}  // namespace weft
