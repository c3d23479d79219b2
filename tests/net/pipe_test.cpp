#include "weft/pipe.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <string>
#include <utility>

#include "net/modes.hpp"
#include "weft/cancel.hpp"

namespace weft {
namespace {

using std::chrono::milliseconds;

class Pipes : public EveryMode {
 protected:
  // Fills it to the brim.
  static void fill(PipeWriter& writer) {
    writer.set_timeout(milliseconds(5));
    EXPECT_EQ(writer.write(std::string(4 << 20, 'x')).error().code, ErrorCode::timed_out);
    writer.set_timeout(milliseconds(0));
  }
};

INSTANTIATE_TEST_SUITE_P(EveryMode, Pipes, every_mode(), mode_name);

TEST_P(Pipes, carry_more_than_they_hold) {
  run_here([&] {
    auto pipe = Pipe::create();
    ASSERT_TRUE(pipe);
    const std::string sent(3 << 20, 'y');
    std::string got(sent.size(), '\0');
    together({[&] { EXPECT_TRUE(pipe->writer.write(sent)); },
              [&] { EXPECT_TRUE(pipe->reader.read_exactly(got)); }});
    EXPECT_TRUE(got == sent);
  });
}

TEST_P(Pipes, end_when_the_writer_closes) {
  run_here([&] {
    auto pipe = Pipe::create();
    ASSERT_TRUE(pipe);
    EXPECT_TRUE(pipe->writer.write("abc"));
    pipe->writer.close();
    std::string got(4, '\0');
    EXPECT_EQ(pipe->reader.read_exactly(got).error().code, ErrorCode::end_of_stream);
    EXPECT_EQ(got.substr(0, 3), "abc");
    EXPECT_EQ(pipe->reader.read(got).value_or(9), 0U);
    EXPECT_EQ(pipe->reader.read({}).error().code, ErrorCode::invalid_argument);
  });
}

TEST_P(Pipes, without_a_reader_are_a_reset_and_no_signal) {
  run_here([&] {
    auto pipe = Pipe::create();
    ASSERT_TRUE(pipe);
    fill(pipe->writer);
    together({[&] { EXPECT_EQ(pipe->writer.write("x").error().code, ErrorCode::reset); },
              [&] { pipe->reader.close(); }});
    EXPECT_EQ(pipe->writer.write("x").error().code, ErrorCode::reset);
  });
}

TEST_P(Pipes, reads_and_writes_time_out) {
  run_here([&] {
    auto pipe = Pipe::create();
    ASSERT_TRUE(pipe);
    char byte = 0;
    pipe->reader.set_timeout(milliseconds(5));
    EXPECT_EQ(pipe->reader.read({&byte, 1}).error().code, ErrorCode::timed_out);
    EXPECT_EQ(with_timeout(milliseconds(5),
                           [&] {
                             pipe->reader.set_timeout(milliseconds(0));
                             return pipe->reader.read({&byte, 1});
                           })
                  .error()
                  .code,
              ErrorCode::timed_out);
    fill(pipe->writer);
    EXPECT_EQ(pipe->reader.read({&byte, 1}).value_or(9), 1U) << "and go on afterwards";
  });
}

TEST_P(Pipes, cancelling_ends_reads_and_writes) {
  run_here([&] {
    auto empty = Pipe::create();
    auto full = Pipe::create();
    ASSERT_TRUE(empty && full);
    fill(full->writer);
    CancelSource source;
    const CancelToken token = source.token();
    together({[&, token] {
                char byte = 0;
                const auto got = with_cancel(token, [&] { return empty->reader.read({&byte, 1}); });
                EXPECT_EQ(got.error().code, ErrorCode::cancelled);
              },
              [&, token] {
                const auto got = with_cancel(token, [&] { return full->writer.write("x"); });
                EXPECT_EQ(got.error().code, ErrorCode::cancelled);
              },
              [&] { source.cancel(); }});
  });
}

TEST_P(Pipes, with_a_name_connect_those_who_open_them) {
  std::string folder = "/tmp/weft-pipe-XXXXXX";
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  const std::string path = folder + "/pipe";
  run_here([&] {
    ASSERT_TRUE(create_named_pipe(path));
    EXPECT_EQ(create_named_pipe(path).error().os_errno, EEXIST);
    const auto unread = with_timeout(milliseconds(5), [&] { return PipeWriter::open(path); });
    EXPECT_EQ(unread.error().code, ErrorCode::timed_out);
    together({[&] {
                auto writer = PipeWriter::open(path);
                ASSERT_TRUE(writer) << writer.error().message();
                EXPECT_TRUE(writer->write("named"));
              },
              [&] {
                auto reader = PipeReader::open(path);
                ASSERT_TRUE(reader) << reader.error().message();
                std::string got(5, '\0');
                EXPECT_TRUE(reader->read_exactly(got));
                EXPECT_EQ(got, "named");
              }});
    auto nobody = PipeReader::open(path);
    ASSERT_TRUE(nobody);
    nobody->set_timeout(milliseconds(5));
    char byte = 0;
    EXPECT_EQ(nobody->read({&byte, 1}).error().code, ErrorCode::timed_out)
        << "that there was no writer yet is not the end";
    nobody->close();
    EXPECT_EQ(PipeReader::open(folder + "/none").error().os_errno, ENOENT);
  });
  ::unlink(path.c_str());
  ::rmdir(folder.c_str());
}

TEST_P(Pipes, a_released_end_blocks_as_others_expect_it) {
  run_here([&] {
    auto pipe = Pipe::create();
    ASSERT_TRUE(pipe);
    const int fd = pipe->reader.release();
    EXPECT_EQ(::fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
    EXPECT_FALSE(pipe->reader.is_open());
    PipeReader again = PipeReader::adopt(fd);
    EXPECT_NE(::fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
    EXPECT_TRUE(pipe->writer.write("x"));
    char byte = 0;
    EXPECT_EQ(again.read({&byte, 1}).value_or(9), 1U);
  });
}

class GreenPipes : public Pipes {};

INSTANTIATE_TEST_SUITE_P(EveryBackend, GreenPipes, every_backend(), mode_name);

TEST_P(GreenPipes, closing_an_end_ends_what_others_are_parked_in) {
  run_here([&] {
    auto empty = Pipe::create();
    auto full = Pipe::create();
    ASSERT_TRUE(empty && full);
    fill(full->writer);
    auto reading = spawn([&] {
      char byte = 0;
      EXPECT_EQ(empty->reader.read({&byte, 1}).error().code, ErrorCode::cancelled);
    });
    auto writing =
        spawn([&] { EXPECT_EQ(full->writer.write("x").error().code, ErrorCode::cancelled); });
    yield();
    empty->reader.close();
    full->writer.close();
    reading.join();
    writing.join();
  });
}

TEST_P(GreenPipes, who_always_finds_bytes_lets_others_run) {
  run_here([&] {
    auto pipe = Pipe::create();
    ASSERT_TRUE(pipe);
    const std::string sent(10'000, 'x');
    ASSERT_TRUE(pipe->writer.write(sent));
    bool others_ran = false;
    auto other = spawn([&] { others_ran = true; });
    char byte = 0;
    for (std::size_t i = 0; i < sent.size() && !others_ran; ++i) {
      ASSERT_TRUE(pipe->reader.read({&byte, 1}));
    }
    EXPECT_TRUE(others_ran);
    other.join();
  });
}

}  // namespace
}  // namespace weft
