// That no post is lost and no wake wasted, shown for every order of the steps of posters and a
// worker on the real inbox; and that the search finds what is wrong with inboxes that are.
#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <string>
#include <vector>

#include "gvt/inbox.hpp"
#include "ksvc/notify/modelled_notifiers.hpp"

namespace weft::gvt {
namespace {

using namespace ksvc::testing;

// Counts wakes, and hands them on.
template <class Notifier>
struct Counted {
  void wake() noexcept {
    ++wakes;
    notifier.wake();
  }
  void acknowledge() noexcept { notifier.acknowledge(); }

  Notifier notifier;
  int wakes = 0;
};

struct Post : Runnable {
  Post() : Runnable([](Runnable&) {}) {}
};

// Two posters, the first with `kFirst` posts, the other with one; a worker, which takes turns as
// gvt::Worker does; and something else that ends a sleep of the worker once, at any time or never.
template <class Inbox, int kFirst = 1>
struct PostersAndWorker {
  static constexpr int kPosts = kFirst + 1;

  std::vector<std::function<void()>> threads() {
    return {[this] { work(); }, [this] { post(0, kFirst); }, [this] { post(kFirst, kPosts); },
            [this] { other.store(1, std::memory_order_seq_cst); }};
  }

  void post(int from, int to) {
    for (int i = from; i < to; ++i) {
      summarised([this, i] { inbox.post(posts[static_cast<std::size_t>(i)]); });
    }
  }

  void work() {
    auto& notifier = inbox.notifier().notifier;
    Interleavings& all = *Interleavings::current();
    notifier.watch();
    const std::uint64_t marked = all.mark();
    while (taken < kPosts) {
      all.summarise(marked, static_cast<std::uint64_t>(taken * 100 + announced));
      ++announced;
      if (summarised([this] { return inbox.announce_sleep(); })) {
        all.wait_until([&] { return notifier.completed() || other.peek() == 1; });
        inbox.awake();
        if (other.peek() == 1) other.poke(2);
      }
      all.step();
      all.observed(notifier.completed());
      if (notifier.completed()) {
        notifier.consume();
        inbox.notifier().acknowledge();
        notifier.watch();
      }
      take();
    }
  }

  void take() {
    RunQueue queue;
    inbox.take_all(queue);
    while (queue.pop() != nullptr) ++taken;
  }

  std::string verdict(bool ended) {
    if (!ended) return "the worker sleeps for ever, " + std::to_string(taken) + " taken";
    if (inbox.notifier().wakes > announced) return "woken more often than it wanted to sleep";
    return "";
  }

  Inbox inbox;
  CheckedAtomic<int> other{0};
  std::array<Post, kPosts> posts;
  int taken = 0;
  int announced = 0;
};

// The notifier, and how many posts the first poster has.
template <class N, int kPosts>
struct Case {
  using Notifier = N;
  static Interleavings::Report explore() {
    return Interleavings::explore<PostersAndWorker<Inbox<Counted<N>, CheckedAtomic>, kPosts>>();
  }
};

struct CaseNames {
  template <class C>
  static std::string GetName(int) {
    return C::Notifier::name();
  }
};

template <class C>
class InboxInterleavings : public InterleavingTest {};

using QuickCases = ::testing::Types<Case<ModelledEventFd, 1>, Case<ModelledFutex, 1>>;
TYPED_TEST_SUITE(InboxInterleavings, QuickCases, CaseNames);

TYPED_TEST(InboxInterleavings, no_order_of_steps_loses_a_post_or_wastes_a_wake) {
  const auto report = TypeParam::explore();
  EXPECT_EQ(report.violation, "") << "by the steps of threads " << report.schedule;
  EXPECT_GT(report.states, 100U);
}

template <class C>
class SlowInboxInterleavings : public InterleavingTest {};

using SlowCases = ::testing::Types<Case<ModelledEventFd, 2>, Case<ModelledFutex, 2>,
                                   Case<ModelledRingMessage, 1>>;
TYPED_TEST_SUITE(SlowInboxInterleavings, SlowCases, CaseNames);

TYPED_TEST(SlowInboxInterleavings, no_order_of_steps_loses_a_post_or_wastes_a_wake) {
  const auto report = TypeParam::explore();
  EXPECT_EQ(report.violation, "") << "by the steps of threads " << report.schedule;
}

// Inboxes as one might write them at first.
enum class Fault { none, worker_looks_first, poster_looks_first, announcement_is_left };

template <Fault kFault>
class FaultyInbox {
 public:
  void post(Runnable& task) noexcept {
    constexpr auto kOrder = std::memory_order_seq_cst;
    bool sleeping = kFault == Fault::poster_looks_first && sleeping_.load(kOrder);
    task.next = newest_.load(kOrder);
    while (!newest_.compare_exchange_weak(task.next, &task, kOrder)) {
    }
    if (kFault != Fault::poster_looks_first) sleeping = sleeping_.load(kOrder);
    if (!sleeping) return;
    if (kFault == Fault::announcement_is_left || sleeping_.exchange(false, kOrder)) {
      notifier_.wake();
    }
  }

  bool announce_sleep() noexcept {
    constexpr auto kOrder = std::memory_order_seq_cst;
    if (kFault == Fault::worker_looks_first) {
      const bool empty = newest_.load(kOrder) == nullptr;
      if (empty) sleeping_.store(true, kOrder);
      return empty;
    }
    sleeping_.store(true, kOrder);
    if (newest_.load(kOrder) == nullptr) return true;
    awake();
    return false;
  }
  void awake() noexcept { sleeping_.store(false, std::memory_order_seq_cst); }

  void take_all(RunQueue& queue) noexcept {
    Runnable* task = newest_.exchange(nullptr, std::memory_order_seq_cst);
    while (task != nullptr) {
      Runnable* next = task->next;
      queue.push(*task);
      task = next;
    }
  }

  auto& notifier() noexcept { return notifier_; }

 private:
  CheckedAtomic<Runnable*> newest_{nullptr};
  CheckedAtomic<bool> sleeping_{false};
  Counted<ModelledEventFd> notifier_;
};

template <Fault kFault>
std::string violation_of() {
  return Interleavings::explore<PostersAndWorker<FaultyInbox<kFault>>>().violation;
}

class FaultyInboxInterleavings : public InterleavingTest {};

TEST_F(FaultyInboxInterleavings, inbox_without_a_fault_passes_as_the_real_one_does) {
  EXPECT_EQ(violation_of<Fault::none>(), "");
}

TEST_F(FaultyInboxInterleavings, worker_that_looks_before_it_announces_is_caught) {
  EXPECT_EQ(violation_of<Fault::worker_looks_first>().rfind("the worker sleeps for ever", 0), 0U);
}

TEST_F(FaultyInboxInterleavings, poster_that_looks_before_it_posts_is_caught) {
  EXPECT_EQ(violation_of<Fault::poster_looks_first>().rfind("the worker sleeps for ever", 0), 0U);
}

TEST_F(FaultyInboxInterleavings, poster_that_leaves_the_announcement_for_the_next_is_caught) {
  EXPECT_EQ(violation_of<Fault::announcement_is_left>(),
            "woken more often than it wanted to sleep");
}

}  // namespace
}  // namespace weft::gvt
