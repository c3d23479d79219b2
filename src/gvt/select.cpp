#include "weft/select.hpp"

#include <algorithm>
#include <functional>

#include "gvt/scheduler.hpp"

// One at a time first, with one lock each. Only when none is ready are the channels locked all
// together, in the order of their addresses, looked at once more and waited for: so a select can
// meet another one without either having to claim two waiters at once.

namespace weft::detail {

namespace {

using Kind = SelectCase::Kind;

// Of an OS thread that is no worker.
thread_local std::uint64_t t_choices = 0;

// A worker counts for itself, so that it chooses the same in every run of a simulation; what is
// stirred is a Weyl sequence, as the finalizer of MurmurHash3 does.
std::uint64_t random_number() noexcept {
  gvt::Scheduler* const scheduler = gvt::current_scheduler();
  std::uint64_t mixed = scheduler != nullptr ? scheduler->next_task_id() : ++t_choices;
  mixed *= 0x9E37'79B9'7F4A'7C15;
  mixed = (mixed ^ (mixed >> 33)) * 0xFF51'AFD7'ED55'8CCD;
  mixed = (mixed ^ (mixed >> 33)) * 0xC4CE'B9FE'1A85'EC53;
  return mixed ^ (mixed >> 33);
}

ChannelAttempt attempt(SelectCase& one) noexcept {
  return one.kind == Kind::send ? one.channel->attempt_send(one.wait.place)
                                : one.channel->attempt_receive(one.wait.place);
}

ChannelWaits& queue_of(SelectCase& one) noexcept {
  return one.kind == Kind::send ? one.channel->senders() : one.channel->receivers();
}

class Select {
 public:
  explicit Select(const SelectSpace& space) noexcept
      : cases_(space.cases), order_(space.order), channels_(space.channels) {
    shuffle();
  }

  // What is ready without waiting.
  bool poll();
  // What is ready, all being looked at at once; otherwise, when there is a waiter, all wait for it.
  bool poll_all(Waiter* waiter);
  // Until the waiter, for which all wait, is woken.
  void wait(Waiter& waiter);

  bool has_several_channels() const noexcept;
  const SelectCase* find(Kind kind) const noexcept;
  Selected selected() const noexcept { return selected_; }
  void select(const SelectCase* one) noexcept;

 private:
  void shuffle() noexcept;
  bool attempt_one(std::size_t index, ChannelAttempt& attempted) noexcept;
  void sort_channels() noexcept;
  void lock_all() noexcept;
  void unlock_all() noexcept;
  bool listen(Waiter& waiter) noexcept;
  void leave(Outcome outcome) noexcept;

  std::span<SelectCase* const> cases_;
  std::span<std::uint32_t> order_;  // in which they are looked at, another one each time
  std::span<ChannelBase*> channels_;
  Selected selected_;
};

void Select::shuffle() noexcept {
  std::uint64_t random = cases_.size() > 1 ? random_number() : 0;
  for (std::uint32_t place = 0; place < order_.size(); ++place) {
    const auto other = static_cast<std::uint32_t>(((random >> 32) * (place + 1)) >> 32);
    order_[place] = order_[other];
    order_[other] = place;
    random = random * 0x5851'F42D'4C95'7F2D + 0x1405'7B7E'F767'814F;
  }
}

bool Select::has_several_channels() const noexcept {
  const auto of_channel = [](const SelectCase* one) { return one->channel != nullptr; };
  return std::count_if(cases_.begin(), cases_.end(), of_channel) > 1;
}

const SelectCase* Select::find(Kind kind) const noexcept {
  const SelectCase* found = nullptr;
  for (const SelectCase* one : cases_) {
    if (one->kind != kind) continue;
    if (found == nullptr || one->deadline_ns < found->deadline_ns) found = one;
  }
  return found;
}

void Select::select(const SelectCase* one) noexcept {
  const auto place = std::find(cases_.begin(), cases_.end(), one);
  selected_ = {static_cast<std::size_t>(place - cases_.begin()), false};
}

// True when that was it.
bool Select::attempt_one(std::size_t index, ChannelAttempt& attempted) noexcept {
  SelectCase& one = *cases_[index];
  attempted = attempt(one);
  if (attempted.step != ChannelStep::done && attempted.step != ChannelStep::closed) return false;
  selected_ = {index, attempted.step == ChannelStep::closed};
  return true;
}

// After the lock, or locks, of the attempt.
void settle(ChannelBase& channel, const ChannelAttempt& attempted) noexcept {
  if (attempted.surplus != nullptr) channel.discard(attempted.surplus);
  if (attempted.wake != nullptr) attempted.wake->wake();
}

bool Select::poll() {
  for (const std::uint32_t index : order_) {
    SelectCase& one = *cases_[index];
    if (one.kind == Kind::token && one.node != nullptr &&
        one.node->reason() != CancelReason::none) {
      selected_ = {index, false};
      return true;
    }
    if (one.channel == nullptr) continue;
    ChannelAttempt attempted;
    while (one.kind == Kind::send ? one.channel->may_send() : one.channel->may_receive()) {
      bool ready = false;
      {
        const SpinGuard guard(one.channel->lock());
        ready = attempt_one(index, attempted);
      }
      if (ready) {
        settle(*one.channel, attempted);
        return true;
      }
      if (attempted.step != ChannelStep::grow) break;
      one.channel->grow();
    }
  }
  return false;
}

// Each channel once, in one order for everybody.
void Select::sort_channels() noexcept {
  std::size_t count = 0;
  for (const SelectCase* one : cases_) {
    if (one->channel != nullptr) channels_[count++] = one->channel;
  }
  const auto all = channels_.first(count);
  std::sort(all.begin(), all.end(), std::less<>());
  const auto end = std::unique(all.begin(), all.end());
  channels_ = all.first(static_cast<std::size_t>(end - all.begin()));
}

void Select::lock_all() noexcept {
  for (ChannelBase* channel : channels_) channel->lock().lock();
}

void Select::unlock_all() noexcept {
  for (ChannelBase* channel : channels_) channel->lock().unlock();
}

bool Select::poll_all(Waiter* waiter) {
  sort_channels();
  for (;;) {
    ChannelBase* growing = nullptr;
    lock_all();
    for (const std::uint32_t index : order_) {
      if (cases_[index]->channel == nullptr) continue;
      ChannelAttempt attempted;
      if (attempt_one(index, attempted)) {
        unlock_all();
        settle(*cases_[index]->channel, attempted);
        return true;
      }
      if (attempted.step != ChannelStep::grow) continue;
      growing = cases_[index]->channel;
      break;
    }
    if (growing == nullptr) break;
    unlock_all();
    growing->grow();
  }
  for (std::size_t index = 0; waiter != nullptr && index < cases_.size(); ++index) {
    SelectCase& one = *cases_[index];
    one.wait.waiter = waiter;
    one.wait.index = static_cast<std::uint32_t>(index);
    if (one.channel != nullptr) queue_of(one).push(one.wait);
  }
  unlock_all();
  return false;
}

// False when a token is cancelled already, and with that the wait is over.
bool Select::listen(Waiter& waiter) noexcept {
  for (SelectCase* one : cases_) {
    if (one->kind != Kind::token || one->node == nullptr || one->node->listen(*one)) continue;
    // Ignoring it, later on, does nothing.
    if (waiter.claim(ChannelWait::outcome(one->wait.index, false))) return false;
  }
  return true;
}

// Takes out what has been put anywhere.
void Select::leave(Outcome outcome) noexcept {
  for (SelectCase* one : cases_) {
    if (one->kind == Kind::token && one->node != nullptr) one->node->ignore(*one);
    if (one->channel == nullptr) continue;
    // Who claimed it has taken that one out.
    if (outcome >= Outcome::woken && one->wait.index == ChannelWait::index_of(outcome)) continue;
    const SpinGuard guard(one->channel->lock());
    queue_of(*one).remove(one->wait);
  }
}

void Select::wait(Waiter& waiter) {
  const SelectCase* const timer = find(Kind::timer);
  Outcome outcome = Outcome::none;
  if (listen(waiter)) {
    outcome = waiter.wait(timer != nullptr ? timer->deadline_ns : kNever);
  } else {
    outcome = waiter.outcome();
  }
  leave(outcome);
  if (outcome == Outcome::cancelled) throw_cancelled();
  if (outcome == Outcome::timed_out) {
    select(timer);
  } else {
    selected_ = {ChannelWait::index_of(outcome), ChannelWait::is_closed(outcome)};
  }
}

}  // namespace

void SelectCase::token_cancelled(CancelListener& listener, CancelReason) noexcept {
  auto& self = static_cast<SelectCase&>(listener);
  if (self.wait.waiter->claim(ChannelWait::outcome(self.wait.index, false))) {
    self.wait.waiter->wake();
  }
}

Selected select_one(const SelectSpace& space) {
  Select select(space);
  if (select.poll()) return select.selected();
  if (const SelectCase* const fallback = select.find(Kind::otherwise)) {
    // Of one channel, one look said it all.
    if (!select.has_several_channels() || !select.poll_all(nullptr)) select.select(fallback);
    return select.selected();
  }
  Waiter waiter("one of several channels", space.cases.front());
  if (!select.poll_all(&waiter)) select.wait(waiter);
  return select.selected();
}

}  // namespace weft::detail
