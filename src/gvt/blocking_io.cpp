#include "gvt/blocking_io.hpp"

namespace weft::gvt {

namespace {
thread_local BlockingIo* t_io = nullptr;
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
  if (!completion.more) self.scheduler.make_ready(self.waiter);
}

}  // namespace weft::gvt
