#include "gvt/stall_detector.hpp"

#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <utility>

#include "gvt/backtrace.hpp"
#include "ksvc/clock/monotonic_clock.hpp"
#include "ksvc/core/assert.hpp"
#include "ksvc/core/signals_blocked.hpp"

namespace weft::gvt {

namespace {

constexpr int kLooksPerThreshold = 4;
// How many looks a signal may take to arrive before a stall is told without its stack.
constexpr int kLooksForStack = 8;
constexpr std::size_t kSignalStackBytes = 64 * 1024;

void take_down_stack(int, siginfo_t* info, void* machine_context) {
  const int kept_errno = errno;
  // Nobody but this process knows the address of a capture.
  if (info->si_code == SI_QUEUE && info->si_pid == ::getpid()) {
    auto& capture = *static_cast<StackCapture*>(info->si_value.sival_ptr);
    // Sees what the detector made of the last one before it asked again.
    if (capture.state.load(std::memory_order_acquire) == StackCapture::asked) {
      capture.word = capture.pulse->word();
      capture.count = interrupted_backtrace(machine_context, capture.addresses);
      capture.state.store(StackCapture::taken, std::memory_order_release);
    }
  }
  errno = kept_errno;
}

bool install_handler(int signal) {
  struct sigaction present = {};
  if (::sigaction(signal, nullptr, &present) != 0) return false;
  const bool ours = present.sa_sigaction == &take_down_stack;
  if (ours) return true;
  if (present.sa_handler != SIG_DFL) return false;
  struct sigaction action = {};
  action.sa_sigaction = &take_down_stack;
  action.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK;
  // The handler stays when the detector goes: it does nothing that it is not asked to.
  return ::sigaction(signal, &action, nullptr) == 0;
}

// The signal that stalled workers will get; 0 when all are in use.
int take_signal(int wanted) {
  if (wanted != 0) return install_handler(wanted) ? wanted : 0;
  for (int signal = SIGRTMAX; signal >= SIGRTMIN; --signal)
    if (install_handler(signal)) return signal;
  return 0;
}

// A lock that the compiler takes blocks the thread, and whoever could give it up may be parked on
// that very thread.
constexpr std::string_view kStaticLocalAdvice =
    "   The making of a static local is waited for there. If its initialiser is parked on this\n"
    "   worker, neither goes on: make it before the server starts, or by weft::Once.\n";

// The stack in lines, and what to do about it where that is known.
std::string described(Symbolizer& symbolizer, const std::vector<void*>& stack) {
  if (stack.empty()) return "   (its stack could not be looked at)\n";
  std::string text = symbolizer.describe(stack);
  if (text.find("__cxa_guard_acquire") != std::string::npos) text += kStaticLocalAdvice;
  return text;
}

std::string in_milliseconds(std::chrono::nanoseconds time) {
  return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(time).count()) +
         " ms";
}

}  // namespace

StallDetector::StallDetector(StallOptions options)
    : options_(std::move(options)), period_(options_.threshold / kLooksPerThreshold) {
  WEFT_ASSERT(period_.count() > 0);
  options_.signal = take_signal(options_.signal);
  warm_up_backtraces();
  const ksvc::SignalsBlocked blocked;
  thread_ = std::thread([this] { run(); });
  ::pthread_setname_np(thread_.native_handle(), "weft-stalls");
}

StallDetector::~StallDetector() {
  WEFT_ASSERT(watches_.empty());
  stopping_.store(true);
  sleeps_.store(2);  // neither value that the thread goes to sleep on
  ksvc::futex_wake(sleeps_, ksvc::FutexScope::process);
  thread_.join();
}

void StallDetector::add(StallWatch& watch) {
  const std::lock_guard lock(mutex_);
  watches_.push_back(&watch);
}

void StallDetector::remove(StallWatch& watch) {
  const std::lock_guard lock(mutex_);
  std::erase(watches_, &watch);
}

void StallDetector::run() {
  int quiet_looks = 0;
  while (!stopping_.load()) {
    quiet_looks = look() ? 0 : quiet_looks + 1;
    sleep(quiet_looks);
    if (quiet_looks > 1) quiet_looks = 0;
  }
}

void StallDetector::sleep(int quiet_looks) {
  constexpr auto kForEver = std::chrono::nanoseconds::max();
  std::uint32_t expected = sleeps_.load();
  if (quiet_looks == 0) {
    if (expected == 1) sleeps_.compare_exchange_strong(expected, 0);
    return ksvc::futex_wait(sleeps_, 0, period_, ksvc::FutexScope::process);
  }
  // A worker that goes to work without having seen the announcement did so about when it was made,
  // so the next look, which is a period later, sees it at work.
  if (quiet_looks == 1) {
    if (expected == 0) sleeps_.compare_exchange_strong(expected, 1);
    return ksvc::futex_wait(sleeps_, 1, period_, ksvc::FutexScope::process);
  }
  symbolizer_.reset();
  asleep_.store(true, std::memory_order_relaxed);
  ksvc::futex_wait(sleeps_, 1, kForEver, ksvc::FutexScope::process);
  asleep_.store(false, std::memory_order_relaxed);
}

// Whether any worker is at work, or was since the last look.
bool StallDetector::look() {
  looks_.fetch_add(1, std::memory_order_relaxed);
  std::vector<Stall> found;
  bool active = false;
  {
    const std::lock_guard lock(mutex_);
    const ksvc::TimePoint now = ksvc::MonotonicClock().now();
    for (StallWatch* watch : watches_) {
      const StallJudge::Verdict verdict = watch->judge_.look(watch->pulse_.word(), now);
      active = active || verdict != StallJudge::Verdict::waits;
      follow(*watch, verdict, found);
    }
  }
  for (Stall& stall : found) tell(stall);
  return active;
}

// From a verdict to what is to be told, and to asking for the stack first.
void StallDetector::follow(StallWatch& watch, StallJudge::Verdict verdict,
                           std::vector<Stall>& found) {
  const auto add = [&](Stall::Stage stage, std::vector<void*> stack) {
    found.push_back({.stage = stage,
                     .worker = watch.worker_,
                     .lasted = watch.judge_.lasted(),
                     .stack = std::move(stack)});
  };
  if (verdict == StallJudge::Verdict::over) {
    // It may have ended just after its stack was taken down.
    if (!watch.told_) add(Stall::Stage::noticed, watch.capture_.collect());
    add(Stall::Stage::over, {});
    watch.told_ = false;
    watch.looks_for_stack_ = 0;
  }
  if (verdict != StallJudge::Verdict::stalls || watch.told_) return;
  std::vector<void*> stack = watch.capture_.collect();
  if (stack.empty() && ++watch.looks_for_stack_ < kLooksForStack && watch.ask_for_stack()) return;
  add(Stall::Stage::noticed, std::move(stack));
  watch.told_ = true;
}

void StallDetector::tell(Stall& stall) {
  const std::string who = "worker " + std::to_string(stall.worker);
  const std::string time = in_milliseconds(stall.lasted);
  if (stall.stage == Stall::Stage::over) {
    stall.text = "weft: " + who + " is back in its loop, after about " + time + "\n";
  } else {
    if (symbolizer_ == nullptr) symbolizer_ = std::make_unique<Symbolizer>();
    stall.text = "weft: " + who + " has not been in its loop for " + time + "; it is at\n" +
                 described(*symbolizer_, stall.stack);
  }
  if (options_.report) return options_.report(stall);
  std::fputs(stall.text.c_str(), stderr);
}

std::string StallDetector::where_is(unsigned worker) {
  std::vector<void*> stack;
  {
    const std::lock_guard lock(mutex_);
    const auto found = std::ranges::find(watches_, worker, &StallWatch::worker_);
    if (found == watches_.end()) return "   (it has ended)\n";
    StallWatch& watch = **found;
    // What was taken down for a report before is of then.
    if (watch.wait_for_stack()) static_cast<void>(watch.capture_.collect());
    if (watch.ask_for_stack() && watch.wait_for_stack()) stack = watch.capture_.collect();
  }
  Symbolizer symbolizer;
  return described(symbolizer, stack);
}

// The stack that was asked for; empty when it has not come, or is that of something since done.
std::vector<void*> StackCapture::collect() {
  if (state.load(std::memory_order_acquire) != taken) return {};
  state.store(idle, std::memory_order_relaxed);
  if (word != asked_word) return {};
  // Not in braces: pointers to addresses would be taken for addresses.
  return std::vector<void*>(addresses.begin(),
                            addresses.begin() + static_cast<std::ptrdiff_t>(count));
}

StallWatch::StallWatch(StallDetector& detector, unsigned worker)
    : detector_(detector),
      pulse_(detector.sleeps_),
      worker_(worker),
      thread_id_(static_cast<int>(::syscall(SYS_gettid))),
      judge_(detector.options_.threshold) {
  capture_.pulse = &pulse_;
  provide_signal_stack();
  accept_signal();
  detector_.add(*this);
}

StallWatch::~StallWatch() {
  detector_.remove(*this);
  // A signal on its way has the address of what is about to go.
  accept_signal();
  while (capture_.state.load(std::memory_order_acquire) == StackCapture::asked) {
    const timespec moment{0, 50'000};
    ::nanosleep(&moment, nullptr);
  }
  if (signal_stack_ == nullptr) return;
  stack_t none = {};
  none.ss_flags = SS_DISABLE;
  ::sigaltstack(&none, nullptr);
}

// The detector's thread. False when the worker's cannot be sent a signal.
bool StallWatch::ask_for_stack() noexcept {
  // What was asked for before has to come first.
  if (capture_.state.load(std::memory_order_acquire) == StackCapture::asked) return true;
  if (detector_.options_.signal == 0) return false;
  capture_.asked_word = pulse_.word();
  capture_.state.store(StackCapture::asked, std::memory_order_release);
  siginfo_t info = {};
  info.si_code = SI_QUEUE;
  info.si_pid = ::getpid();
  info.si_uid = ::getuid();
  info.si_value.sival_ptr = &capture_;
  if (::syscall(SYS_rt_tgsigqueueinfo, info.si_pid, thread_id_, detector_.options_.signal, &info) ==
      0)
    return true;
  capture_.state.store(StackCapture::idle, std::memory_order_relaxed);
  return false;
}

// Whether nothing that was asked for is on its way any more.
bool StallWatch::wait_for_stack() const noexcept {
  constexpr int kMostLooks = 500;
  for (int looks = 0; capture_.state.load(std::memory_order_acquire) == StackCapture::asked;) {
    if (++looks > kMostLooks) return false;
    const timespec moment{0, 1'000'000};
    ::nanosleep(&moment, nullptr);
  }
  return true;
}

void StallWatch::accept_signal() noexcept {
  if (detector_.options_.signal == 0) return;
  sigset_t ours;
  ::sigemptyset(&ours);
  ::sigaddset(&ours, detector_.options_.signal);
  ::pthread_sigmask(SIG_UNBLOCK, &ours, nullptr);
}

// What stalls may be at the end of its stack, so the handler runs on another.
void StallWatch::provide_signal_stack() {
  stack_t present = {};
  if (::sigaltstack(nullptr, &present) != 0 || (present.ss_flags & SS_DISABLE) == 0) return;
  signal_stack_ = std::make_unique<char[]>(kSignalStackBytes);
  stack_t own = {};
  own.ss_sp = signal_stack_.get();
  own.ss_size = kSignalStackBytes;
  if (::sigaltstack(&own, nullptr) != 0) signal_stack_.reset();
}

}  // namespace weft::gvt
