#include "weft/file.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <utility>

#include "net/modes.hpp"
#include "weft/cancel.hpp"

namespace weft {
namespace {

class Files : public EveryMode {
 protected:
  Files() { EXPECT_NE(::mkdtemp(folder_.data()), nullptr); }
  ~Files() override { std::filesystem::remove_all(folder_); }

  std::string path(const std::string& name = "file") const { return folder_ + '/' + name; }

 private:
  std::string folder_ = "/tmp/weft-file-XXXXXX";
};

INSTANTIATE_TEST_SUITE_P(EveryMode, Files, every_mode(), mode_name);

TEST_P(Files, keep_what_is_written_at_the_position) {
  run_here([&] {
    auto file = File::create(path());
    ASSERT_TRUE(file) << file.error().message();
    EXPECT_TRUE(file->write("hello "));
    EXPECT_TRUE(file->write("world"));
    EXPECT_EQ(file->position(), 11U);
    EXPECT_TRUE(file->sync());
    EXPECT_TRUE(file->sync_data());
    EXPECT_EQ(file->size().value_or(0), 11U);
    file->seek(6);
    char got[16];
    const auto count = file->read(got);
    ASSERT_TRUE(count);
    EXPECT_EQ(std::string(got, *count), "world");
    EXPECT_EQ(file->read(got).value_or(9), 0U);
    EXPECT_EQ(file->position(), 11U);
  });
}

TEST_P(Files, are_read_and_written_anywhere_by_several_at_once) {
  run_here([&] {
    auto file = File::create(path());
    ASSERT_TRUE(file);
    const auto write_page = [&](std::size_t page) {
      const std::string bytes(4096, static_cast<char>('a' + page));
      EXPECT_TRUE(file->write_at(page * 4096, bytes));
      std::string back(4096, '\0');
      EXPECT_EQ(file->read_at(page * 4096, back).value_or(0), back.size());
      EXPECT_TRUE(back == bytes);
    };
    together({[&] { write_page(3); }, [&] { write_page(0); }, [&] { write_page(2); },
              [&] { write_page(1); }});
    EXPECT_EQ(file->size().value_or(0), 4 * 4096U);
    EXPECT_EQ(file->position(), 0U);
  });
}

TEST_P(Files, are_cut_and_filled_up) {
  run_here([&] {
    ASSERT_TRUE(write_file(path(), "12345"));
    auto file = File::open(path(), {.write = true});
    ASSERT_TRUE(file);
    EXPECT_TRUE(file->truncate(2));
    EXPECT_TRUE(file->truncate(4));
    EXPECT_EQ(read_file(path()).value_or(""), std::string("12\0\0", 4));
  });
}

TEST_P(Files, append_at_the_end_wherever_that_is) {
  run_here([&] {
    ASSERT_TRUE(write_file(path(), "one "));
    auto file = File::open(path(), {.append = true});
    ASSERT_TRUE(file);
    EXPECT_TRUE(file->write("two "));
    EXPECT_TRUE(file->write("three"));
    EXPECT_EQ(read_file(path()).value_or(""), "one two three");
  });
}

TEST_P(Files, are_opened_as_the_options_say) {
  run_here([&] {
    EXPECT_EQ(File::open(path()).error().os_errno, ENOENT);
    auto made = File::open(path(), {.write = true, .create = true, .permissions = 0600});
    ASSERT_TRUE(made);
    struct stat facts{};
    ASSERT_EQ(::fstat(made->fd(), &facts), 0);
    EXPECT_EQ(facts.st_mode & 0777U, 0600U);
    EXPECT_EQ(
        File::open(path(), {.write = true, .create = true, .exclusive = true}).error().os_errno,
        EEXIST);
    EXPECT_TRUE(made->write("x"));
    auto read_only = File::open(path());
    ASSERT_TRUE(read_only);
    EXPECT_EQ(read_only->write("y").error().os_errno, EBADF);
    EXPECT_TRUE(File::create(path()));
    EXPECT_EQ(made->size().value_or(9), 0U) << "create() empties what is there";
    EXPECT_EQ(File::open(std::string("a\0b", 3)).error().code, ErrorCode::invalid_argument);
  });
}

TEST_P(Files, are_read_whole_even_if_they_do_not_know_their_size) {
  run_here([&] {
    const std::string large(100'000, 'z');
    ASSERT_TRUE(write_file(path(), large));
    EXPECT_TRUE(read_file(path()).value_or("") == large);
    ASSERT_TRUE(write_file(path(), ""));
    EXPECT_EQ(read_file(path()).value_or("?"), "");
    EXPECT_NE(read_file("/proc/self/status").value_or("").find("Pid:"), std::string::npos);
    EXPECT_EQ(read_file(path("none")).error().os_errno, ENOENT);
    EXPECT_EQ(read_file("/tmp").error().os_errno, EISDIR);
  });
}

TEST_P(Files, are_renamed_and_removed) {
  run_here([&] {
    ASSERT_TRUE(write_file(path("a"), "new"));
    ASSERT_TRUE(write_file(path("b"), "old"));
    EXPECT_TRUE(rename_file(path("a"), path("b")));
    EXPECT_EQ(read_file(path("b")).value_or(""), "new");
    EXPECT_TRUE(remove_file(path("b")));
    EXPECT_EQ(remove_file(path("b")).error().os_errno, ENOENT);
    EXPECT_EQ(rename_file(path("a"), path("b")).error().os_errno, ENOENT);
  });
}

TEST_P(Files, that_are_temporary_have_no_name_and_go_when_they_are_closed) {
  run_here([&] {
    std::filesystem::create_directory(path("folder"));
    auto file = File::temporary(path("folder"));
    ASSERT_TRUE(file) << file.error().message();
    EXPECT_TRUE(file->write("hello"));
    char bytes[8];
    EXPECT_EQ(file->read_at(0, bytes).value_or(0), 5U);
    EXPECT_EQ(std::string(bytes, 5), "hello");
    EXPECT_TRUE(std::filesystem::is_empty(path("folder")));
    struct stat about{};
    ASSERT_EQ(::fstat(file->fd(), &about), 0);
    EXPECT_EQ(about.st_nlink, 0U);
    EXPECT_EQ(about.st_mode & 0777U, 0600U);
    EXPECT_EQ(File::temporary(path("missing")).error().os_errno, ENOENT);
    EXPECT_FALSE(File::temporary(""));
  });
}

TEST_P(Files, that_are_closed_or_moved_from_refuse_everything) {
  run_here([&] {
    auto file = File::create(path());
    ASSERT_TRUE(file);
    File moved = std::move(*file);
    EXPECT_FALSE(file->is_open());
    EXPECT_EQ(file->write("x").error().os_errno, EBADF);
    EXPECT_TRUE(moved.write("x"));
    moved.close();
    moved.close();
    char byte = 0;
    EXPECT_EQ(moved.read_at(0, {&byte, 1}).error().os_errno, EBADF);
    EXPECT_EQ(moved.size().error().os_errno, EBADF);
    EXPECT_EQ(moved.sync().error().os_errno, EBADF);
    moved = File::open(path()).value();
    EXPECT_EQ(moved.read_at(0, {&byte, 1}).value_or(9), 1U);
  });
}

TEST_P(Files, a_caller_that_is_cancelled_reads_nothing) {
  run_here([&] {
    ASSERT_TRUE(write_file(path(), "x"));
    auto file = File::open(path());
    ASSERT_TRUE(file);
    if (on_os_threads()) GTEST_SKIP() << "there a call on a file does not wait";
    CancelSource source;
    source.cancel();
    const auto got = with_cancel(source.token(), [&] {
      char byte = 0;
      return file->read_at(0, {&byte, 1});
    });
    EXPECT_EQ(got.error().code, ErrorCode::cancelled);
  });
}

class GreenFiles : public Files {};

INSTANTIATE_TEST_SUITE_P(EveryBackend, GreenFiles, every_backend(), mode_name);

TEST_P(GreenFiles, closing_lets_calls_under_way_end) {
  run_here([&] {
    auto file = File::create(path());
    ASSERT_TRUE(file);
    const int number = file->fd();
    auto writing = spawn([&] { EXPECT_TRUE(file->write_at(0, std::string(1 << 20, 'x'))); });
    yield();
    file->close();
    EXPECT_FALSE(file->is_open());
    writing.join();
    EXPECT_EQ(file->fd(), number);
    EXPECT_EQ(read_file(path()).value_or("").size(), 1U << 20);
  });
}

}  // namespace
}  // namespace weft
