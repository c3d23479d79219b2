#include "weft/blocking.hpp"

#include "gvt/blocking_io.hpp"
#include "gvt/services.hpp"
#include "weft/cancel.hpp"
#include "weft/detail/waiter.hpp"

namespace weft::detail {

namespace {

struct PoolCall : gvt::Services::Job {
  PoolCall(void (*call)(void*) noexcept, void* with)
      : Job(&PoolCall::run), function(call), argument(with), waiter("a pool thread", this) {}

  static void run(Job& job) noexcept {
    auto& self = static_cast<PoolCall&>(job);
    self.function(self.argument);
    if (self.waiter.claim(Outcome::woken)) self.waiter.wake();
  }

  void (*function)(void*) noexcept;
  void* argument;
  Waiter waiter;
};

}  // namespace

void run_on_pool(void (*function)(void*) noexcept, void* argument) {
  check_cancelled();
  gvt::BlockingIo* const io = gvt::current_io();
  gvt::Services* const services = io != nullptr ? io->services() : nullptr;
  if (services == nullptr) return function(argument);
  PoolCall call(function, argument);
  gvt::Scheduler& scheduler = io->scheduler();
  services->submit(call);
  gvt::GreenThread& here = scheduler.running();
  ++here.bound;
  scheduler.external_wait_begins();
  call.waiter.wait_uncancelled();
  scheduler.external_wait_ended();
  --here.bound;
}

}  // namespace weft::detail
