#include <new>

#include "gvt/blocking_io.hpp"
#include "gvt/services.hpp"
#include "weft/cancel.hpp"
#include "weft/detail/coro_pool.hpp"

namespace weft::detail {

class PoolTurn::Job : public gvt::Services::Job {
 public:
  Job(Function function, void* argument, Waiter& waiter) noexcept
      : gvt::Services::Job(&Job::run), function_(function), argument_(argument), waiter_(waiter) {}

 private:
  static void run(gvt::Services::Job& job) noexcept {
    auto& self = static_cast<Job&>(job);
    self.function_(self.argument_);
    if (self.waiter_.claim(Outcome::woken)) self.waiter_.wake();
  }

  Function function_;
  void* argument_;
  Waiter& waiter_;
};

bool PoolTurn::suspend(Strand& strand, std::coroutine_handle<> caller, Function function,
                       void* argument) {
  cancelled_ = weft::cancelled();
  if (cancelled_) return false;
  gvt::BlockingIo* const io = gvt::current_io();
  gvt::Services* const services = io != nullptr ? io->services() : nullptr;
  if (services == nullptr) {
    function(argument);
    return false;
  }
  static_assert(sizeof(Job) <= kJobBytes && std::is_trivially_destructible_v<Job>);
  wait_.emplace(strand);
  services->submit(*new (job_) Job(function, argument, wait_->waiter()));
  external_wait_begins(strand);
  strand_ = &strand;
  strand.suspend_at(caller);
  return true;
}

void PoolTurn::finish() {
  if (strand_ != nullptr) external_wait_ended(*strand_);
  if (cancelled_) check_cancelled();
}

}  // namespace weft::detail
