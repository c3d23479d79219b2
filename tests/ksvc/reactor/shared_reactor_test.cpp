// A reactor that several workers share: each gets what is his, in order, and leaves nothing behind.
// What one worker may ask of it is the conformance test's, in the back ends' folder.
#include "ksvc/reactor/shared_reactor.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <filesystem>
#include <iterator>
#include <thread>
#include <vector>

#include "ksvc/backend/backend_harness.hpp"
#include "ksvc/backend/basic_io_uring.hpp"
#include "ksvc/backend/epoll.hpp"
#include "ksvc/backend/fixed_file_io_uring.hpp"

namespace weft::ksvc {
namespace {

std::size_t threads_of_this_process() {
  const std::filesystem::directory_iterator begin("/proc/self/task");
  return static_cast<std::size_t>(std::distance(begin, std::filesystem::directory_iterator()));
}

struct Pair {
  Pair() {
    int fds[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    ours = fds[0];
    peer = fds[1];
  }
  ~Pair() {
    ::close(ours);
    ::close(peer);
  }
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;

  void peer_writes(const std::string& bytes) const {
    ASSERT_EQ(::write(peer, bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  }

  int ours = -1;
  int peer = -1;
};

template <class Backend>
class SharedReactorTest : public testing::Test {
 protected:
  using Reactor = SharedReactor<Backend>;
  using End = SharedReactorBackend<Backend>;

  void SetUp() override { start({}); }

  void start(const SharedReactorOptions& options) {
    reactor_.reset();
    auto started = Reactor::start(options);
    if (!started) GTEST_SKIP() << Backend::name() << ": " << started.error().message();
    reactor_ = std::move(started).value();
  }
  std::unique_ptr<End> make_end() {
    auto made = reactor_->make_backend();
    EXPECT_TRUE(made);
    return made ? std::move(made).value() : nullptr;
  }

  // Turns until this many completions have come, or more.
  static std::vector<Completion> await(End& end, std::size_t count) {
    Recorder recorder;
    const TimePoint give_up = MonotonicClock().now() + kHangGuard;
    while (recorder.seen.size() < count && MonotonicClock().now() < give_up) {
      end.submit_and_wait(1, give_up);
      end.drain(recorder);
    }
    EXPECT_GE(recorder.seen.size(), count);
    recorder.seen.resize(std::max(recorder.seen.size(), count));
    return recorder.seen;
  }
  // Runs body(end, number) on as many threads, each with an end of its own.
  template <class Body>
  void on_workers(int count, const Body& body) {
    std::vector<std::thread> threads;
    for (int i = 0; i < count; ++i) {
      threads.emplace_back([this, &body, i] {
        const auto end = make_end();
        ASSERT_NE(end, nullptr);
        body(*end, i);
      });
    }
    for (std::thread& thread : threads) thread.join();
  }

  std::shared_ptr<Reactor> reactor_;
};

struct Names {
  template <class Backend>
  static std::string GetName(int) {
    return Backend::name();
  }
};
using EveryReactor = testing::Types<BasicIoUring, Epoll>;
TYPED_TEST_SUITE(SharedReactorTest, EveryReactor, Names);

TYPED_TEST(SharedReactorTest, each_worker_gets_the_results_of_what_it_submitted_in_order) {
  // Queues so small that each is full all the time.
  this->start({.requests = 4, .completions = 4});
  if (this->IsSkipped()) return;
  this->on_workers(4, [this](auto& end, int number) {
    const Pair pair;
    char byte = 0;
    CorrelationId id = 1;  // the same for all of them
    for (int round = 0; round < 30; ++round) {
      end.submit(Send{pair.ours, &number, 1}, id);
      for (int i = 1; i < 20; ++i) end.submit(Nop{}, id + static_cast<CorrelationId>(i));
      Recorder recorder;
      std::size_t seen = 0;
      for (const Completion& completion : this->await(end, 20)) {
        if (completion.corr_id == id) {
          EXPECT_EQ(completion.result, 1);
          continue;
        }
        EXPECT_EQ(completion.corr_id, id + ++seen);
        EXPECT_EQ(completion.result, 0);
      }
      EXPECT_EQ(::recv(pair.peer, &byte, 1, MSG_DONTWAIT), 1);
      EXPECT_EQ(byte, static_cast<char>(number));
      id += 20;
    }
  });
}

TYPED_TEST(SharedReactorTest, chains_of_several_workers_do_not_mix) {
  this->start({.requests = 2, .completions = 8});
  if (this->IsSkipped()) return;
  this->on_workers(4, [this](auto& end, int number) {
    char byte = 'x';
    for (int round = 0; round < 60; ++round) {
      if (number % 2 == 0) {
        end.submit(Linked{Nop{}}, 1);
        end.submit(Linked{Send{-1, &byte, 1}}, 2);
        end.submit(Linked{Nop{}}, 3);
      } else {
        for (CorrelationId id = 1; id <= 3; ++id) end.submit(Nop{}, id);
      }
      end.submit(Nop{}, 4);
      const std::int32_t cut[] = {0, 0, -EBADF, -ECANCELED, -ECANCELED};
      for (const Completion& completion : this->await(end, 4)) {
        EXPECT_EQ(completion.result, number % 2 == 0 ? cut[completion.corr_id] : 0);
      }
    }
  });
}

TYPED_TEST(SharedReactorTest, cancel_reaches_nothing_of_another_worker) {
  const auto mine = this->make_end();
  const auto other = this->make_end();
  const Pair pair;
  char memory[8];
  mine->submit(ReceiveInto{pair.ours, memory, sizeof memory}, 1);
  mine->submit_and_wait(0, kNoDeadline);
  other->submit(Cancel{pair.ours, 1}, 1);
  EXPECT_EQ(this->await(*other, 1).front().result, -ENOENT);
  pair.peer_writes("mine");
  EXPECT_EQ(this->await(*mine, 1).front().result, 4);
}

TYPED_TEST(SharedReactorTest, what_a_worker_leaves_in_flight_ends_with_it) {
  const Pair armed;
  const Pair chained;
  const Pair held;
  held.peer_writes("held");
  const auto stays = this->make_end();
  const std::size_t all = stays->buffers().available();
  char memory[8];
  {
    const auto goes = this->make_end();
    goes->submit(Receive{held.ours}, 3);
    goes->submit(Receive{armed.ours}, 1);
    goes->submit(Linked{Timed{ReceiveInto{chained.ours, memory, sizeof memory},
                              MonotonicClock().now() + std::chrono::hours(1)}},
                 2);
    goes->submit(Send{chained.ours, "never", 5}, 4);
    goes->submit(SendNow{held.ours, "now", 3}, 5);
    const Completion completion = this->await(*goes, 1).front();
    EXPECT_EQ(completion.corr_id, 3U);
    EXPECT_TRUE(completion.lease) << "and is not given back";
    goes->buffers().borrow();
  }
  for (const Pair* pair : {&armed, &chained, &held}) pair->peer_writes("later");
  for (const Pair* pair : {&armed, &chained, &held}) {
    EXPECT_EQ(::recv(pair->ours, memory, sizeof memory, MSG_DONTWAIT), 5) << "nobody took it";
  }
  EXPECT_EQ(::recv(chained.peer, memory, sizeof memory, MSG_DONTWAIT), -1);
  EXPECT_EQ(::recv(held.peer, memory, sizeof memory, MSG_DONTWAIT), 3);
  stays->submit(Nop{}, 1);
  this->await(*stays, 1);
  EXPECT_EQ(stays->buffers().available(), all);
}

TYPED_TEST(SharedReactorTest, connections_that_nobody_took_are_closed) {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in any = loopback(0);
  ASSERT_EQ(::bind(listener, reinterpret_cast<const sockaddr*>(&any), sizeof any), 0);
  ASSERT_EQ(::listen(listener, 16), 0);
  LoopbackNetwork network;
  const int peer = network.connect_peer(network.address_of(listener));
  {
    const auto end = this->make_end();
    end->submit(Accept{listener, true}, 1);
    end->submit_and_wait(1, MonotonicClock().now() + kHangGuard);
  }
  int why = -1;
  EXPECT_EQ(network.read_exactly(peer, 1, &why), "");
  ::close(peer);
  ::close(listener);
}

TYPED_TEST(SharedReactorTest, thread_ends_with_the_last_back_end) {
  this->reactor_.reset();
  const std::size_t before = threads_of_this_process();
  this->start({});
  if (this->IsSkipped()) return;
  EXPECT_EQ(threads_of_this_process(), before + 1);
  auto first = this->make_end();
  auto second = this->make_end();
  this->reactor_.reset();
  first.reset();
  second->submit(Nop{}, 1);
  EXPECT_EQ(this->await(*second, 1).front().result, 0);
  EXPECT_EQ(threads_of_this_process(), before + 1);
  second.reset();
  EXPECT_EQ(threads_of_this_process(), before);
}

TYPED_TEST(SharedReactorTest, blocks_that_one_worker_gives_back_are_there_for_another) {
  this->start({.backend = {.buffers = {.blocks = 2, .block_bytes = 64}}});
  if (this->IsSkipped()) return;
  const auto hoarder = this->make_end();
  const auto other = this->make_end();
  const Pair hoarded;
  const Pair waiting;
  hoarded.peer_writes(std::string(128, 'h'));
  hoarder->submit(Receive{hoarded.ours}, 1);
  std::vector<BufferLease> leases;
  while (leases.size() < 2) {
    for (const Completion& completion : this->await(*hoarder, 1)) {
      ASSERT_TRUE(completion.lease || completion.result == -ENOBUFS);
      if (completion.lease) leases.push_back(completion.lease);
    }
  }
  EXPECT_EQ(hoarder->buffers().available(), 0U);
  waiting.peer_writes("bytes");
  other->submit(Receive{waiting.ours}, 1);
  EXPECT_EQ(this->await(*other, 1).front().result, -ENOBUFS);
  EXPECT_EQ(other->buffers().available(), 0U);
  EXPECT_EQ(other->buffers().lent(), 0U);
  for (BufferLease& lease : leases) hoarder->buffers().release(lease);
  EXPECT_EQ(hoarder->buffers().lent(), 0U);
  hoarder->submit_and_wait(0, kNoDeadline);
  other->submit(Receive{waiting.ours}, 1);
  Completion completion = this->await(*other, 1).front();
  EXPECT_EQ(completion.result, 5);
  other->buffers().release(completion.lease);
}

// The reactor is always a little behind; what was sent must be free again all the same.
TYPED_TEST(SharedReactorTest, who_sends_in_every_turn_is_settled_again_and_again) {
  const auto end = this->make_end();
  const Pair pair;
  Recorder recorder;
  int unsettled = 0;
  for (int turn = 0; turn < 2'000; ++turn) {
    end->submit(SendNow{pair.ours, "x", 1}, 1);
    end->submit_and_wait(0, kNoDeadline);
    end->drain(recorder);
    unsettled = end->settled() ? 0 : unsettled + 1;
    ASSERT_LE(unsettled, 9);
    char memory[64];
    while (::recv(pair.peer, memory, sizeof memory, MSG_DONTWAIT) > 0) continue;
  }
  EXPECT_TRUE(recorder.seen.empty());
}

TYPED_TEST(SharedReactorTest, more_workers_than_it_can_tell_apart_are_refused) {
  this->start({.completions = 2});
  if (this->IsSkipped()) return;
  std::vector<std::unique_ptr<SharedReactorBackend<TypeParam>>> ends;
  for (std::size_t i = 0; i < ReactorDoor::kMostClients; ++i) ends.push_back(this->make_end());
  auto refused = this->reactor_->make_backend();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().os_errno, EUSERS);
  ends[100]->submit(Nop{}, 1);
  EXPECT_EQ(this->await(*ends[100], 1).front().result, 0);
  ends[7].reset();
  EXPECT_TRUE(this->reactor_->make_backend());
}

TYPED_TEST(SharedReactorTest, workers_come_and_go_while_others_work) {
  std::atomic<bool> done{false};
  std::thread busy([&] {
    const auto end = this->make_end();
    while (!done) {
      for (CorrelationId id = 1; id <= 10; ++id) end->submit(Nop{}, id);
      this->await(*end, 10);
    }
  });
  this->on_workers(3, [this](auto&, int) {
    for (int i = 0; i < 50; ++i) {
      const auto end = this->make_end();
      end->submit(Nop{}, 9);
      EXPECT_EQ(this->await(*end, 1).front().corr_id, 9U);
    }
  });
  done = true;
  busy.join();
}

// Slots of a ring's table belong to the ring, so to all workers of its reactor.
TEST(SharedReactor, connection_that_one_worker_accepted_may_be_another_ones) {
  auto started = SharedReactor<FixedFileIoUring>::start();
  if (!started) GTEST_SKIP() << started.error().message();
  const auto accepts = (*started)->make_backend().value();
  const auto serves = (*started)->make_backend().value();
  LoopbackNetwork network;
  const int listener = network.make_listener(true);
  const int peer = network.connect_peer(network.address_of(listener));
  Recorder recorder;
  accepts->submit(Accept{listener}, 1);
  while (recorder.seen.empty()) {
    accepts->submit_and_wait(1, kNoDeadline);
    accepts->drain(recorder);
  }
  const int taken = recorder.seen.front().result;
  ASSERT_GE(taken, 0);
  EXPECT_TRUE(made_by_backend(taken));
  serves->submit(SendNow{taken, "hello", 5}, 1);
  serves->submit(Close{taken}, 0);
  serves->submit_and_wait(0, kNoDeadline);
  EXPECT_EQ(network.read_exactly(peer, 6), "hello");
  ::close(peer);
  ::close(listener);
}

struct RefusedBackend : Epoll {
  static Result<std::unique_ptr<RefusedBackend>> create(const BackendOptions&) {
    return Error::from_errno(EPERM);
  }
};

TEST(SharedReactor, refusal_of_the_back_end_is_the_reactors) {
  const std::size_t before = threads_of_this_process();
  const auto started = SharedReactor<RefusedBackend>::start();
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().os_errno, EPERM);
  EXPECT_EQ(threads_of_this_process(), before);
}

}  // namespace
}  // namespace weft::ksvc
