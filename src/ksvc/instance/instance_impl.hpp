// The member functions of InstanceOf.
#pragma once

#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <new>
#include <system_error>
#include <utility>

#include "ksvc/instance/instance.hpp"
#include "ksvc/router/syscall_table.hpp"

namespace weft::ksvc {

template <class Traits>
Result<std::unique_ptr<InstanceOf<Traits>>> InstanceOf<Traits>::create(const Parts& parts) {
  if constexpr (requires(const KernelFeatures& features) { Notifier::supported(features); }) {
    // Watching would fail at once, again and again.
    if (!Notifier::supported(probe_kernel_features())) return Error::from_errno(EOPNOTSUPP);
  }
  // Threads, notifiers and memory that cannot be had are told of by exceptions, as constructors do.
  try {
    auto page = Page::create(parts.page);
    if (!page) return page.error();
    auto backend = Backend::create(parts.backend);
    if (!backend) return backend.error();
    auto sink = parts.make_sink();
    if (!sink) return sink.error();
    return std::unique_ptr<InstanceOf>(new InstanceOf(
        parts, std::move(backend).value(), std::move(page).value(), std::move(sink).value()));
  } catch (const std::system_error& refused) {
    return Error::from_errno(refused.code().value());
  } catch (const std::bad_alloc&) {
    return Error::from_errno(ENOMEM);
  }
}

template <class Traits>
InstanceOf<Traits>::InstanceOf(const Parts& parts, std::unique_ptr<Backend> backend, Page page,
                               std::unique_ptr<Sink> sink)
    : clock_(parts.clock),
      router_(parts.make_router()),
      page_(page),
      page_for_ports_(std::move(page)),
      owner_pid_(page_.fact(Fact::pid)),
      backend_(std::move(backend)),
      buffers_(*backend_, parts.buffers),
      sink_(std::move(sink)),
      entries_(std::bit_ceil(parts.queued)),
      pool_results_(std::bit_ceil(parts.in_flight)),
      table_(parts.in_flight, this, &InstanceOf::run_on_pool),
      worker_(parts.worker),
      pool_(parts.make_pool()) {
  returned_.reserve(parts.in_flight);
}

template <class Traits>
Answer InstanceOf<Traits>::Port::submit(const Entry& entry) {
  const Tier tier = instance_->router_.tier(entry.nr);
  if (tier == Tier::refused) return {AnswerState::refused, -EPERM};
  if (tier == Tier::shared_page) {
    if (const auto result = answer_from_page(entry)) return {AnswerState::answered, *result};
    return {AnswerState::answered, call_directly(entry)};
  }
  if (tier == Tier::inline_only || page_.fact(Fact::pid) != owner_pid_) {
    // An answer given at once has no lease to carry, and the entry has no memory.
    if (entry.lend_buffer) return {AnswerState::answered, -EOPNOTSUPP};
    const std::int64_t result = call_directly(entry);
    if (changes_facts(entry.nr)) page_.refresh_identity();
    return {AnswerState::answered, result};
  }
  if (!instance_->entries_.push(entry)) return {AnswerState::full};
  instance_->gate_.ring();
  return {AnswerState::queued};
}

// Nothing when the call asks for what neither the page nor the clock knows.
template <class Traits>
std::optional<std::int64_t> InstanceOf<Traits>::Port::answer_from_page(
    const Entry& entry) noexcept {
  const auto store_time = [&](TimePoint time) {
    auto* out = reinterpret_cast<timespec*>(entry.arguments[1]);
    *out = {time.ns / 1'000'000'000, time.ns % 1'000'000'000};
    return std::int64_t{0};
  };
  if (const auto fact = answering_fact(entry.nr)) {
    return static_cast<std::int64_t>(page_.fact(*fact));
  }
  if (entry.nr != SYS_clock_gettime || entry.arguments[1] == 0) return std::nullopt;
  if (entry.arguments[0] == CLOCK_MONOTONIC) return store_time(clock_.now());
  if (entry.arguments[0] == CLOCK_REALTIME) return store_time(clock_.wall());
  return std::nullopt;
}

template <class Traits>
void InstanceOf<Traits>::release(BufferLease& lease) {
  {
    const std::lock_guard lock(returned_mutex_);
    returned_.push_back(lease);
  }
  lease = {};
  has_returned_.store(true, std::memory_order_release);
  gate_.ring();
}

template <class Traits>
bool InstanceOf<Traits>::turn() {
  if (!std::exchange(watching_, true)) gate_.notifier().watch(*backend_, kWakeId);
  const unsigned taken = take_entries();
  retry_pool();
  const bool stopping = stopping_.load(std::memory_order_acquire);
  if (stopping && taken == 0) {
    if (table_.used() == 0 && entries_.empty()) return false;
    cancel_all();
  }
  const bool idle = gate_.may_sleep([this] { return has_work(); });
  backend_->submit_and_wait(idle ? 1 : 0, wake_up_time());
  if (idle) gate_.awake();
  ++batches_;
  Sorter sorter{*this};
  backend_->drain(sorter);
  take_pool_results();
  take_returned_leases();
  if constexpr (GatheringSink<Sink>) sink_->flush();
  publish_counters();
  return true;
}

// Never, unless the sink's reader is behind, or the pool is full of what others gave it: then only
// time tells when there is room.
template <class Traits>
TimePoint InstanceOf<Traits>::wake_up_time() const noexcept {
  const bool pool_held_by_others = !waiting_for_pool_.empty() && in_pool_ == 0;
  if (results_waiting() == 0 && !pool_held_by_others) return kNoDeadline;
  return clock_.now() + std::chrono::milliseconds(1);
}

// Results that the sink's reader has made no room for.
template <class Traits>
std::size_t InstanceOf<Traits>::results_waiting() const noexcept {
  if constexpr (requires { sink_->waiting(); }) return sink_->waiting();
  return 0;
}

// A reader that is far behind, or gone, holds up those who submit, or its results would fill the
// memory. At the end all are taken, to be cancelled.
template <class Traits>
bool InstanceOf<Traits>::may_begin() const noexcept {
  if (table_.full()) return false;
  return results_waiting() < table_.size() || stopping_.load(std::memory_order_acquire);
}

// What a producer may have put in before it rang. A full table leaves entries where they are: a
// completion, which ends the sleep, makes room for them.
template <class Traits>
bool InstanceOf<Traits>::has_work() noexcept {
  if (may_begin() && !entries_.empty()) return true;
  if (!pool_results_.empty() || has_returned_.load(std::memory_order_acquire)) return true;
  return stopping_.load(std::memory_order_acquire) && (table_.used() == 0 || !cancelled_);
}

template <class Traits>
unsigned InstanceOf<Traits>::take_entries() {
  unsigned taken = 0;
  Entry entry;
  while (taken < kEntriesPerTurn && may_begin() && entries_.pop(entry)) {
    dispatch(entry);
    ++taken;
  }
  return taken;
}

template <class Traits>
void InstanceOf<Traits>::dispatch(const Entry& entry) {
  ++submitted_;
  InFlight& slot = table_.take(entry);
  // Not begun yet, so it need not be.
  if (stopping_.load(std::memory_order_acquire)) return finish(slot, -ECANCELED);
  if (entry.lend_buffer) {
    if (!can_lend_for(entry.nr)) return finish(slot, -EINVAL);
    if (!lend_memory(slot)) return finish(slot, -ENOMEM);
    slot.entry.arguments[1] = reinterpret_cast<std::uintptr_t>(slot.lease.data);
    slot.entry.arguments[2] = buffers_.get().block_bytes();
  }
  if (!give_to_ring(slot)) give_to_pool(slot);
}

template <class Traits>
bool InstanceOf<Traits>::lend_memory(InFlight& slot) {
  try {
    slot.lease = buffers_.get().borrow();
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

template <class Traits>
bool InstanceOf<Traits>::give_to_ring(InFlight& slot) {
  if constexpr (Submits<Backend, SystemCall>) {
    const auto opcode = router_.opcode(slot.entry.nr);
    if (!opcode) return false;
    const SystemCall call{slot.entry.nr, *opcode, slot.entry.arguments};
    if (!Backend::performs(call)) return false;
    slot.place = InFlight::Place::ring;
    backend_->submit(call, InFlightTable::id_of(slot));
    return true;
  }
  return false;
}

template <class Traits>
void InstanceOf<Traits>::give_to_pool(InFlight& slot) {
  slot.place = InFlight::Place::pool;
  waiting_for_pool_.push_back(&slot);
  retry_pool();
}

// In order; what a full pool does not take waits for one of its results, which makes room.
template <class Traits>
void InstanceOf<Traits>::retry_pool() {
  while (!waiting_for_pool_.empty()) {
    InFlight& slot = *waiting_for_pool_.front();
    const PoolAnswer answer = pool_->submit(slot);
    if (answer == PoolAnswer::full) return;
    waiting_for_pool_.pop_front();
    if (answer == PoolAnswer::accepted) {
      ++in_pool_;
    } else {
      finish(slot, -ECANCELED);
    }
  }
}

template <class Traits>
void InstanceOf<Traits>::run_on_pool(PoolTask& task) noexcept {
  auto& slot = static_cast<InFlight&>(task);
  auto& self = *static_cast<InstanceOf*>(slot.instance);
  slot.result = call_directly(slot.entry);
  // There is a place for every slot of the table.
  const bool pushed = self.pool_results_.push(&slot);
  WEFT_ASSERT(pushed);
  self.gate_.ring();
}

template <class Traits>
void InstanceOf<Traits>::take_pool_results() {
  InFlight* slot = nullptr;
  while (pool_results_.pop(slot)) {
    --in_pool_;
    finish(*slot, slot->result);
  }
}

template <class Traits>
void InstanceOf<Traits>::take_returned_leases() {
  if (!has_returned_.load(std::memory_order_acquire)) return;
  const std::lock_guard lock(returned_mutex_);
  has_returned_.store(false, std::memory_order_relaxed);
  for (BufferLease& lease : returned_) buffers_.get().release(lease);
  returned_.clear();
}

template <class Traits>
void InstanceOf<Traits>::completed(const Completion& completion) noexcept {
  if (completion.corr_id == kWakeId) {
    gate_.notifier().acknowledge();
    if (!completion.more) watching_ = false;
    return;
  }
  finish(table_.find(completion.corr_id), completion.result);
}

template <class Traits>
void InstanceOf<Traits>::finish(InFlight& slot, std::int64_t result) noexcept {
  Completion completion{slot.entry.corr_id, static_cast<std::int32_t>(result), false, slot.lease};
  if (completion.lease) {
    // With MSG_TRUNC a receive tells how long the datagram was, not how much of it was kept.
    const auto most = static_cast<std::int64_t>(buffers_.get().block_bytes());
    completion.lease.size = static_cast<std::uint32_t>(std::clamp<std::int64_t>(result, 0, most));
    if (result <= 0) {
      buffers_.get().release(completion.lease);
      completion.lease = {};
    }
  }
  table_.give_back(slot);
  ++completions_;
  sink_->complete(completion);
}

// What waits in the ring is asked to end; what waits for the pool has not begun, and ends here.
template <class Traits>
void InstanceOf<Traits>::cancel_all() {
  if (std::exchange(cancelled_, true)) return;
  for (InFlight* slot : std::exchange(waiting_for_pool_, {})) finish(*slot, -ECANCELED);
  table_.visit_used([this](InFlight& slot) {
    if (slot.place != InFlight::Place::ring) return;
    const auto fd = static_cast<int>(slot.entry.arguments[0]);
    backend_->submit(Cancel{fd, InFlightTable::id_of(slot)}, 0);
  });
}

template <class Traits>
void InstanceOf<Traits>::publish_counters() noexcept {
  auto writer = page_.writer(worker_);
  writer.set(Counter::submitted, submitted_);
  writer.set(Counter::batches, batches_);
  writer.set(Counter::completions, completions_);
  writer.set(Counter::in_flight, table_.used());
  writer.set(Counter::pool_busy, pool_->busy());
  writer.set(Counter::pool_queued, pool_->queued() + waiting_for_pool_.size());
}

}  // namespace weft::ksvc
