#include "storm_wait.hpp"

#include <cerrno>

namespace weft::test {

using std::chrono::microseconds;

namespace {

bool chance(Random& random, unsigned percent) { return random.below(100) < percent; }

Ending bounded(const StormWait::Body& body, const std::optional<CancelSource>& source,
               const std::optional<microseconds>& timeout) {
  const auto under_token = [&]() -> Result<Ending> {
    if (!source) return body();
    return with_cancel(source->token(), [&] { return body(); });
  };
  try {
    const Result<Ending> ended = timeout ? with_timeout(*timeout, under_token) : under_token();
    return ended ? *ended : ending_of(ended.error());
  } catch (const Cancelled& cause) {
    return cause.timed_out() ? Ending::timed_out : Ending::cancelled;
  }
}

}  // namespace

Ending ending_of(const Error& error) {
  switch (error.code) {
    case ErrorCode::cancelled: return Ending::cancelled;
    case ErrorCode::timed_out: return Ending::timed_out;
    case ErrorCode::end_of_stream:
    case ErrorCode::reset: return Ending::closed;
    default: break;
  }
  const bool gone = error.os_errno == EBADF || error.os_errno == ECONNREFUSED;
  return gone ? Ending::closed : Ending::failed;
}

void StormShared::complain(const std::string& what) {
  const detail::SpinGuard guard(lock);
  if (outcome.wrong.size() < 2'000) outcome.wrong += what + "\n";
}

void StormShared::count(unsigned kind, Ending ending, unsigned disturbances) {
  const detail::SpinGuard guard(lock);
  ++outcome.ended[static_cast<std::size_t>(ending)];
  outcome.disturbances += disturbances;
  const auto seen = kind * kEndings + static_cast<std::uint64_t>(ending);
  outcome.digest = (outcome.digest ^ seen) * 0x100'0000'01B3;
}

void StormWait::run(const Body& body) {
  std::optional<CancelSource> source;
  if (chance(random_, 30)) source.emplace();
  std::optional<microseconds> timeout;
  if (chance(random_, 30)) {
    timeout = microseconds(random_.below(1'500));
    times_out();
  }
  auto waiting = spawn(options(), [&] { return bounded(body, source, timeout); });
  if (chance(random_, 80)) pause();
  unsigned disturbances = 1 + static_cast<unsigned>(random_.below(2));
  if (may_time_out_ && chance(random_, 70)) disturbances = 0;
  for (unsigned i = 0; i < disturbances; ++i) {
    disturb(waiting, source);
    if (chance(random_, 50)) pause();
  }
  if (!ends_) cancel(waiting, source);
  judge(join(waiting));
}

SpawnOptions StormWait::options() {
  const bool moves = shared_.options.several_workers && movable_ && chance(random_, 50);
  return {.placement = moves ? Placement::any : Placement::pinned};
}

void StormWait::pause() {
  const std::uint64_t how = random_.below(4);
  if (how == 3) return sleep(microseconds(random_.below(1'000)));
  for (std::uint64_t i = 0; i < how; ++i) yield();
}

void StormWait::disturb(JoinHandle<Ending>& waiting, const Source& source) {
  const std::uint64_t drawn = random_.below(acts_.size() + 2);
  ++disturbances_;
  if (drawn >= acts_.size()) return cancel(waiting, source);
  Possible& chosen = acts_[drawn];
  (chosen.closes ? closed_ : let_go_on_) = true;
  if (chosen.act()) ends_ = true;
}

void StormWait::cancel(JoinHandle<Ending>& waiting, const Source& source) {
  cancelled_ = ends_ = true;
  if (!source || chance(random_, 30)) return waiting.cancel();
  if (shared_.options.os_thread && chance(random_, 50)) {
    shared_.cancels.send(*source);
  } else {
    CancelSource(*source).cancel();
  }
}

Ending StormWait::join(JoinHandle<Ending>& waiting) {
  while (chance(random_, 20)) {
    auto ended = waiting.join_for(microseconds(random_.below(500)));
    if (ended) return *ended;
  }
  return waiting.join();
}

void StormWait::judge(Ending ending) {
  const auto accounted_for = [&] {
    switch (ending) {
      case Ending::done: return let_go_on_;
      case Ending::cancelled: return cancelled_ || closed_;
      case Ending::timed_out: return may_time_out_;
      case Ending::closed: return closed_;
      case Ending::failed: return false;
    }
    return false;
  };
  if (!accounted_for() && !shared_.options.errors) {
    shared_.complain("a wait of kind " + std::to_string(kind_) + " ended as " +
                     std::to_string(static_cast<int>(ending)));
  }
  shared_.count(kind_, ending, disturbances_ + (may_time_out_ ? 1 : 0));
}

}  // namespace weft::test
