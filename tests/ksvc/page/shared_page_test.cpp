// What every SharedPage does.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/utsname.h>

#include <atomic>
#include <optional>
#include <string>
#include <thread>

#include <weft/version.hpp>

#include "ksvc/page/cached_shared_page.hpp"
#include "ksvc/page/mmap_shared_page.hpp"
#include "ksvc/page/page_harness.hpp"
#include "ksvc/page/shared_page_reader.hpp"

namespace weft::ksvc {
namespace {

constexpr unsigned kNobody = 65534;

bool set_own_uid(unsigned real, unsigned effective, unsigned saved) {
  return ::syscall(SYS_setresuid, real, effective, saved) == 0;
}

ProcessIdentity identity_by_kernel() {
  FactValues values{};
  read_process(values);
  read_credentials(values);
  return identity_from(values);
}

template <class P>
class SharedPageTest : public testing::Test {
 protected:
  P make_page(std::uint32_t workers = 2) {
    auto page = P::create({.path = folder_.path(), .workers = workers, .pool_threads = 3});
    if (!page) ADD_FAILURE() << page.error().message();
    return std::move(page).value();
  }

  TemporaryFolder folder_;
};

struct PageNames {
  template <class P>
  static std::string GetName(int) {
    return P::name();
  }
};

using EveryPage = testing::Types<MmapSharedPage, CachedSharedPage>;
TYPED_TEST_SUITE(SharedPageTest, EveryPage, PageNames);

TYPED_TEST(SharedPageTest, facts_are_what_the_kernel_says) {
  TypeParam page = this->make_page();
  EXPECT_EQ(page.fact(Fact::pid), static_cast<std::uint64_t>(::getpid()));
  EXPECT_EQ(page.fact(Fact::ppid), static_cast<std::uint64_t>(::getppid()));
  EXPECT_EQ(page.fact(Fact::uid), ::getuid());
  EXPECT_EQ(page.fact(Fact::euid), ::geteuid());
  EXPECT_EQ(page.fact(Fact::gid), ::getgid());
  EXPECT_EQ(page.fact(Fact::egid), ::getegid());
  EXPECT_EQ(page.fact(Fact::page_bytes), static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)));
  EXPECT_EQ(page.fact(Fact::cores_online),
            static_cast<std::uint64_t>(::sysconf(_SC_NPROCESSORS_ONLN)));
  EXPECT_EQ(page.fact(Fact::clock_ticks), static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK)));
  EXPECT_GT(page.fact(Fact::start_ticks), 0U);
  EXPECT_GT(page.fact(Fact::memory_bytes), page.fact(Fact::page_bytes));
  EXPECT_EQ(page.identity(), identity_by_kernel());
}

TYPED_TEST(SharedPageTest, limits_are_those_in_force_and_those_given) {
  TypeParam page = this->make_page(7);
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  EXPECT_EQ(page.fact(Fact::open_files_soft), limit.rlim_cur);
  EXPECT_EQ(page.fact(Fact::open_files_hard), limit.rlim_max);
  ASSERT_EQ(::getrlimit(RLIMIT_MEMLOCK, &limit), 0);
  EXPECT_EQ(page.fact(Fact::memlock_soft),
            limit.rlim_cur == RLIM_INFINITY ? UINT64_MAX : limit.rlim_cur);
  EXPECT_EQ(page.fact(Fact::workers), 7U);
  EXPECT_EQ(page.fact(Fact::pool_threads), 3U);
}

TYPED_TEST(SharedPageTest, texts_name_the_process_the_release_and_the_kernel) {
  TypeParam page = this->make_page();
  utsname names{};
  ASSERT_EQ(::uname(&names), 0);
  EXPECT_EQ(page.text(Text::kernel_release), names.release);
  EXPECT_EQ(page.text(Text::weft_version), version());
  EXPECT_FALSE(page.text(Text::process_name).empty());
  EXPECT_EQ(page.text(Text::boot_id).size(), 36U);
}

TYPED_TEST(SharedPageTest, a_worker_counts_up_and_down_and_for_itself_alone) {
  TypeParam page = this->make_page(3);
  const auto first = page.writer(0);
  const auto last = page.writer(2);
  first.add(Counter::submitted, 5);
  first.add(Counter::in_flight, 5);
  first.add(Counter::in_flight, -3);
  last.set(Counter::pool_busy, 4);
  last.add(Counter::submitted, 1);
  EXPECT_EQ(page.counters(0)[Counter::submitted], 5U);
  EXPECT_EQ(page.counters(0)[Counter::in_flight], 2U);
  EXPECT_EQ(page.counters(0)[Counter::pool_busy], 0U);
  EXPECT_EQ(page.counters(1).values, CounterValues{}.values);
  EXPECT_EQ(page.counters(2)[Counter::pool_busy], 4U);
  EXPECT_EQ(total_counters(page)[Counter::submitted], 6U);
  EXPECT_EQ(total_counters(page)[Counter::batches], 0U);
}

TYPED_TEST(SharedPageTest, workers_count_side_by_side_and_nothing_is_lost) {
  constexpr std::uint64_t kRounds = 20'000;
  TypeParam page = this->make_page(2);
  const auto count = [](auto writer) {
    for (std::uint64_t round = 0; round < kRounds; ++round) writer.add(Counter::completions, 1);
  };
  std::thread first(count, page.writer(0));
  std::thread second(count, page.writer(1));
  std::uint64_t seen = 0;
  while (seen < 2 * kRounds) {
    const std::uint64_t now = total_counters(page)[Counter::completions];
    ASSERT_GE(now, seen);
    seen = now;
  }
  first.join();
  second.join();
  EXPECT_EQ(total_counters(page)[Counter::completions], 2 * kRounds);
}

TYPED_TEST(SharedPageTest, a_forked_child_sees_itself_however_it_was_forked) {
  TypeParam page = this->make_page();
  const auto parent = static_cast<std::uint64_t>(::getpid());
  ASSERT_EQ(page.fact(Fact::pid), parent);
  for (const auto make_child : {fork_by_libc, fork_by_raw_call}) {
    EXPECT_TRUE(holds_in_child(
        [&] {
          const auto own = static_cast<std::uint64_t>(::syscall(SYS_getpid));
          return own != parent && page.fact(Fact::pid) == own && page.fact(Fact::ppid) == parent &&
                 page.identity() == identity_by_kernel() && !page.publishes() &&
                 page.fact(Fact::workers) == 2 && page.text(Text::weft_version) == version();
        },
        make_child));
    EXPECT_EQ(page.fact(Fact::pid), parent);
    EXPECT_TRUE(page.publishes());
  }
}

TYPED_TEST(SharedPageTest, the_first_look_of_a_child_may_be_at_anything) {
  TypeParam page = this->make_page();
  EXPECT_TRUE(holds_in_child([&] { return page.identity() == identity_by_kernel(); }));
  EXPECT_TRUE(holds_in_child([&] { return !page.publishes(); }));
  EXPECT_TRUE(holds_in_child([&] { return page.text(Text::weft_version) == version(); }));
  EXPECT_TRUE(holds_in_child([&] {
    page.refresh_identity();
    return page.identity() == identity_by_kernel();
  }));
}

TYPED_TEST(SharedPageTest, a_grandchild_sees_itself_and_counts_from_nothing) {
  TypeParam page = this->make_page();
  const auto writer = page.writer(1);
  writer.add(Counter::batches, 100);
  EXPECT_TRUE(holds_in_child([&] {
    writer.add(Counter::batches, 1);
    const bool grandchild_is_well = holds_in_child(
        [&] {
          const bool empty = page.counters(1)[Counter::batches] == 0;
          writer.add(Counter::batches, 7);
          return empty && page.identity() == identity_by_kernel() &&
                 page.counters(1)[Counter::batches] == 7;
        },
        fork_by_raw_call);
    return grandchild_is_well && page.counters(1)[Counter::batches] == 1 &&
           page.identity() == identity_by_kernel();
  }));
  EXPECT_EQ(page.counters(1)[Counter::batches], 100U);
}

TYPED_TEST(SharedPageTest,
           a_forked_child_counts_on_its_own_and_never_on_what_the_parent_publishes) {
  TypeParam page = this->make_page();
  const auto writer = page.writer(0);
  writer.add(Counter::submitted, 40);
  for (const auto make_child : {fork_by_libc, fork_by_raw_call}) {
    EXPECT_TRUE(holds_in_child(
        [&] {
          writer.add(Counter::submitted, 1);
          writer.set(Counter::pool_queued, 9);
          return page.counters(0)[Counter::submitted] == 1;
        },
        make_child));
  }
  const OpenedPage opened = SharedPageReader::open(page.path());
  ASSERT_TRUE(opened) << opened.refusal;
  EXPECT_EQ(opened.reader->counters(0)[Counter::submitted], 40U);
  EXPECT_EQ(opened.reader->counters(0)[Counter::pool_queued], 0U);
}

TYPED_TEST(SharedPageTest, a_child_of_vfork_leaves_the_parents_page_as_it_was) {
  TypeParam page = this->make_page();
  page.writer(0).add(Counter::submitted, 3);
  const ProcessIdentity before = page.identity();
  // Its very dangers are what is tested. NOLINTNEXTLINE(bugprone-unsafe-functions)
  const pid_t child = ::vfork();
  if (child == 0) ::_exit(0);
  ASSERT_GT(child, 0);
  EXPECT_TRUE(ended_well(child));
  EXPECT_EQ(page.identity(), before);
  EXPECT_TRUE(page.publishes());
  EXPECT_EQ(page.counters(0)[Counter::submitted], 3U);
}

TYPED_TEST(SharedPageTest, a_forked_child_does_not_remove_the_file) {
  std::optional<TypeParam> page(this->make_page());
  EXPECT_TRUE(holds_in_child([&] {
    {
      const TypeParam last_of_the_child = std::move(*page);
    }
    return true;
  }));
  EXPECT_TRUE(holds_in_child([&] {
    {
      TypeParam looked_at = *page;
      static_cast<void>(looked_at.fact(Fact::pid));
    }
    page.reset();
    return true;
  }));
  EXPECT_TRUE(std::filesystem::exists(page->path()));
}

TYPED_TEST(SharedPageTest, a_fork_in_the_middle_of_a_refresh_leaves_the_child_whole) {
  TypeParam page = this->make_page();
  std::atomic<bool> done{false};
  std::thread refresher([&done, copy = page]() mutable {
    while (!done.load()) copy.refresh_identity();
  });
  for (int round = 0; round < 20; ++round) {
    EXPECT_TRUE(holds_in_child([&] { return page.identity() == identity_by_kernel(); }));
  }
  done.store(true);
  refresher.join();
}

TYPED_TEST(SharedPageTest, a_refresh_after_set_id_shows_the_new_credentials) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root may take another user's id";
  TypeParam page = this->make_page();
  EXPECT_TRUE(holds_in_child([&] {
    const bool was_root = page.fact(Fact::euid) == 0;
    if (!set_own_uid(kNobody, kNobody, 0)) return false;
    page.refresh_identity();
    return was_root && page.fact(Fact::uid) == kNobody && page.fact(Fact::euid) == kNobody &&
           page.fact(Fact::suid) == 0 && page.identity() == identity_by_kernel();
  }));
  EXPECT_EQ(page.fact(Fact::euid), 0U);
}

TYPED_TEST(SharedPageTest, threads_with_different_credentials_each_see_their_own) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root may take another user's id";
  EXPECT_TRUE(holds_in_child([&] {
    TypeParam page = this->make_page();
    bool other_is_right = false;
    std::atomic<int> step{0};
    std::thread other([&, own = page]() mutable {
      set_own_uid(kNobody, kNobody, 0);
      own.refresh_identity();
      other_is_right = own.fact(Fact::euid) == kNobody && own.identity() == identity_by_kernel();
      step.store(1);
      while (step.load() != 2) std::this_thread::yield();
      set_own_uid(0, 0, 0);
      own.refresh_identity();
      other_is_right = other_is_right && own.fact(Fact::euid) == 0;
    });
    while (step.load() != 1) std::this_thread::yield();
    const bool mine_are_right =
        page.fact(Fact::euid) == 0 && page.identity() == identity_by_kernel();
    step.store(2);
    other.join();
    return mine_are_right && other_is_right && page.fact(Fact::euid) == 0;
  }));
}

TYPED_TEST(SharedPageTest, a_refresh_shows_a_new_limit) {
  TypeParam page = this->make_page();
  EXPECT_TRUE(holds_in_child([&] {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return false;
    limit.rlim_cur = 64;
    if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) return false;
    page.refresh_identity();
    return page.fact(Fact::open_files_soft) == 64;
  }));
}

}  // namespace
}  // namespace weft::ksvc
