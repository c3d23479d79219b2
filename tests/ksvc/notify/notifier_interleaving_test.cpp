// That no wake is lost, shown for every order of the steps of two wakers and an owner; and that the
// search finds what is lost when the owner or the notifier does it wrong.
#include <gtest/gtest.h>

#include "ksvc/notify/modelled_notifiers.hpp"

namespace weft::ksvc {
namespace {

using namespace testing;

enum class Owner { acknowledges_first, takes_first };

// One waker hands over something, and wakes, twice, the other one `kOther` times; the owner waits,
// and takes. A signal handler that wakes is one of the orders, too: that in which it is not
// interrupted.
template <class Notifier, Owner kOwner = Owner::acknowledges_first, int kOther = 1>
struct WakersAndOwner {
  static constexpr int kWakes = 2 + kOther;

  std::vector<std::function<void()>> threads() {
    return {[this] { own(); }, [this] { wake(2); }, [this] { wake(kOther); }};
  }

  void wake(int times) {
    for (int i = 0; i < times; ++i) {
      summarised([this] {
        handed_over.fetch_add(1, std::memory_order_seq_cst);
        notifier.wake();
      });
    }
  }

  void own() {
    Interleavings& all = *Interleavings::current();
    notifier.watch();
    const std::uint64_t marked = all.mark();
    while (taken < kWakes) {
      all.summarise(marked, static_cast<std::uint64_t>(taken));
      all.wait_until([this] { return notifier.completed(); });
      notifier.consume();
      if (kOwner == Owner::takes_first) take();
      notifier.acknowledge();
      notifier.watch();
      if (kOwner == Owner::acknowledges_first) take();
    }
  }
  void take() { taken += handed_over.exchange(0, std::memory_order_seq_cst); }

  std::string verdict(bool ended) const {
    return ended ? "" : "the owner waits for ever, " + std::to_string(taken) + " taken";
  }

  Notifier notifier;
  CheckedAtomic<int> handed_over{0};
  int taken = 0;
};

template <class Notifier>
class NotifierInterleavings : public InterleavingTest {};

struct ModelNames {
  template <class Notifier>
  static std::string GetName(int) {
    return Notifier::name();
  }
};

using EveryModel = ::testing::Types<ModelledEventFd, ModelledFutex, ModelledRingMessage>;
TYPED_TEST_SUITE(NotifierInterleavings, EveryModel, ModelNames);

TYPED_TEST(NotifierInterleavings, no_order_of_steps_loses_a_wake) {
  const auto report = Interleavings::explore<WakersAndOwner<TypeParam>>();
  EXPECT_EQ(report.violation, "") << "by the steps of threads " << report.schedule;
  EXPECT_GT(report.states, 100U);
}

TYPED_TEST(NotifierInterleavings, owner_that_acknowledges_after_taking_is_caught) {
  const auto report = Interleavings::explore<WakersAndOwner<TypeParam, Owner::takes_first>>();
  EXPECT_NE(report.violation.find("waits for ever"), std::string::npos) << report.violation;
}

class FaultyNotifierInterleavings : public InterleavingTest {};

// A flag alone: the message is sent once, but by two at a time when the owner is quick.
struct FlagState {
  bool begin_wake() noexcept { return flag.exchange(1, std::memory_order_seq_cst) == 0; }
  bool finish_wake() noexcept { return false; }
  void acknowledge() noexcept { flag.exchange(0, std::memory_order_seq_cst); }
  bool watch() noexcept { return false; }
  CheckedAtomic<int> flag{0};
};

TEST_F(FaultyNotifierInterleavings, two_that_send_at_once_are_caught) {
  const auto report = Interleavings::explore<WakersAndOwner<ModelledRingMessageWith<FlagState>>>();
  EXPECT_EQ(report.violation, "two threads send at once");
}

// Sends before it says so: a wake in between is taken for one that this message counts for.
struct LateState {
  bool begin_wake() noexcept { return flag.load(std::memory_order_seq_cst) == 0; }
  bool finish_wake() noexcept {
    flag.store(1, std::memory_order_seq_cst);
    return false;
  }
  void acknowledge() noexcept { flag.exchange(0, std::memory_order_seq_cst); }
  bool watch() noexcept { return false; }
  CheckedAtomic<int> flag{0};
};

TEST_F(FaultyNotifierInterleavings, message_sent_before_it_is_announced_is_caught) {
  const auto report = Interleavings::explore<WakersAndOwner<ModelledRingMessageWith<LateState>>>();
  EXPECT_NE(report.violation, "");
}

template <class Notifier>
class SlowNotifierInterleavings : public InterleavingTest {};
TYPED_TEST_SUITE(SlowNotifierInterleavings, EveryModel, ModelNames);

TYPED_TEST(SlowNotifierInterleavings, no_order_of_more_steps_loses_a_wake) {
  const auto report =
      Interleavings::explore<WakersAndOwner<TypeParam, Owner::acknowledges_first, 2>>();
  EXPECT_EQ(report.violation, "") << "by the steps of threads " << report.schedule;
}

}  // namespace
}  // namespace weft::ksvc
