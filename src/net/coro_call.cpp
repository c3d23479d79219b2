#include "net/coro_call.hpp"

#include <algorithm>
#include <cerrno>
#include <new>

#include "weft/detail/task_state.hpp"

namespace weft::net {

using detail::CancelListener;
using detail::CancelReason;
using Kind = detail::IoRequest::Kind;

namespace {

// More than the kernel moves in one call, less than its counts can hold.
constexpr std::size_t kMostAtOnce = 1U << 30;

Direction direction_of(Kind kind) noexcept {
  return kind == Kind::send_all || kind == Kind::connect ? Direction::out : Direction::in;
}

std::int32_t code_of(CancelReason reason) noexcept {
  return reason == CancelReason::timed_out ? -ETIMEDOUT : -ECANCELED;
}

}  // namespace

CoroCall::CoroCall(const detail::IoRequest& request) noexcept
    : CancelListener(&CoroCall::cancelled),
      Timer(&CoroCall::expired),
      Runnable(&CoroCall::arrived),
      request_(request),
      call_(request.descriptor, direction_of(request.kind), request.timeout) {}

CoroCall::Operation::Operation(gvt::Scheduler& owner, CoroCall& made_by) noexcept
    : ParkedOperation(owner), call(made_by) {
  on_completion = &CoroCall::completed;
}

bool CoroCall::begin(detail::Strand& strand) noexcept {
  const bool streams = request_.kind == Kind::receive_all || request_.kind == Kind::send_all;
  if (streams && request_.size == 0) {
    answer_ = 1;
    return false;
  }
  answer_ = call_.refusal();
  if (answer_ != 0) return false;
  strand_ = &strand;
  gvt::Scheduler& scheduler = call_.io_->scheduler();
  operation_.emplace(scheduler, *this);
  call_.operation_ = &*operation_;
  call_.operation_fd_ = call_.fd_;
  submit();
  scheduler.external_wait_begins();
  if (call_.deadline_ != ksvc::kNoDeadline) scheduler.timers().set(*this, call_.deadline_);
  node_ = detail::current_task().cancel;
  if (node_ != nullptr && !node_->listen(*this)) {
    ask_to_end(code_of(node_->reason()));
    node_ = nullptr;
  }
  return true;
}

void CoroCall::submit() noexcept {
  const auto size = static_cast<std::uint32_t>(std::min(request_.size, kMostAtOnce));
  const ksvc::CorrelationId id = operation_->corr_id();
  gvt::BlockingIo& io = *call_.io_;
  switch (request_.kind) {
    case Kind::receive:
    case Kind::receive_all: return io.submit(ksvc::ReceiveInto{call_.fd_, request_.data, size}, id);
    case Kind::send_all: return io.submit(ksvc::Send{call_.fd_, request_.data, size}, id);
    case Kind::accept: return io.submit(ksvc::Accept{call_.fd_, false}, id);
    case Kind::connect: {
      const auto* address = static_cast<const sockaddr*>(request_.data);
      return io.submit(ksvc::Connect{call_.fd_, address, size}, id);
    }
  }
}

void CoroCall::completed(ksvc::CompletionTarget& target, unsigned,
                         const ksvc::Completion& completion) {
  if (completion.more) return;
  CoroCall& self = static_cast<Operation&>(target).call;
  if (self.goes_on(completion.result)) return self.submit();
  self.operation_->done = true;
  self.conclude();
}

bool CoroCall::goes_on(std::int32_t result) noexcept {
  const bool streams = request_.kind == Kind::receive_all || request_.kind == Kind::send_all;
  if (streams && result > 0) {
    const auto moved = static_cast<std::size_t>(result);
    request_.data = static_cast<char*>(request_.data) + moved;
    request_.size -= moved;
    answer_ = 1;
    if (request_.size == 0) return false;
    answer_ = early_code_;
    if (answer_ == 0 && call_.owner_ == nullptr) answer_ = -ECANCELED;
    return answer_ == 0;
  }
  // What was cancelled while a thread of the kernel's waited for it says that it was interrupted.
  const bool ended_early = result == -ECANCELED || result == -EINTR;
  answer_ = result;
  if (ended_early && call_.owner_ == nullptr) answer_ = -ECANCELED;
  if (ended_early && early_code_ != 0) answer_ = early_code_;
  return false;
}

void CoroCall::conclude() noexcept {
  gvt::Scheduler& scheduler = call_.io_->scheduler();
  scheduler.external_wait_ended();
  scheduler.timers().clear(*this);
  if (node_ != nullptr) node_->ignore(*this);
  concluded_ = true;
  if (!posted_) strand_->make_ready();
}

void CoroCall::ask_to_end(std::int32_t code) noexcept {
  if (early_code_ != 0) return;
  early_code_ = code;
  call_.io_->submit(ksvc::Cancel{call_.fd_, operation_->corr_id()}, 0);
}

void CoroCall::expired(detail::Timer& timer) {
  static_cast<CoroCall&>(timer).ask_to_end(-ETIMEDOUT);
}

void CoroCall::cancelled(CancelListener& listener, CancelReason reason) noexcept {
  auto& self = static_cast<CoroCall&>(listener);
  gvt::Scheduler& home = self.call_.io_->scheduler();
  if (gvt::current_scheduler() == &home) return self.ask_to_end(code_of(reason));
  self.posted_reason_ = reason;
  self.posted_ = true;
  home.post(self);
}

void CoroCall::arrived(detail::Runnable& posted) {
  auto& self = static_cast<CoroCall&>(posted);
  self.posted_ = false;
  if (self.concluded_) return self.strand_->make_ready();
  self.ask_to_end(code_of(self.posted_reason_));
}

std::int32_t CoroCall::perform() {
  switch (request_.kind) {
    case Kind::receive: return call_.receive(request_.data, request_.size);
    case Kind::accept: return call_.accept();
    case Kind::connect: {
      const auto* address = static_cast<const sockaddr*>(request_.data);
      return call_.connect(address, static_cast<socklen_t>(request_.size));
    }
    case Kind::receive_all:
    case Kind::send_all: break;
  }
  while (request_.size != 0) {
    const std::int32_t moved = request_.kind == Kind::send_all
                                   ? call_.send(request_.data, request_.size)
                                   : call_.receive(request_.data, request_.size);
    if (moved <= 0) return moved;
    request_.data = static_cast<char*>(request_.data) + moved;
    request_.size -= static_cast<std::size_t>(moved);
  }
  return 1;
}

}  // namespace weft::net

namespace weft::detail {

bool IoTurn::suspend(Strand& strand, std::coroutine_handle<> caller) noexcept {
  static_assert(sizeof(net::CoroCall) <= kCallBytes && alignof(net::CoroCall) <= alignof(void*));
  call_ = new (place_) net::CoroCall(request_);
  if (strand.home() == nullptr) {
    blocks_ = true;
    return false;
  }
  if (!call_->begin(strand)) return false;
  strand.suspend_at(caller);
  return true;
}

std::int32_t IoTurn::await_resume() {
  struct Leave {
    net::CoroCall* call;
    ~Leave() { call->~CoroCall(); }
  };
  const Leave leave{call_};
  return blocks_ ? call_->perform() : call_->answer();
}

}  // namespace weft::detail
