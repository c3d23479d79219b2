// StormWait: one wait of a storm, what is done to it, and whether what it came to is accounted for;
// and StormShared, what all drivers of a storm have in common.
//
// A StormWait is its driver's, StormShared is any thread's.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ksvc/sim/sim_random.hpp"
#include "storm.hpp"
#include "weft/cancel.hpp"
#include "weft/channel.hpp"
#include "weft/detail/spin_lock.hpp"
#include "weft/green.hpp"
#include "weft/sync.hpp"

namespace weft::test {

using Random = ksvc::SimRandom;

Ending ending_of(const Error& error);
template <class T>
Ending ending_of(const Result<T>& result) {
  return result ? Ending::done : ending_of(result.error());
}

struct StormShared {
  explicit StormShared(Ground& on, const StormOptions& with) : ground(on), options(with) {}

  void complain(const std::string& what);
  void count(unsigned kind, Ending ending, unsigned disturbances);

  Ground& ground;
  const StormOptions& options;
  std::atomic<std::int64_t> waits_left{0};

  Mutex mutex;
  int inside = 0;
  RwLock rw_lock;
  std::atomic<int> readers{0};
  std::atomic<int> writers{0};
  Semaphore permits{3};
  std::atomic<int> permits_out{0};
  Channel<std::uint64_t> channel{2};
  std::atomic<std::uint64_t> next_value{1};
  std::atomic<std::uint64_t> sent{0};
  std::atomic<std::uint64_t> received{0};
  // To the thread that cancels.
  Channel<CancelSource> cancels{kUnbounded};

  detail::SpinLock lock;  // of the outcome
  StormOutcome outcome;
};

class StormWait {
 public:
  using Body = std::function<Ending()>;
  // Whether it is sure to end the wait.
  using Act = std::function<bool()>;

  StormWait(StormShared& shared, Random& random, unsigned kind) noexcept
      : shared_(shared), random_(random), kind_(kind) {}

  // What may be done to it besides cancelling: close what it waits on, or let it go on.
  void may_close(Act act) { acts_.push_back({std::move(act), true}); }
  void may_let_go_on(Act act) { acts_.push_back({std::move(act), false}); }
  void may_end_by_itself() noexcept { let_go_on_ = true; }
  void ends_by_itself() noexcept { let_go_on_ = ends_ = true; }
  // It has a limit of its own.
  void times_out() noexcept { may_time_out_ = ends_ = true; }
  // What is done to it is to be done on its worker.
  void stays_here() noexcept { movable_ = false; }

  // Has another green thread do `body`, which waits, disturbs that, and sees it through.
  void run(const Body& body);

 private:
  struct Possible {
    Act act;
    bool closes;
  };
  using Source = std::optional<CancelSource>;

  SpawnOptions options();
  void pause();
  void disturb(JoinHandle<Ending>& waiting, const Source& source);
  void cancel(JoinHandle<Ending>& waiting, const Source& source);
  Ending join(JoinHandle<Ending>& waiting);
  void judge(Ending ending);

  StormShared& shared_;
  Random& random_;
  unsigned kind_;
  std::vector<Possible> acts_;
  unsigned disturbances_ = 0;
  bool cancelled_ = false;
  bool closed_ = false;
  bool let_go_on_ = false;
  bool may_time_out_ = false;
  bool ends_ = false;
  bool movable_ = true;
};

}  // namespace weft::test
