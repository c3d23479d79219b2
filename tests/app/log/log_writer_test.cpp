// LogWriter: what is written, what is dropped and counted, and what goes wrong with files.
#include "weft/log_writer.hpp"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "app/log/line_batch.hpp"
#include "app/log/line_queue.hpp"
#include "app/log/thread_number.hpp"
#include "http/server/server_test.hpp"

namespace weft {

namespace {

using http::test::eventually;

class Log : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = "/tmp/weft-log-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder = name;
    path = folder + "/log";
  }
  void TearDown() override { std::filesystem::remove_all(folder); }

  static std::string read(const std::string& of) {
    std::ifstream file(of);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }
  static std::vector<std::string> lines(const std::string& text) {
    std::vector<std::string> all;
    std::stringstream stream(text);
    for (std::string line; std::getline(stream, line);) all.push_back(line);
    return all;
  }

  std::string folder;
  std::string path;
};

// A pipe with a name, whose reader is the test.
class Fifo {
 public:
  explicit Fifo(const std::string& path) {
    EXPECT_EQ(::mkfifo(path.c_str(), 0600), 0);
    reader_ = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    ::fcntl(reader_, F_SETPIPE_SZ, 4096);
  }
  ~Fifo() { close(); }
  void close() {
    if (reader_ >= 0) ::close(reader_);
    reader_ = -1;
  }
  std::string take() const {
    std::string text(64 * 1024, '\0');
    const ssize_t got = ::read(reader_, text.data(), text.size());
    text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return text;
  }

 private:
  int reader_ = -1;
};

}  // namespace

// Makes of a record its bytes, in brackets.
class Bracketing final : public app::LineMaker {
 public:
  explicit Bracketing(std::atomic<bool>* gone = nullptr) : gone_(gone) {}
  ~Bracketing() override {
    if (gone_ != nullptr) *gone_ = true;
  }
  void make(std::string_view record, app::LineText& text) override {
    text.append("[");
    text.append(record);
    text.append("]");
  }

 private:
  std::atomic<bool>* gone_;
};

bool push_record(app::LineQueue& queue, app::LineMaker& maker, std::string_view bytes) {
  char* const room = queue.record_room(bytes.size());
  if (room == nullptr) return false;
  bytes.copy(room, bytes.size());
  queue.push_record(maker, bytes.size());
  return true;
}

TEST(LineQueue, lines_and_records_come_out_as_they_went_in_wherever_they_wrap) {
  app::LineQueue queue(128);
  app::LineBatch batch;
  Bracketing maker;
  std::string in;
  std::string out;
  for (int i = 0; i < 1'000; ++i) {
    const std::string line(static_cast<std::size_t>(i % 23), static_cast<char>('a' + i % 26));
    const bool is_record = i % 3 != 0;
    ASSERT_TRUE(is_record ? push_record(queue, maker, line) : queue.push(line)) << i;
    in += is_record ? "[" + line + "]\n" : line + "\n";
    batch.fill(queue, queue.end());
    while (!batch.is_empty()) {
      const std::string_view part = batch.unwritten().substr(0, 5);
      out += part;
      const bool is_end = part.back() == '\n';
      batch.wrote(part.size());
      EXPECT_EQ(batch.is_amid_a_line(), !is_end);
    }
    EXPECT_TRUE(queue.is_empty());
  }
  EXPECT_EQ(out, in);
  EXPECT_EQ(queue.lines(), 1'000U);
  EXPECT_EQ(queue.refused(), 0U);
}

TEST(LineQueue, what_has_no_room_is_refused_and_counted_and_room_comes_back_by_whole_lines) {
  app::LineQueue queue(32);
  app::LineBatch batch;
  Bracketing maker;
  EXPECT_TRUE(queue.push("123456789012"));  // 16 with the head of its entry
  EXPECT_FALSE(queue.is_half_full());
  EXPECT_TRUE(queue.push("1234"));
  EXPECT_TRUE(queue.is_half_full());
  EXPECT_FALSE(queue.push("12345"));
  EXPECT_TRUE(queue.push("abcd"));
  EXPECT_FALSE(queue.push(""));
  EXPECT_FALSE(push_record(queue, maker, ""));
  EXPECT_EQ(queue.refused(), 3U);
  batch.fill(queue, queue.end());
  EXPECT_EQ(batch.unwritten(), "123456789012\n1234\nabcd\n");
  EXPECT_FALSE(queue.push("")) << "nothing is out yet";
  batch.wrote(12);
  EXPECT_FALSE(queue.push("")) << "the line is not out yet";
  batch.wrote(1);
  EXPECT_TRUE(queue.push("123456789012"));
  EXPECT_FALSE(queue.push(""));
  batch.wrote(2);
  EXPECT_TRUE(batch.is_amid_a_line());
  batch.rewind();
  EXPECT_EQ(batch.unwritten(), "1234\nabcd\n");
  batch.wrote(10);
  EXPECT_TRUE(batch.is_empty());
  batch.fill(queue, queue.end());
  EXPECT_EQ(batch.unwritten(), "123456789012\n");
}

TEST(ThreadNumber, threads_that_live_at_the_same_time_differ_and_numbers_come_back) {
  const unsigned own = app::thread_number();
  EXPECT_EQ(app::thread_number(), own);
  for (int round = 0; round < 300; ++round) {
    unsigned other = own;
    std::thread([&other] { other = app::thread_number(); }).join();
    ASSERT_NE(other, own);
    ASSERT_LT(other, app::kMostThreadNumbers) << "after " << round << " threads";
  }
}

TEST_F(Log, lines_are_written_in_order_and_nothing_is_lost_at_the_end) {
  {
    LogWriter log(path);
    for (int i = 0; i < 20'000; ++i) ASSERT_TRUE(log.write("line " + std::to_string(i)));
    EXPECT_EQ(log.stats().lines, 20'000U);
  }
  const auto all = lines(read(path));
  ASSERT_EQ(all.size(), 20'000U);
  for (std::size_t i = 0; i < all.size(); ++i) ASSERT_EQ(all[i], "line " + std::to_string(i));
}

TEST_F(Log, a_file_that_is_there_is_continued) {
  std::ofstream(path) << "before\n";
  LogWriter(path).write("after");
  EXPECT_EQ(read(path), "before\nafter\n");
}

TEST_F(Log, a_line_is_one_line_whatever_is_in_it) {
  LogWriter(path).write("a\nb\r\nc");
  EXPECT_EQ(read(path), "a\\nb\\r\\nc\n");
}

TEST_F(Log, lines_of_many_threads_are_whole) {
  constexpr int kThreads = 8;
  constexpr int kLines = 1'000;  // Fewer bytes in all than one queue holds.
  {
    LogWriter log(path);
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([&log, i] {
        const std::string line(100, static_cast<char>('a' + i));
        for (int n = 0; n < kLines; ++n) EXPECT_TRUE(log.write(line));
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  std::vector<int> counts(kThreads);
  for (const std::string& line : lines(read(path))) {
    ASSERT_EQ(line.size(), 100U);
    ASSERT_EQ(line.find_first_not_of(line.front()), std::string::npos);
    ++counts[static_cast<std::size_t>(line.front() - 'a')];
  }
  for (const int count : counts) EXPECT_EQ(count, kLines);
}

TEST_F(Log, flush_returns_when_what_was_written_is_there) {
  LogWriter log(path);
  for (int i = 0; i < 20; ++i) {
    log.write("x");
    ASSERT_TRUE(log.flush());
    ASSERT_EQ(read(path).size(), 2U * static_cast<std::size_t>(i + 1));
  }
}

TEST_F(Log, a_full_queue_drops_lines_counts_them_and_says_so) {
  const Fifo fifo(path);
  LogWriterOptions options;
  options.queue_bytes = 8 * 1024;
  std::string text;
  std::uint64_t dropped = 0;
  constexpr int kLines = 1'000;
  {
    LogWriter log(path, options);
    const std::string line(99, 'x');
    int taken = 0;
    for (int i = 0; i < kLines; ++i) taken += log.write(line) ? 1 : 0;
    dropped = log.stats().dropped;
    EXPECT_GT(dropped, 0U);
    EXPECT_EQ(static_cast<std::uint64_t>(taken) + dropped, std::uint64_t{kLines});
    EXPECT_EQ(log.stats().lines, static_cast<std::uint64_t>(taken));
    EXPECT_TRUE(eventually([&] { return log.stats().waits > 0; }));
    // The reader goes on, and so does the log.
    EXPECT_TRUE(eventually([&] {
      text += fifo.take();
      return text.find("dropped") != std::string::npos;
    }));
    EXPECT_EQ(log.stats().errors, 0U);
    log.write("the last");
    EXPECT_TRUE(eventually([&] {
      text += fifo.take();
      return text.ends_with("the last\n");
    }));
  }
  std::uint64_t whole = 0;
  std::uint64_t told = 0;
  for (const std::string& one : lines(text)) {
    if (one.starts_with("# ")) {
      told += std::stoull(one.substr(2));
    } else if (one != "the last") {
      ASSERT_EQ(one, std::string(99, 'x'));
      ++whole;
    }
  }
  EXPECT_EQ(told, dropped);
  EXPECT_EQ(whole + told, std::uint64_t{kLines});
}

TEST_F(Log, what_is_to_tell_of_dropped_lines_may_fail) {
  const std::vector<std::function<std::string(std::uint64_t)>> failing{
      [](std::uint64_t) -> std::string { throw std::runtime_error("it broke"); },
      [](std::uint64_t) { return std::string(5'000, 'x'); }};
  for (const auto& dropped_line : failing) {
    LogWriter log(path, {.dropped_line = dropped_line});
    log.drop();
    ASSERT_TRUE(log.flush());
    EXPECT_EQ(read(path), "# 1 lines were dropped: they came faster than they could be written\n");
    std::filesystem::remove(path);
  }
}

TEST_F(Log, a_full_disk_is_counted_and_lines_wait_and_then_are_dropped) {
  LogWriterOptions options;
  options.queue_bytes = 4 * 1024;
  options.retry = std::chrono::milliseconds(1);
  options.last_words = std::chrono::milliseconds(1);
  testing::internal::CaptureStderr();
  {
    LogWriter log("/dev/full", options);
    const std::string line(99, 'x');
    for (int i = 0; i < 39; ++i) EXPECT_TRUE(log.write(line));
    EXPECT_FALSE(log.write(line));
    EXPECT_TRUE(eventually([&] { return log.stats().errors >= 3; }));
    EXPECT_EQ(log.stats().dropped, 1U);
    EXPECT_EQ(log.stats().bytes, 0U);
  }
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_NE(said.find("/dev/full: No space left on device"), std::string::npos) << said;
  EXPECT_EQ(lines(said).size(), 1U) << said;
}

TEST_F(Log, a_disk_that_has_room_again_gets_what_has_waited) {
  // A limit on the size of files stands for the disk: it is full in the middle of a line.
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  LogWriterOptions options;
  options.retry = std::chrono::milliseconds(1);
  LogWriter log(path, options);
  testing::internal::CaptureStderr();
  rlimit small = before;
  small.rlim_cur = 1'050;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  for (int i = 0; i < 50; ++i) log.write(std::string(99, 'y'));
  EXPECT_TRUE(eventually([&] { return log.stats().errors >= 3; }));
  EXPECT_EQ(read(path).size(), 1'050U);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_TRUE(log.flush());
  testing::internal::GetCapturedStderr();
  const auto all = lines(read(path));
  EXPECT_EQ(all.size(), 50U);
  for (const std::string& line : all) EXPECT_EQ(line, std::string(99, 'y'));
  EXPECT_EQ(log.stats().dropped, 0U);
  EXPECT_GT(log.stats().partial, 0U);
}

TEST_F(Log, a_reader_that_has_gone_is_survived_and_the_next_one_is_served) {
  Fifo fifo(path);
  LogWriterOptions options;
  options.retry = std::chrono::milliseconds(1);
  testing::internal::CaptureStderr();
  {
    LogWriter log(path, options);
    fifo.close();
    log.write("nobody reads this yet");
    EXPECT_TRUE(eventually([&] { return log.stats().errors > 0; }));
    const int reader = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    std::string text(22, '\0');
    EXPECT_EQ(::read(reader, text.data(), text.size()), 22);
    EXPECT_EQ(text, "nobody reads this yet\n");
    ::close(reader);
  }
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_NE(said.find("Broken pipe"), std::string::npos) << said;
}

TEST_F(Log, reopening_goes_on_in_a_new_file_and_nothing_is_lost_or_twice) {
  constexpr int kFiles = 20;
  std::atomic<bool> stop{false};
  std::uint64_t written = 0;
  {
    LogWriter log(path);
    std::thread writer([&] {
      while (!stop) {
        if (log.write("line " + std::to_string(written))) ++written;
      }
    });
    for (int i = 0; i < kFiles; ++i) {
      ASSERT_TRUE(eventually([&] { return std::filesystem::exists(path); }));
      std::filesystem::rename(path, path + "." + std::to_string(i));
      log.reopen();
      ASSERT_TRUE(log.flush(std::chrono::seconds(20)));
    }
    stop = true;
    writer.join();
    EXPECT_EQ(log.stats().lines, written);
    EXPECT_GE(log.stats().reopened, std::uint64_t{kFiles});
  }
  std::uint64_t next = 0;
  for (int i = 0; i <= kFiles; ++i) {
    const std::string of = i < kFiles ? path + "." + std::to_string(i) : path;
    for (const std::string& line : lines(read(of))) {
      if (line.starts_with("#")) continue;
      ASSERT_EQ(line, "line " + std::to_string(next++)) << "in " << of;
    }
  }
  EXPECT_EQ(next, written);
}

TEST_F(Log, a_file_that_was_moved_is_noticed_without_a_word) {
  LogWriter log(path);
  log.write("one");
  ASSERT_TRUE(log.flush());
  std::filesystem::rename(path, path + ".1");
  EXPECT_TRUE(eventually([&] {
    log.write("two");
    log.flush();
    return std::filesystem::exists(path);
  }));
  EXPECT_EQ(log.stats().reopened, 1U);
  EXPECT_TRUE(read(path + ".1").starts_with("one\n"));
  EXPECT_TRUE(read(path).ends_with("two\n"));
}

TEST_F(Log, what_cannot_be_opened_is_refused_with_a_reason) {
  const auto refusal = [](const std::string& of) {
    try {
      LogWriter log(of);
    } catch (const std::runtime_error& error) {
      return std::string(error.what());
    }
    return std::string("(nothing was thrown)");
  };
  EXPECT_EQ(refusal(folder + "/none/log"), "cannot open the log " + folder +
                                               "/none/log: No such file or directory; make its "
                                               "folder first");
  EXPECT_EQ(refusal(folder), "cannot open the log " + folder + ": Is a directory");
  EXPECT_NE(refusal("").find("needs a path"), std::string::npos);
}

TEST_F(Log, a_reopening_that_fails_leaves_the_old_file_in_use) {
  std::filesystem::create_directory(folder + "/sub");
  const std::string inside = folder + "/sub/log";
  testing::internal::CaptureStderr();
  LogWriter log(inside);
  log.write("one");
  ASSERT_TRUE(log.flush());
  std::filesystem::rename(folder + "/sub", folder + "/moved");
  log.reopen();
  log.write("two");
  ASSERT_TRUE(log.flush());
  EXPECT_EQ(read(folder + "/moved/log"), "one\ntwo\n");
  EXPECT_NE(testing::internal::GetCapturedStderr().find("cannot open the log"), std::string::npos);
}

TEST_F(Log, the_thread_takes_no_signal_of_the_programs) {
  // Others may be there before: sanitizers have threads of their own.
  const auto threads_without_sigterm = [] {
    int blocked = 0;
    for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
      std::ifstream status(task.path() / "status");
      for (std::string line; std::getline(status, line);) {
        if (!line.starts_with("SigBlk:")) continue;
        const std::uint64_t mask = std::stoull(line.substr(7), nullptr, 16);
        blocked += (mask >> (SIGTERM - 1) & 1) != 0 ? 1 : 0;
      }
    }
    return blocked;
  };
  const int before = threads_without_sigterm();
  const LogWriter log(path);
  EXPECT_EQ(threads_without_sigterm(), before + 1);
}

}  // namespace weft
