#include "gvt/inbox.hpp"

#include <gtest/gtest.h>
#include <poll.h>

#include <atomic>
#include <deque>
#include <memory>
#include <thread>
#include <vector>

#include "gvt/sanitizer.hpp"
#include "gvt/worker.hpp"
#include "ksvc/notify/event_fd_notifier.hpp"
#include "ksvc/notify/watched.hpp"

namespace weft::gvt {
namespace {

using EventInbox = Inbox<ksvc::EventFdNotifier>;

struct Post : Runnable {
  Post() : Runnable([](Runnable&) {}) {}
  int producer = 0;
  int number = 0;
};

std::vector<Post*> take_all(EventInbox& inbox) {
  RunQueue queue;
  inbox.take_all(queue);
  std::vector<Post*> taken;
  while (Runnable* task = queue.pop()) taken.push_back(static_cast<Post*>(task));
  return taken;
}

bool woken(EventInbox& inbox) {
  pollfd entry{inbox.notifier().fd(), POLLIN, 0};
  return ::poll(&entry, 1, 0) == 1;
}

TEST(RunQueue, hands_out_first_what_came_first) {
  RunQueue queue;
  Post posts[3];
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.pop(), nullptr);
  queue.push(posts[0]);
  queue.push(posts[1]);
  EXPECT_EQ(queue.pop(), &posts[0]);
  queue.push(posts[2]);
  EXPECT_EQ(queue.pop(), &posts[1]);
  EXPECT_EQ(queue.pop(), &posts[2]);
  EXPECT_TRUE(queue.empty());
  queue.push(posts[0]);
  EXPECT_EQ(queue.pop(), &posts[0]);
}

TEST(Inbox, tasks_come_out_in_the_order_of_posting_behind_what_is_queued) {
  EventInbox inbox;
  Post queued;
  Post posts[4];
  RunQueue queue;
  queue.push(queued);
  for (Post& post : posts) inbox.post(post);
  inbox.take_all(queue);
  EXPECT_EQ(queue.pop(), &queued);
  for (Post& post : posts) EXPECT_EQ(queue.pop(), &post);
  EXPECT_TRUE(queue.empty());
  EXPECT_TRUE(take_all(inbox).empty());
}

TEST(Inbox, post_to_a_worker_that_is_awake_wakes_nobody) {
  EventInbox inbox;
  Post post;
  inbox.post(post);
  EXPECT_FALSE(woken(inbox));
}

TEST(Inbox, posts_to_a_sleeping_worker_cost_one_wake) {
  EventInbox inbox;
  Post posts[3];
  ASSERT_TRUE(inbox.announce_sleep());
  for (Post& post : posts) inbox.post(post);
  EXPECT_TRUE(woken(inbox));
  std::uint64_t wakes = 0;
  ASSERT_EQ(::read(inbox.notifier().fd(), &wakes, sizeof wakes),
            static_cast<ssize_t>(sizeof wakes));
  EXPECT_EQ(wakes, 1U);
}

TEST(Inbox, worker_must_not_sleep_on_what_was_posted_before) {
  EventInbox inbox;
  Post first;
  Post second;
  inbox.post(first);
  EXPECT_FALSE(inbox.announce_sleep());
  inbox.post(second);
  EXPECT_FALSE(woken(inbox)) << "a refused announcement is taken back";
  EXPECT_EQ(take_all(inbox).size(), 2U);
}

template <class W>
class InboxStress : public testing::Test {
 protected:
  void SetUp() override {
    if (auto missing = ksvc::testing::Watcher<W>::missing()) GTEST_SKIP() << *missing;
  }
};
TYPED_TEST_SUITE(InboxStress, ksvc::testing::EveryWatched, ksvc::testing::WatchedNames);

constexpr int kProducers = 4;
constexpr int kPostsEach = sanitizer::kEnabled ? 2'000 : 20'000;

// Posts of several threads at once, each in its own order.
class Producers {
 public:
  template <class PostTo>
  explicit Producers(PostTo post_to) {
    for (auto& own : posts_) own = std::vector<Post>(static_cast<std::size_t>(kPostsEach));
    for (int producer = 0; producer < kProducers; ++producer) {
      auto& own = posts_[static_cast<std::size_t>(producer)];
      threads_.emplace_back([&own, producer, post_to] {
        int number = 0;
        for (Post& post : own) {
          post.producer = producer;
          post.number = number++;
          post_to(post);
          if (number % 64 == 0) std::this_thread::yield();
        }
      });
    }
  }
  ~Producers() {
    for (std::thread& thread : threads_) thread.join();
  }

  // True when it comes in its turn.
  bool taken(const Post& post) {
    ++taken_;
    return post.number == next_[static_cast<std::size_t>(post.producer)]++;
  }
  bool all_taken() const { return taken_ == kProducers * kPostsEach; }

 private:
  std::vector<std::vector<Post>> posts_{kProducers};
  std::vector<int> next_ = std::vector<int>(kProducers, 0);
  std::vector<std::thread> threads_;
  int taken_ = 0;
};

TYPED_TEST(InboxStress, no_post_and_no_wake_is_lost_between_producers_and_an_owner_that_sleeps) {
  Inbox<typename TypeParam::Notifier> inbox;
  ksvc::testing::Watcher<TypeParam> watcher(inbox.notifier());
  watcher.watch();
  Producers producers([&inbox](Post& post) { inbox.post(post); });
  while (!producers.all_taken()) {
    if (inbox.announce_sleep()) {
      const int woken = watcher.wait();
      EXPECT_GE(woken, 1) << "a wake was lost";
      if (woken == 0) break;
      inbox.awake();
    } else {
      watcher.look();
    }
    RunQueue queue;
    inbox.take_all(queue);
    while (Runnable* task = queue.pop()) EXPECT_TRUE(producers.taken(static_cast<Post&>(*task)));
  }
}

TYPED_TEST(InboxStress, worker_with_any_notifier_runs_all_that_is_posted_to_it) {
  using AnyWorker =
      Worker<typename TypeParam::Backend, ksvc::MonotonicClock, typename TypeParam::Notifier>;
  auto worker = AnyWorker::create({}).value();
  std::atomic<int> left{kProducers * kPostsEach};
  struct Task : Runnable {
    explicit Task(AnyWorker& owner, std::atomic<int>& count)
        : Runnable([](Runnable& task) {
            auto& self = static_cast<Task&>(task);
            if (self.left.fetch_sub(1) == 1) self.worker.stop();
          }),
          worker(owner),
          left(count) {}
    AnyWorker& worker;
    std::atomic<int>& left;
  };
  std::deque<Task> tasks;
  for (int i = 0; i < kProducers * kPostsEach; ++i) tasks.emplace_back(*worker, left);
  std::vector<std::thread> producers;
  for (int producer = 0; producer < kProducers; ++producer) {
    producers.emplace_back([&, producer] {
      for (int i = producer; i < kProducers * kPostsEach; i += kProducers) {
        worker->post(tasks[static_cast<std::size_t>(i)]);
        if (i % 64 == producer) std::this_thread::yield();
      }
    });
  }
  worker->run();
  EXPECT_EQ(left.load(), 0);
  for (std::thread& producer : producers) producer.join();
}

}  // namespace
}  // namespace weft::gvt
