// The contract where something runs short: blocks, descriptors, room for completions, room for
// operations. Nothing is lost, and what ends can be armed again.
#include <sys/resource.h>
#include <sys/wait.h>

#include <cstdlib>

#include "ksvc/backend/backend_harness.hpp"
#include "ksvc/backend/every_backend.hpp"

namespace weft::ksvc {
namespace {

template <class Backend>
class IoBackendShortageTest : public BackendTest<Backend> {
 protected:
  static constexpr CorrelationId kReceive = 1;
  static constexpr CorrelationId kBorrowed = 2;

  // Takes the bytes of one completion; true when the receive that it belongs to has ended.
  bool take(Completion completion, std::string& bytes) {
    if (completion.lease) {
      bytes.append(completion.lease.data, completion.lease.size);
      this->backend().buffers().release(completion.lease);
    }
    return !completion.more;
  }
};
TYPED_TEST_SUITE(IoBackendShortageTest, EveryBackend, BackendNames);

TYPED_TEST(IoBackendShortageTest, two_blocks_carry_any_stream) {
  this->remake({.buffers = {.blocks = 2, .block_bytes = 512}});
  auto pair = this->make_pair();
  const std::string sent = patterned(50'000);
  pair.peer.writes(sent);
  std::string got;
  this->backend().submit(Receive{pair.ours.get()}, this->kReceive);
  EXPECT_TRUE(this->turn_until([&] {
    bool ended = false;
    for (const Completion& completion : std::exchange(this->seen(), {})) {
      EXPECT_TRUE(completion.result > 0 || completion.result == -ENOBUFS) << completion.result;
      ended = this->take(completion, got);
    }
    EXPECT_EQ(this->backend().buffers().lent(), 0U);
    if (ended) this->backend().submit(Receive{pair.ours.get()}, this->kReceive);
    return got.size() >= sent.size();
  }));
  EXPECT_TRUE(got == sent);
}

// One owner keeps every block for good; the other goes on in borrowed memory.
TYPED_TEST(IoBackendShortageTest, borrowed_memory_carries_on_when_no_block_is_free) {
  this->remake({.buffers = {.blocks = 2, .block_bytes = 512}});
  auto hoarder = this->make_pair();
  hoarder.peer.writes(patterned(1'024));
  this->backend().submit(Receive{hoarder.ours.get()}, 99);
  ASSERT_TRUE(this->turn_until([&] { return this->backend().buffers().available() == 0; }));
  std::vector<BufferLease> hoard;
  for (const Completion& completion : std::exchange(this->seen(), {})) {
    if (completion.lease) hoard.push_back(completion.lease);
  }

  auto pair = this->make_pair();
  const std::string sent = patterned(20'000);
  pair.peer.writes(sent);
  this->backend().submit(Receive{pair.ours.get()}, this->kReceive);
  EXPECT_EQ(this->await_final(this->kReceive).result, -ENOBUFS);
  this->seen().clear();
  std::string got;
  while (got.size() < sent.size()) {
    BufferLease lease = this->backend().buffers().borrow();
    this->backend().submit(
        ReceiveInto{pair.ours.get(), lease.data, this->backend().buffers().block_bytes()},
        this->kBorrowed);
    const std::int32_t result = this->await_final(this->kBorrowed).result;
    this->seen().clear();
    ASSERT_GT(result, 0);
    lease.size = static_cast<std::uint32_t>(result);
    got.append(lease.data, lease.size);
    this->backend().buffers().release(lease);
  }
  EXPECT_TRUE(got == sent);
  EXPECT_EQ(this->backend().buffers().available(), 0U) << "the borrowed are not numbered ones";
  for (BufferLease& lease : hoard) this->backend().buffers().release(lease);
  EXPECT_EQ(this->backend().buffers().lent(), 0U);
}

TYPED_TEST(IoBackendShortageTest, block_that_is_lent_again_has_another_generation) {
  this->remake({.buffers = {.blocks = 1, .block_bytes = 64}});
  auto pair = this->make_pair();
  BufferLease stale;
  for (int round = 0; round < 2; ++round) {
    this->seen().clear();
    pair.peer.writes("bytes");
    this->backend().submit(Receive{pair.ours.get()}, this->kReceive);
    BufferLease lease = this->await(this->kReceive).lease;
    ASSERT_TRUE(lease);
    if (round == 1) {
      EXPECT_EQ(lease.block, stale.block);
      EXPECT_NE(lease.generation, stale.generation);
      GTEST_FLAG_SET(death_test_style, "fast");
      EXPECT_DEATH(this->backend().buffers().release(stale), "broken promise");
    }
    stale = lease;
    this->backend().submit(Cancel{pair.ours.get(), this->kReceive}, 0);
    this->await_final(this->kReceive);
    this->backend().buffers().release(lease);
  }
}

TYPED_TEST(IoBackendShortageTest, burst_beyond_the_completion_queue_loses_nothing) {
  this->remake({.submission_entries = 8, .completion_entries = 8});
  constexpr std::size_t kPairs = 100;
  std::vector<SocketPair<typename TestFixture::Net>> pairs;
  for (std::size_t i = 0; i < kPairs; ++i) {
    pairs.push_back(this->make_pair());
    this->backend().submit(Receive{pairs[i].ours.get()}, i + 1);
  }
  this->turn();
  std::vector<std::string> got(kPairs);
  std::size_t total = 0;
  for (int burst = 0; burst < 3; ++burst) {
    for (auto& pair : pairs) pair.peer.writes("burst" + std::to_string(burst));
    // Entered again and again without a look at what has come.
    for (int turns = 0; turns < 3; ++turns) this->backend().submit_and_wait(0, kNoDeadline);
  }
  EXPECT_TRUE(this->turn_until([&] {
    for (const Completion& completion : std::exchange(this->seen(), {})) {
      const std::size_t i = completion.corr_id - 1;
      total -= got[i].size();
      const bool ended = this->take(completion, got[i]);
      total += got[i].size();
      if (ended) this->backend().submit(Receive{pairs[i].ours.get()}, i + 1);
    }
    return total >= kPairs * 18;
  }));
  for (const std::string& bytes : got) EXPECT_EQ(bytes, "burst0burst1burst2");
  EXPECT_EQ(this->backend().buffers().lent(), 0U);
}

TYPED_TEST(IoBackendShortageTest, thousands_of_operations_pass_a_small_queue_in_order) {
  this->remake({.submission_entries = 4, .completion_entries = 8});
  constexpr CorrelationId kOperations = 3'000;
  for (CorrelationId id = 1; id <= kOperations; ++id) this->backend().submit(Nop{}, id);
  EXPECT_TRUE(this->turn_until([&] { return this->seen().size() >= kOperations; }));
  ASSERT_EQ(this->seen().size(), kOperations);
  for (CorrelationId id = 1; id <= kOperations; ++id) {
    ASSERT_EQ(this->seen()[id - 1].corr_id, id);
    EXPECT_EQ(this->seen()[id - 1].result, 0);
  }
  this->turn();
  EXPECT_TRUE(this->turn_until_settled());
}

// What a whole process has to run short of is tried in a child, which must exit with 0.
template <class Backend>
class IoBackendProcessTest : public BackendTest<Backend> {
 protected:
  void SetUp() override {
    if (!TestFixtureNet::kIsTheSystems) GTEST_SKIP() << "needs a process of its own";
    BackendTest<Backend>::SetUp();
  }

  // Says what is wrong, and ends the child with it.
  static void require(bool holds, const char* what) {
    if (holds) return;
    std::fprintf(stderr, "not so: %s\n", what);
    std::_Exit(1);
  }

  static void limit_descriptors(rlim_t count) {
    rlimit limit{};
    require(::getrlimit(RLIMIT_NOFILE, &limit) == 0, "the limit can be read");
    limit.rlim_cur = std::min(count, limit.rlim_max);
    require(::setrlimit(RLIMIT_NOFILE, &limit) == 0, "the limit can be set");
  }

  // Accepts `wanted` connections while the process may have two descriptors more than it has.
  static void accept_with_few_descriptors(std::size_t wanted) {
    Network<Backend> network;
    auto made = network.template make<Backend>({});
    require(static_cast<bool>(made), "the back end can be made");
    std::unique_ptr<Backend> backend = std::move(made).value();
    const int listener = network.make_listener(true);
    std::vector<int> peers;
    for (std::size_t i = 0; i < wanted; ++i) {
      peers.push_back(network.connect_peer(network.address_of(listener)));
    }
    const int next = ::dup(listener);
    ::close(next);
    limit_descriptors(static_cast<rlim_t>(next) + 2);
    bool ran_short = false;
    std::size_t accepted = 0;
    bool of_the_system = true;
    const TimePoint give_up = network.now() + kHangGuard;
    backend->submit(Accept{listener, true}, 1);
    while (accepted < wanted && network.now() < give_up) {
      Recorder recorder;
      backend->submit_and_wait(1, give_up);
      backend->drain(recorder);
      for (const Completion& completion : recorder.seen) {
        if (completion.result >= 0) {
          ++accepted;
          of_the_system = of_the_system && !made_by_backend(completion.result);
        } else {
          ran_short = true;
          require(completion.result == -EMFILE, "the end says why");
          require(!completion.more, "the shortage ends the accept");
          limit_descriptors(RLIM_INFINITY);
        }
        if (!completion.more) backend->submit(Accept{listener, true}, 1);
      }
    }
    require(accepted == wanted, "every connection is accepted in the end");
    require(ran_short || !of_the_system, "the limit was felt");
    std::_Exit(0);
  }

 private:
  using TestFixtureNet = Network<Backend>;
};
TYPED_TEST_SUITE(IoBackendProcessTest, EveryBackend, BackendNames);

TYPED_TEST(IoBackendProcessTest, shortage_of_descriptors_ends_an_accept_and_loses_nobody) {
#ifdef WEFT_TSAN
  if (kHasThread<TypeParam>) GTEST_SKIP() << "ThreadSanitizer allows no thread in a forked child";
#endif
  GTEST_FLAG_SET(death_test_style, "fast");
  EXPECT_EXIT(this->accept_with_few_descriptors(6), testing::ExitedWithCode(0), "");
}

TYPED_TEST(IoBackendProcessTest, child_that_forks_off_and_exits_disturbs_nothing) {
  auto pair = this->make_pair();
  char memory[16];
  this->backend().submit(Receive{pair.ours.get()}, 1);
  this->backend().submit(Timed{Nop{}, this->soon()}, 2);
  this->turn();
  this->backend().submit(SendNow{pair.ours.get(), "before", 6}, 3);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) std::_Exit(7);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(WEXITSTATUS(status), 7);
  pair.peer.writes("after");
  EXPECT_EQ(this->await(1).result, 5);
  EXPECT_EQ(this->collect_bytes(), "after");
  EXPECT_TRUE(this->turn_until_settled());
  EXPECT_EQ(pair.peer.reads_exactly(6), "before");
  auto other = this->make_pair();
  other.peer.writes("new");
  this->backend().submit(ReceiveInto{other.ours.get(), memory, sizeof memory}, 4);
  EXPECT_EQ(this->await_final(4).result, 3);
}

}  // namespace
}  // namespace weft::ksvc
