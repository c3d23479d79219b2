// ReactorPort: a worker's end of a shared reactor, whatever back end that has.
//
// What the worker submits waits here until submit_and_wait(), which passes it on in order, wakes
// the reactor once if it sleeps, and then sleeps until there are completions. SendNow, which may
// end in silence, is known to have ended when the reactor's mark has passed it. A worker that never
// finds its back end settled, since the reactor is always a little behind, waits for it after some
// turns: what it has sent must be free again some time. The destructor cancels what is in flight,
// waits for it, and gives all leases back. One owner, which made it, and the notifiers it watches.
#pragma once

#include <chrono>
#include <deque>
#include <memory>
#include <vector>

#include "ksvc/core/completion_sink.hpp"
#include "ksvc/reactor/reactor_door.hpp"
#include "ksvc/reactor/reactor_slots.hpp"
#include "ksvc/reactor/shared_buffers.hpp"
#include "ksvc/reactor/woken_flag.hpp"

namespace weft::ksvc {

// What an operation is submitted with.
struct ReactorTerms {
  TimePoint deadline = kNoDeadline;
  bool linked = false;
};

class ReactorPort {
 public:
  using Terms = ReactorTerms;

  // `client` is one of the door's, which is there longer.
  ReactorPort(ReactorDoor& door, std::shared_ptr<ReactorClient> client,
              const BufferOptions& buffers);
  ~ReactorPort();
  ReactorPort(const ReactorPort&) = delete;
  ReactorPort& operator=(const ReactorPort&) = delete;

  template <class Op>
  void submit(const Op& op, CorrelationId corr_id, Terms terms = {}) {
    int fd = -1;
    if constexpr (requires { op.fd; }) fd = op.fd;
    pass_on(op, SlotKind::plain, fd, corr_id, terms);
  }
  void submit(const Accept& op, CorrelationId corr_id, Terms terms = {});
  void submit(const SendNow& op, CorrelationId corr_id, Terms terms = {});
  void submit(const Cancel& op, CorrelationId corr_id, Terms terms = {});
  void submit(const Close& op, CorrelationId corr_id, Terms terms = {});
  void submit(const SystemCall& op, CorrelationId corr_id, Terms terms = {});

  void submit_and_wait(unsigned at_least, TimePoint deadline);
  template <CompletionSink Sink>
  unsigned drain(Sink& sink);
  bool settled() const noexcept { return settled_; }
  SharedReactorBuffers& buffers() noexcept { return buffers_; }

  // Completes, and goes on to, each time the flag is found raised.
  void watch(std::shared_ptr<WokenFlag> flag, CorrelationId corr_id);

 private:
  struct Watch {
    std::shared_ptr<WokenFlag> flag;
    CorrelationId corr_id;
  };
  // A SendNow, and how many requests there were with it once it was passed on.
  struct Sending {
    ReactorTag tag;
    std::uint32_t count;
  };

  // Turns in which the reactor may be behind before it is waited for.
  static constexpr unsigned kPatience = 8;

  void pass_on(const ReactorOperation& operation, SlotKind kind, int fd, CorrelationId corr_id,
               Terms terms);
  void make_room();
  void flush() noexcept;
  bool has_enough(unsigned at_least, SleepsFor what) const noexcept;
  void sleep_until(unsigned at_least, SleepsFor what, TimePoint deadline) noexcept;
  void sends_ended(std::uint32_t mark) noexcept;
  void cancel_all();
  void drain_for_nobody();
  void leave() noexcept;

  ReactorDoor& door_;
  const std::shared_ptr<ReactorClient> client_;
  ReactorSlots slots_;
  SharedReactorBuffers buffers_;
  std::vector<ReactorRequest> outbox_;
  std::vector<Watch> watches_;
  std::deque<Sending> sends_;
  std::size_t sends_in_outbox_ = 0;  // the last ones of sends_
  std::uint32_t flushed_ = 0;        // requests passed on, ever
  unsigned turns_unsettled_ = 0;
  bool settled_ = true;
};

template <CompletionSink Sink>
unsigned ReactorPort::drain(Sink& sink) {
  ReplyChannel& replies = client_->replies;
  const ReplyChannel::View view = replies.look();
  // Before the sink runs: what that submits is for the next turn.
  settled_ = ReplyChannel::reached(view.mark, flushed_);
  const std::uint32_t count = replies.ready(view);
  for (std::uint32_t i = 0; i < count; ++i) {
    Completion completion = replies.take();
    if (completion.lease) buffers_.arrived(completion.lease);
    completion.corr_id = slots_.complete(completion);
    if (completion.corr_id != 0) sink.complete(completion);
  }
  if (count != 0) replies.give_back();
  sends_ended(view.mark);
  if (view.more) door_.ring();
  unsigned woken = 0;
  for (std::size_t i = 0; i < watches_.size(); ++i) {
    if (!watches_[i].flag->is_raised()) continue;
    ++woken;
    sink.complete({watches_[i].corr_id, 0, true, {}});
  }
  return count + woken;
}

}  // namespace weft::ksvc
