#include "gvt/inbox.hpp"

#include <gtest/gtest.h>
#include <poll.h>

#include <memory>
#include <thread>
#include <vector>

#include "gvt/sanitizer.hpp"
#include "ksvc/notify/event_fd_notifier.hpp"

namespace weft::gvt {
namespace {

constexpr int kHangGuardMs = 30'000;

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

bool woken(EventInbox& inbox, int timeout_ms = 0) {
  pollfd entry{inbox.notifier().fd(), POLLIN, 0};
  return ::poll(&entry, 1, timeout_ms) == 1;
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

TEST(Inbox, no_post_and_no_wake_is_lost_between_four_producers_and_a_worker_that_sleeps) {
  constexpr int kProducers = 4;
  const int kPosts = sanitizer::kEnabled ? 5'000 : 50'000;
  EventInbox inbox;
  std::vector<std::vector<Post>> posts(kProducers);
  for (auto& own : posts) own = std::vector<Post>(static_cast<std::size_t>(kPosts));
  std::vector<std::thread> producers;
  for (int producer = 0; producer < kProducers; ++producer) {
    producers.emplace_back([&inbox, &own = posts[static_cast<std::size_t>(producer)], producer] {
      int number = 0;
      for (Post& post : own) {
        post.producer = producer;
        post.number = number++;
        inbox.post(post);
        if (number % 64 == 0) std::this_thread::yield();
      }
    });
  }
  std::vector<int> next(kProducers, 0);
  int taken = 0;
  while (taken < kProducers * kPosts) {
    if (inbox.announce_sleep()) {
      const bool came = woken(inbox, kHangGuardMs);
      EXPECT_TRUE(came) << "a wake was lost after " << taken << " posts";
      if (!came) break;
      inbox.notifier().acknowledge();
      inbox.awake();
    }
    for (const Post* post : take_all(inbox)) {
      EXPECT_EQ(post->number, next[static_cast<std::size_t>(post->producer)]++);
      ++taken;
    }
  }
  for (std::thread& producer : producers) producer.join();
  EXPECT_EQ(taken, kProducers * kPosts);
}

}  // namespace
}  // namespace weft::gvt
