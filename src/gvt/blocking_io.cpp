#include "gvt/blocking_io.hpp"

#include <cerrno>

#include "weft/detail/cancel_node.hpp"

namespace weft::gvt {

using detail::CancelListener;
using detail::CancelNode;
using detail::CancelReason;

namespace {

thread_local BlockingIo* t_io = nullptr;

constexpr std::int32_t code_of(CancelReason reason) noexcept {
  return reason == CancelReason::timed_out ? -ETIMEDOUT : -ECANCELED;
}

// What ends an operation early. Cancelled from another thread, it asks on the worker's own, so it
// must not be dropped before that has come round.
class EarlyEnd : private CancelListener, private Timer, private Runnable {
 public:
  EarlyEnd(BlockingIo& io, int fd, ParkedOperation& operation) noexcept
      : CancelListener(&EarlyEnd::cancelled),
        Timer(&EarlyEnd::expired),
        Runnable(&EarlyEnd::arrived),
        io_(io),
        fd_(fd),
        operation_(operation) {}

  void park(CancelNode* node, TimePoint deadline) noexcept {
    Scheduler& scheduler = io_.scheduler();
    ++operation_.waiter.bound;
    scheduler.external_wait_begins();
    if (deadline != ksvc::kNoDeadline) scheduler.timers().set(*this, deadline);
    const bool listening = node != nullptr && node->listen(*this);
    if (node != nullptr && !listening) ask(code_of(node->reason()));
    scheduler.park_prepared("I/O", this);
    scheduler.external_wait_ended();
    scheduler.timers().clear(*this);
    if (listening) node->ignore(*this);
    if (posted_) {
      // Nothing to prepare: this stack has parked already and is not the loop's.
      waits_for_post_ = true;
      scheduler.park_prepared("the end of a cancellation", this);
    }
    --operation_.waiter.bound;
  }
  // 0: the operation ended of itself.
  std::int32_t code() const noexcept { return code_; }

 private:
  void ask(std::int32_t code) noexcept {
    if (code_ != 0) return;
    code_ = code;
    io_.submit(ksvc::Cancel{fd_, operation_.corr_id()}, 0);
  }

  static void expired(Timer& timer) { static_cast<EarlyEnd&>(timer).ask(-ETIMEDOUT); }

  static void cancelled(CancelListener& listener, CancelReason reason) noexcept {
    auto& self = static_cast<EarlyEnd&>(listener);
    if (current_scheduler() == &self.io_.scheduler()) return self.ask(code_of(reason));
    self.reason_ = reason;
    self.posted_ = true;
    self.io_.scheduler().post(self);
  }

  static void arrived(Runnable& posted) {
    auto& self = static_cast<EarlyEnd&>(posted);
    self.posted_ = false;
    if (self.waits_for_post_) return self.io_.scheduler().make_ready(self.operation_.waiter);
    if (!self.operation_.done) self.ask(code_of(self.reason_));
  }

  BlockingIo& io_;
  int fd_;
  ParkedOperation& operation_;
  std::int32_t code_ = 0;
  CancelReason reason_ = CancelReason::none;
  bool posted_ = false;
  bool waits_for_post_ = false;
};

}  // namespace

std::int32_t cancelled_already() noexcept {
  const CancelNode* node = detail::current_task().cancel;
  const CancelReason reason = node == nullptr ? CancelReason::none : node->reason();
  return reason == CancelReason::none ? 0 : code_of(reason);
}

std::int32_t park_until_completed(BlockingIo& io, ParkedOperation& parked, int fd,
                                  TimePoint deadline) noexcept {
  CancelNode* const node = parked.waiter.task.cancel;
  if (node == nullptr && deadline == ksvc::kNoDeadline) {
    ++parked.waiter.bound;
    io.scheduler().external_wait_begins();
    io.scheduler().park_prepared("I/O", &parked);
    io.scheduler().external_wait_ended();
    --parked.waiter.bound;
    return parked.result;
  }
  EarlyEnd early(io, fd, parked);
  early.park(node, deadline);
  // What was cancelled while a thread of the kernel's waited for it says that it was interrupted.
  const bool ended_early = parked.result == -ECANCELED || parked.result == -EINTR;
  return ended_early && early.code() != 0 ? early.code() : parked.result;
}

[[gnu::noinline]] BlockingIo* current_io() noexcept {
  __asm__ volatile("");
  return t_io;
}

[[gnu::noinline]] void set_current_io(BlockingIo* io) noexcept { t_io = io; }

void ParkedOperation::completed(CompletionTarget& target, unsigned,
                                const ksvc::Completion& completion) {
  auto& self = static_cast<ParkedOperation&>(target);
  self.result = completion.result;
  if (completion.more) return;
  self.done = true;
  self.scheduler.make_ready(self.waiter);
}

}  // namespace weft::gvt
