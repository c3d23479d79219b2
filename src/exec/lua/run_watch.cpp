#include "exec/lua/run_watch.hpp"

#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <mutex>
#include <new>

#include "exec/lua/vm.hpp"
#include "weft/detail/cancel_node.hpp"

namespace weft::exec::lua {

namespace {

// A script ends this much late at most, and a thread that computes is interrupted so often.
constexpr long kTickNs = 20'000'000;

// A worker that is held up for so long is worth a line in the log.
constexpr std::int64_t kToldNs = 500'000'000;

std::int64_t cpu_time_ns() noexcept {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return now.tv_sec * 1'000'000'000LL + now.tv_nsec;
}

void on_tick(int /*number*/, siginfo_t* info, void* /*context*/) noexcept {
  // Another sender's has no watch with it.
  if (info->si_code != SI_TIMER || info->si_value.sival_ptr == nullptr) return;
  const int kept_errno = errno;
  static_cast<RunWatch*>(info->si_value.sival_ptr)->look();
  errno = kept_errno;
}

bool install_handler() noexcept {
  struct sigaction action = {};
  action.sa_sigaction = &on_tick;
  action.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK;
  ::sigemptyset(&action.sa_mask);
  return ::sigaction(SIGVTALRM, &action, nullptr) == 0;
}

std::mutex spare_mutex;
RunWatch* spare = nullptr;  // guarded by it; a late signal of an ended thread still finds its watch

}  // namespace

struct ThreadWatch {
  ThreadWatch() noexcept {
    static const bool installed = install_handler();
    if (!installed) return;
    {
      const std::lock_guard lock(spare_mutex);
      watch = spare;
      if (watch != nullptr) spare = watch->next_;
    }
    if (watch == nullptr) watch = new (std::nothrow) RunWatch;
    if (watch != nullptr && !watch->arm()) put_back();
  }
  ~ThreadWatch() {
    if (watch == nullptr) return;
    ::timer_delete(static_cast<timer_t>(watch->timer_));
    put_back();
  }
  ThreadWatch(const ThreadWatch&) = delete;
  ThreadWatch& operator=(const ThreadWatch&) = delete;

  void put_back() noexcept {
    const std::lock_guard lock(spare_mutex);
    watch->next_ = spare;
    spare = watch;
    watch = nullptr;
  }

  RunWatch* watch = nullptr;
};

[[gnu::noinline]] RunWatch* RunWatch::of_this_thread() noexcept {
  thread_local ThreadWatch mine;
  return mine.watch;
}

bool RunWatch::arm() noexcept {
  // Threads that leave the program's signals to others leave this one, too, which is their own.
  sigset_t own;
  ::sigemptyset(&own);
  ::sigaddset(&own, SIGVTALRM);
  ::pthread_sigmask(SIG_UNBLOCK, &own, nullptr);
  running_.store(nullptr, std::memory_order_relaxed);
  sigevent event = {};
  event.sigev_notify = SIGEV_THREAD_ID;
  event.sigev_signo = SIGVTALRM;
  event.sigev_value.sival_ptr = this;
#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif
  event.sigev_notify_thread_id = static_cast<pid_t>(::syscall(SYS_gettid));
  timer_t timer{};
  if (::timer_create(CLOCK_THREAD_CPUTIME_ID, &event, &timer) != 0) return false;
  timer_ = static_cast<void*>(timer);
  itimerspec every = {};
  every.it_interval.tv_nsec = kTickNs;
  every.it_value.tv_nsec = kTickNs;
  if (::timer_settime(timer, 0, &every, nullptr) == 0) return true;
  ::timer_delete(timer);
  return false;
}

void RunWatch::look() noexcept {
  Vm* const vm = running_.load(std::memory_order_acquire);
  const std::uint64_t stretch = stretch_.load(std::memory_order_relaxed);
  if (vm == nullptr) return;
  const std::int64_t now = cpu_time_ns();
  if (stretch != seen_) {
    seen_ = stretch;
    seen_at_ns_ = now;
    told_ = false;
    return;
  }
  const std::int64_t limit = limit_ns_.load(std::memory_order_relaxed);
  const auto* const task = task_.load(std::memory_order_relaxed);
  const bool nobody_waits = task != nullptr && task->reason() != weft::detail::CancelReason::none;
  if ((limit > 0 && now - seen_at_ns_ >= limit) || nobody_waits) return vm->expire();
  if (told_ || task != nullptr || now - seen_at_ns_ < kToldNs) return;
  told_ = true;
  vm->tell();
}

}  // namespace weft::exec::lua
