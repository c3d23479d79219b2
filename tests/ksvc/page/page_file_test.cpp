// The file of a shared page: how it comes and goes, and who may read it.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>

#include "ksvc/page/mmap_shared_page.hpp"
#include "ksvc/page/page_harness.hpp"
#include "ksvc/page/shared_page_reader.hpp"

namespace weft::ksvc {
namespace {

// A page whose process has ended without removing it.
void leave_stale_page(const std::string& path) {
  ASSERT_TRUE(holds_in_child([&] {
    auto page = MmapSharedPage::create({.path = path});
    if (page) page->writer(0).add(Counter::submitted, 11);
    return page.ok() && (::_exit(0), true);
  }));
}

void overwrite(const std::string& path, std::size_t offset, const void* bytes, std::size_t size) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  EXPECT_EQ(::pwrite(file, bytes, size, static_cast<off_t>(offset)), static_cast<ssize_t>(size));
  ::close(file);
}

testing::AssertionResult refused_with(const std::string& path, const std::string& words) {
  const OpenedPage opened = SharedPageReader::open(path);
  if (opened) return testing::AssertionFailure() << path << " was opened";
  if (opened.refusal.find(words) == std::string::npos) {
    return testing::AssertionFailure()
           << "\"" << opened.refusal << "\" without \"" << words << "\"";
  }
  return testing::AssertionSuccess();
}

TEST(PageFile, is_there_while_the_page_is_and_only_its_group_may_read_it) {
  const TemporaryFolder folder;
  const std::string path = folder.file("server.page");
  {
    auto page = MmapSharedPage::create({.path = path});
    ASSERT_TRUE(page) << page.error().message();
    EXPECT_EQ(page->path(), path);
    struct stat found{};
    ASSERT_EQ(::stat(path.c_str(), &found), 0);
    EXPECT_EQ(found.st_mode & 0777 & ~0640U, 0U);
    EXPECT_EQ(folder.entries(), 1U);
    const MmapSharedPage copy = *page;
    {
      const MmapSharedPage gone = std::move(*page);
    }
    EXPECT_TRUE(std::filesystem::exists(path));
  }
  EXPECT_EQ(folder.entries(), 0U);
}

TEST(PageFile, in_a_directory_is_named_after_the_process) {
  const TemporaryFolder folder;
  const auto page = MmapSharedPage::create({.path = folder.path()});
  ASSERT_TRUE(page);
  EXPECT_EQ(page.value().path(),
            folder.file(("weft-" + std::to_string(::getpid()) + ".page").c_str()));
}

TEST(PageFile, in_a_directory_may_be_one_of_several_of_the_process) {
  const TemporaryFolder folder;
  auto first = MmapSharedPage::create({.path = folder.path()});
  auto second = MmapSharedPage::create({.path = folder.path()});
  ASSERT_TRUE(first && second);
  const std::string pid = std::to_string(::getpid());
  EXPECT_EQ(second->path(), folder.file(("weft-" + pid + "-2.page").c_str()));
  first->writer(0).add(Counter::submitted, 1);
  EXPECT_EQ(second->counters(0)[Counter::submitted], 0U);
  {
    const MmapSharedPage gone = std::move(*first);
  }
  const auto third = MmapSharedPage::create({.path = folder.path()});
  EXPECT_EQ(folder.entries(), 1U + (third ? 1U : 0U));
}

TEST(PageFile, of_a_living_process_is_not_replaced) {
  const TemporaryFolder folder;
  const std::string path = folder.file("server.page");
  auto page = MmapSharedPage::create({.path = path});
  ASSERT_TRUE(page);
  page->writer(0).add(Counter::submitted, 1);
  EXPECT_TRUE(holds_in_child(
      [&] { return MmapSharedPage::create({.path = path}).error().os_errno == EEXIST; }));
  EXPECT_EQ(SharedPageReader::open(path).reader->totals()[Counter::submitted], 1U);
  EXPECT_EQ(folder.entries(), 1U);
}

TEST(PageFile, of_a_dead_process_is_replaced) {
  const TemporaryFolder folder;
  const std::string path = folder.file("server.page");
  leave_stale_page(path);
  const OpenedPage stale = SharedPageReader::open(path);
  ASSERT_TRUE(stale) << stale.refusal;
  EXPECT_FALSE(stale.reader->process_is_alive());
  EXPECT_EQ(stale.reader->totals()[Counter::submitted], 11U);

  const auto page = MmapSharedPage::create({.path = path});
  ASSERT_TRUE(page) << page.error().message();
  const OpenedPage opened = SharedPageReader::open(path);
  ASSERT_TRUE(opened) << opened.refusal;
  EXPECT_TRUE(opened.reader->process_is_alive());
  EXPECT_EQ(opened.reader->totals()[Counter::submitted], 0U);
}

TEST(PageFile, of_a_dead_process_is_swept_out_of_a_directory_and_others_are_left) {
  const TemporaryFolder folder;
  leave_stale_page(folder.path());
  leave_stale_page(folder.file("mine.page"));
  std::ofstream(folder.file("weft-1.page")) << "not a page";
  const auto page = MmapSharedPage::create({.path = folder.path()});
  ASSERT_TRUE(page);
  EXPECT_EQ(folder.entries(), 3U);
  EXPECT_TRUE(std::filesystem::exists(folder.file("mine.page")));
  EXPECT_TRUE(std::filesystem::exists(folder.file("weft-1.page")));
}

TEST(PageFile, never_takes_the_place_of_another_kind_of_file) {
  const TemporaryFolder folder;
  const std::string path = folder.file("notes.txt");
  std::ofstream(path) << "dear diary";
  EXPECT_EQ(MmapSharedPage::create({.path = path}).error().os_errno, EEXIST);
  std::string words;
  std::getline(std::ifstream(path), words);
  EXPECT_EQ(words, "dear diary");
  EXPECT_EQ(folder.entries(), 1U);
}

TEST(PageFile, left_half_made_by_a_crash_is_no_hindrance) {
  const TemporaryFolder folder;
  std::ofstream(folder.file(".server.page.new")) << "half";
  const auto page = MmapSharedPage::create({.path = folder.file("server.page")});
  EXPECT_TRUE(page) << page.error().message();
  EXPECT_EQ(folder.entries(), 1U);
}

TEST(PageFile, of_somebody_else_under_the_name_is_not_removed_at_the_end) {
  const TemporaryFolder folder;
  const std::string path = folder.file("server.page");
  {
    const auto page = MmapSharedPage::create({.path = path});
    ASSERT_TRUE(page);
    std::filesystem::remove(path);
    std::ofstream(path) << "somebody else's";
  }
  EXPECT_TRUE(std::filesystem::exists(path));
}

TEST(PageFile, that_cannot_be_made_is_an_error_that_says_why) {
  const TemporaryFolder folder;
  EXPECT_EQ(MmapSharedPage::create({.path = folder.file("no/where.page")}).error().os_errno,
            ENOENT);
  EXPECT_EQ(MmapSharedPage::create({.path = ""}).error().os_errno, EINVAL);
  for (const std::uint32_t workers : {0U, kMostPageWorkers + 1}) {
    const auto page = MmapSharedPage::create({.path = folder.path(), .workers = workers});
    EXPECT_EQ(page.error().os_errno, EINVAL);
  }
  EXPECT_EQ(folder.entries(), 0U);
  EXPECT_TRUE(MmapSharedPage::create({.path = folder.path(), .workers = kMostPageWorkers}));
}

TEST(PageFile, is_won_by_exactly_one_of_many_that_start_at_once_over_a_stale_one) {
  const TemporaryFolder folder;
  const std::string path = folder.file("server.page");
  leave_stale_page(path);
  constexpr int kStarters = 8;
  int start[2];
  int done[2];
  int verdict[2];
  ASSERT_EQ(::pipe(start) | ::pipe(done) | ::pipe(verdict), 0);
  for (int starter = 0; starter < kStarters; ++starter) {
    if (::fork() != 0) continue;
    ::close(start[1]);
    ::close(done[1]);
    char ignored = 0;
    static_cast<void>(!::read(start[0], &ignored, 1));
    const auto page = MmapSharedPage::create({.path = path});
    const char won = page ? '1' : page.error().os_errno == EEXIST ? '0' : '?';
    static_cast<void>(!::write(verdict[1], &won, 1));
    static_cast<void>(!::read(done[0], &ignored, 1));  // alive until all have tried
    ::_exit(0);
  }
  ::close(start[1]);
  std::string verdicts;
  while (verdicts.size() < kStarters) {
    char one = 0;
    ASSERT_EQ(::read(verdict[0], &one, 1), 1);
    verdicts += one;
  }
  ::close(done[1]);
  for (int starter = 0; starter < kStarters; ++starter) ::wait(nullptr);
  for (const int fd : {start[0], done[0], verdict[0], verdict[1]}) ::close(fd);
  std::ranges::sort(verdicts);
  EXPECT_EQ(verdicts, "00000001");
}

TEST(SharedPageReader, sees_from_another_process_what_the_owner_counts) {
  const TemporaryFolder folder;
  auto page = MmapSharedPage::create({.path = folder.path(), .workers = 2});
  ASSERT_TRUE(page);
  page->writer(0).add(Counter::submitted, 20);
  page->writer(1).add(Counter::submitted, 22);
  const ProcessIdentity owner = page->identity();
  EXPECT_TRUE(holds_in_child([&] {
    const OpenedPage opened = SharedPageReader::open(page->path());
    return opened && opened.reader->identity() == owner && opened.reader->workers() == 2 &&
           opened.reader->counters(1)[Counter::submitted] == 22 &&
           opened.reader->counters(2)[Counter::submitted] == 0 &&
           opened.reader->totals()[Counter::submitted] == 42 && opened.reader->process_is_alive() &&
           opened.reader->text(Text::kernel_release) == page->text(Text::kernel_release);
  }));
}

TEST(SharedPageReader, maps_the_file_for_reading_only) {
  const TemporaryFolder folder;
  const std::string path = folder.file("server.page");
  leave_stale_page(path);
  const OpenedPage opened = SharedPageReader::open(path);
  ASSERT_TRUE(opened);
  std::ifstream maps("/proc/self/maps");
  std::string mine;
  for (std::string line; std::getline(maps, line);) {
    if (line.ends_with(path)) mine += line;
  }
  EXPECT_NE(mine.find(" r--s "), std::string::npos) << mine;
  EXPECT_EQ(mine.find(" rw"), std::string::npos) << mine;
}

TEST(SharedPageReader, refuses_what_is_no_page_and_says_so) {
  const TemporaryFolder folder;
  EXPECT_TRUE(refused_with(folder.file("missing"), "cannot be read: No such file"));
  std::ofstream(folder.file("short")) << "WFTPAGE1";
  EXPECT_TRUE(refused_with(folder.file("short"), "is not a shared page of weft"));
  std::ofstream(folder.file("text")) << std::string(4096, 'x');
  EXPECT_TRUE(refused_with(folder.file("text"), "is not a shared page of weft"));
  ASSERT_EQ(::mkfifo(folder.file("pipe").c_str(), 0600), 0);
  EXPECT_TRUE(refused_with(folder.file("pipe"), "is not a shared page of weft"));
  EXPECT_TRUE(refused_with(folder.path(), "is not a shared page of weft"));
  leave_stale_page(folder.file("real.page"));
  std::filesystem::create_symlink(folder.file("real.page"), folder.file("link"));
  EXPECT_TRUE(refused_with(folder.file("link"), "cannot be read"));
}

TEST(SharedPageReader, refuses_another_version_another_layout_and_another_size) {
  const TemporaryFolder folder;
  const std::string path = folder.file("server.page");
  leave_stale_page(path);
  ASSERT_TRUE(SharedPageReader::open(path));
  const std::uint32_t newer = kPageVersion + 1;
  overwrite(path, offsetof(PageHeader, version), &newer, sizeof newer);
  EXPECT_TRUE(refused_with(path, "of version 2; this weft reads version 1"));
  overwrite(path, offsetof(PageHeader, version), &kPageVersion, sizeof kPageVersion);
  const std::uint32_t stride = 64;
  overwrite(path, offsetof(PageHeader, counters_stride), &stride, sizeof stride);
  EXPECT_TRUE(refused_with(path, "another layout"));
  overwrite(path, offsetof(PageHeader, counters_stride), &kPageHeader.counters_stride,
            sizeof stride);
  ASSERT_TRUE(SharedPageReader::open(path));
  ASSERT_EQ(::truncate(path.c_str(), 4096), 0);
  EXPECT_TRUE(refused_with(path, "has 4096 bytes where a shared page has 33408"));
}

TEST(SharedPageReader, says_so_when_the_owner_died_while_it_wrote) {
  const TemporaryFolder folder;
  const std::string path = folder.file("server.page");
  leave_stale_page(path);
  const std::uint32_t odd = 1;
  overwrite(path, offsetof(PageFile, facts), &odd, sizeof odd);
  const OpenedPage opened = SharedPageReader::open(path);
  ASSERT_TRUE(opened);
  EXPECT_FALSE(opened.reader->identity().has_value());
}

TEST(SharedPageReader, reads_credentials_that_belong_together_while_they_change) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root may take another user's id";
  const TemporaryFolder folder;
  const std::string path = folder.file("server.page");
  int stop[2];
  ASSERT_EQ(::pipe(stop), 0);
  ASSERT_EQ(::fcntl(stop[0], F_SETFL, O_NONBLOCK), 0);
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t owner = ::fork();
  if (owner == 0) {
    ::close(stop[1]);
    auto page = MmapSharedPage::create({.path = path});
    static_cast<void>(!::write(ready[1], "r", 1));
    char ignored = 0;
    for (unsigned round = 0; ::read(stop[0], &ignored, 1) != 0; ++round) {
      const unsigned user = round % 2 == 0 ? 65534 : 0;
      ::syscall(SYS_setresuid, user, user, 0);
      page->refresh_identity();
    }
    ::_exit(page ? 0 : 1);
  }
  char ignored = 0;
  ASSERT_EQ(::read(ready[0], &ignored, 1), 1);
  const OpenedPage opened = SharedPageReader::open(path);
  ASSERT_TRUE(opened) << opened.refusal;
  for (int look = 0; look < 2000; ++look) {
    const auto identity = opened.reader->identity();
    ASSERT_TRUE(identity.has_value());
    ASSERT_EQ(identity->uid, identity->euid);
  }
  for (const int fd : {stop[1], stop[0], ready[0], ready[1]}) ::close(fd);
  EXPECT_TRUE(ended_well(owner));
}

TEST(PageFacts, read_together_are_of_one_moment) {
  PageFacts facts{};
  std::atomic<bool> done{false};
  std::thread writer([&] {
    for (std::uint32_t round = 1; !done.load(); ++round) {
      facts.sequence.store(2 * round - 1, std::memory_order_relaxed);
      for (auto& value : facts.values) value.store(round, std::memory_order_release);
      facts.sequence.store(2 * round, std::memory_order_release);
    }
  });
  int whole = 0;
  int torn = 0;
  for (int look = 0; look < 200'000 || whole == 0; ++look) {
    FactValues values;
    if (!try_read_facts(facts, values)) continue;
    ++whole;
    if (std::ranges::count(values, values.front()) != std::ssize(values)) ++torn;
  }
  done.store(true);
  writer.join();
  EXPECT_EQ(torn, 0);
}

// It tries for a second.
TEST(SlowPageFile, is_not_made_in_a_directory_that_somebody_keeps_locked) {
  const TemporaryFolder folder;
  const int directory = ::open(folder.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  ASSERT_EQ(::flock(directory, LOCK_EX), 0);
  EXPECT_EQ(MmapSharedPage::create({.path = folder.path()}).error().os_errno, EBUSY);
  EXPECT_EQ(folder.entries(), 0U);
  ::close(directory);
  EXPECT_TRUE(MmapSharedPage::create({.path = folder.path()}));
}

}  // namespace
}  // namespace weft::ksvc
