#include "ksvc/reactor/reactor_port.hpp"

#include <algorithm>
#include <utility>

#include "ksvc/clock/monotonic_clock.hpp"

namespace weft::ksvc {

ReactorPort::ReactorPort(ReactorDoor& door, std::shared_ptr<ReactorClient> client,
                         const BufferOptions& buffers)
    : door_(door), client_(std::move(client)), buffers_(door_, *client_, buffers) {
  slots_.set_client(client_->index);
}

ReactorPort::~ReactorPort() {
  watches_.clear();
  // Again and again, since what stands in a chain begins to wait only after what is before it.
  while (slots_.in_use() != 0) {
    cancel_all();
    constexpr std::chrono::milliseconds kRound{10};
    flush();
    sleep_until(1, SleepsFor::any_news, MonotonicClock().now() + kRound);
    drain_for_nobody();
  }
  buffers_.release_all();
  leave();
}

// Before a slot is taken, which cannot be given back when memory runs out.
void ReactorPort::make_room() {
  constexpr std::size_t kFewest = 64;
  if (outbox_.size() < outbox_.capacity()) return;
  outbox_.reserve(std::max(kFewest, 2 * outbox_.size()));
}

void ReactorPort::pass_on(const ReactorOperation& operation, SlotKind kind, int fd,
                          CorrelationId corr_id, Terms terms) {
  make_room();
  ReactorTag tag;
  if (corr_id != 0) {
    tag = slots_.take(kind, fd, corr_id);
  } else {
    tag.client = client_->index;
  }
  tag.linked = terms.linked;
  outbox_.push_back({operation, terms.deadline, tag});
}

void ReactorPort::submit(const Accept& op, CorrelationId corr_id, Terms terms) {
  pass_on(op, SlotKind::accept, op.fd, corr_id, terms);
}

void ReactorPort::submit(const SendNow& op, CorrelationId corr_id, Terms terms) {
  if (corr_id == 0) return pass_on(op, SlotKind::send_now, op.fd, 0, terms);
  sends_.push_back({});
  ++sends_in_outbox_;
  pass_on(op, SlotKind::send_now, op.fd, corr_id, terms);
  sends_.back().tag = outbox_.back().tag;
}

void ReactorPort::submit(const Cancel& op, CorrelationId corr_id, Terms terms) {
  // Looked up now: what is submitted under this id later is not meant.
  const Cancel known{op.fd, slots_.find(op.fd, op.target)};
  pass_on(known, SlotKind::plain, -1, corr_id, terms);
}

void ReactorPort::submit(const Close& op, CorrelationId, Terms terms) {
  pass_on(op, SlotKind::plain, op.fd, 0, terms);
}

void ReactorPort::submit(const SystemCall& op, CorrelationId corr_id, Terms terms) {
  make_room();
  ReactorTag tag = slots_.take(SlotKind::plain, -1, corr_id);
  SystemCall& call = slots_.call_of(tag);
  call = op;
  tag.linked = terms.linked;
  outbox_.push_back({SystemCallAt{&call}, terms.deadline, tag});
}

void ReactorPort::watch(std::shared_ptr<WokenFlag> flag, CorrelationId corr_id) {
  // The word lives as long as the client, which the flag may outlive.
  flag->set_sleeper({client_, &client_->sleep});
  for (Watch& watch : watches_) {
    if (watch.flag != flag) continue;
    watch.corr_id = corr_id;
    return;
  }
  watches_.push_back({std::move(flag), corr_id});
}

void ReactorPort::flush() noexcept {
  // What goes back has nothing to do with the order of what is submitted.
  const auto count = buffers_.flush() + static_cast<std::uint32_t>(outbox_.size());
  if (count == 0) return;
  for (const ReactorRequest& one : outbox_) door_.push(one);
  outbox_.clear();
  door_.ring();
  flushed_ += count;
  for (std::size_t i = sends_.size() - sends_in_outbox_; i < sends_.size(); ++i) {
    sends_[i].count = flushed_;
  }
  sends_in_outbox_ = 0;
}

void ReactorPort::submit_and_wait(unsigned at_least, TimePoint deadline) {
  turns_unsettled_ = settled_ ? 0 : turns_unsettled_ + 1;
  settled_ = false;
  flush();
  if (turns_unsettled_ >= kPatience) {
    sleep_until(std::max(at_least, 1U), SleepsFor::any_news, kNoDeadline);
  }
  if (at_least != 0) sleep_until(at_least, SleepsFor::completions, deadline);
}

// Whether a sleep for this may end.
bool ReactorPort::has_enough(unsigned at_least, SleepsFor what) const noexcept {
  const ReplyChannel::View view = client_->replies.look();
  // More than fits, or more that waits behind what is there, comes only once this is drained.
  if (view.more || client_->replies.ready(view) >= client_->replies.capacity()) return true;
  if (what == SleepsFor::any_news && ReplyChannel::reached(view.mark, flushed_)) return true;
  unsigned ready = client_->replies.ready(view);
  for (const Watch& watch : watches_) ready += watch.flag->is_raised() ? 1 : 0;
  return ready >= at_least;
}

void ReactorPort::sleep_until(unsigned at_least, SleepsFor what, TimePoint deadline) noexcept {
  SleepWord& sleep = client_->sleep;
  while (!has_enough(at_least, what)) {
    auto left = std::chrono::nanoseconds::max();
    if (deadline != kNoDeadline) left = deadline - MonotonicClock().now();
    if (left.count() <= 0) return;
    sleep.announce(what);
    if (!has_enough(at_least, what)) sleep.sleep(what, left);
    sleep.awake();
  }
}

void ReactorPort::sends_ended(std::uint32_t mark) noexcept {
  while (sends_.size() > sends_in_outbox_ && ReplyChannel::reached(mark, sends_.front().count)) {
    slots_.end_if_there(sends_.front().tag);
    sends_.pop_front();
  }
}

void ReactorPort::cancel_all() {
  slots_.visit_waiting(
      [this](int fd, CorrelationId id) { pass_on(Cancel{fd, id}, SlotKind::plain, -1, 0, {}); });
}

// Leases go back, and connections that nobody takes are closed.
void ReactorPort::drain_for_nobody() {
  ReplyChannel& replies = client_->replies;
  const ReplyChannel::View view = replies.look();
  for (std::uint32_t count = replies.ready(view); count != 0; --count) {
    Completion completion = replies.take();
    const bool accepts = slots_.is_accept(completion.corr_id);
    slots_.complete(completion);
    if (accepts && completion.result >= 0) submit(Close{completion.result}, 0);
    if (!completion.lease) continue;
    buffers_.arrived(completion.lease);
    buffers_.release(completion.lease);
  }
  replies.give_back();
  sends_ended(view.mark);
  if (view.more) door_.ring();
}

void ReactorPort::leave() noexcept {
  flush();
  ReactorRequest request;
  request.operation = LeaveReactor{};
  request.tag.client = client_->index;
  door_.push(request);
  door_.ring();
  while (!client_->left.load(std::memory_order_seq_cst)) {
    client_->sleep.announce(SleepsFor::any_news);
    if (client_->left.load(std::memory_order_seq_cst)) break;
    client_->sleep.sleep(SleepsFor::any_news, std::chrono::nanoseconds::max());
  }
  door_.dismiss(*client_);
}

}  // namespace weft::ksvc
