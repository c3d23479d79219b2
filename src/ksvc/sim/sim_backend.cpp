#include "ksvc/sim/sim_backend.hpp"

#include <netinet/in.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "ksvc/core/poison.hpp"

namespace weft::ksvc {

namespace {

// What memory looks like while the kernel is to fill it.
constexpr char kUnfilled = '\xA5';
constexpr std::uint64_t kLongReorder_ns = 300'000;

std::uint64_t checksum_of(const void* data, std::size_t size) noexcept {
  std::uint64_t sum = 0xCBF2'9CE4'8422'2325;
  const auto* bytes = static_cast<const unsigned char*>(data);
  for (std::size_t i = 0; i < size; ++i) sum = (sum ^ bytes[i]) * 0x0000'0100'0000'01B3;
  return sum;
}

// Whether the descriptor may not be closed while the operation is in flight.
constexpr bool holds_descriptor(const ChainedOperation& op) {
  return !std::holds_alternative<Close>(op) && !std::holds_alternative<Cancel>(op) &&
         !std::holds_alternative<SendNow>(op);
}

// Whether the owner hears of its end, whatever that is.
constexpr bool always_told(const ChainedOperation& op) {
  return !std::holds_alternative<Close>(op) && !std::holds_alternative<SendNow>(op);
}

}  // namespace

SimBackend::SimBackend(SimWorld& world, const BackendOptions& options)
    : world_(world),
      wire_(world),
      buffers_(options.buffers),
      completion_entries_(options.completion_entries),
      alive_(std::make_shared<bool>(true)) {}

SimBackend::~SimBackend() {
  *alive_ = false;
  for (const auto& [number, lent] : lent_) {
    if (lent.written) unpoison(lent.data, lent.size);
  }
  for (auto* waiting : {&ready_, &overflow_}) {
    for (Posted& posted : *waiting) {
      if (posted.completion.lease) buffers_.release(posted.completion.lease);
    }
  }
}

void SimBackend::queue(const ChainedOperation& op, CorrelationId corr_id,
                       ChainKeeper::Terms terms) {
  const std::uint64_t number = next_number_++;
  const int fd = descriptor_of(op);
  world_.note("submit", number, op.index());
  lend(number, op);
  if (std::holds_alternative<SendNow>(op) && made_by_backend(fd)) {
    if (world_.descriptor(fd).unsettled_send_now++ > 0) {
      world_.fail("a second SendNow on one descriptor before the first was settled");
    }
    unsettled_sends_.push_back(fd);
  }
  if (always_told(op)) {
    // Nobody can know the end of what nobody waits for.
    const bool holds = corr_id != 0 && holds_descriptor(op) && made_by_backend(fd);
    told_[number] = holds ? fd : -1;
    if (holds) ++world_.descriptor(fd).operations;
  }
  submitted_.push_back({op, corr_id, terms, number});
}

void SimBackend::forget_sends() {
  for (const int fd : std::exchange(unsettled_sends_, {})) {
    if (world_.is_open(fd)) world_.descriptor(fd).unsettled_send_now = 0;
  }
}

void SimBackend::submit_and_wait(unsigned at_least, TimePoint deadline) {
  ++entries_;
  const auto most_ns = static_cast<std::uint64_t>(world_.options().turn_time.count());
  world_.run_until(world_.now() + std::chrono::nanoseconds(1 + world_.random().below(most_ns)));
  enter();
  run_chains();
  if (at_least > 0 && world_.strikes(world_.options().faults.spurious_wake)) return;
  while (ready_.size() < at_least && overflow_.empty() && submitted_.empty()) {
    const TimePoint limit = std::min(deadline, chains_.next_deadline());
    if (!world_.step(limit)) {
      if (limit == kNoDeadline) {
        world_.fail("waits for what can never happen, with " + std::to_string(told_.size()) +
                    " operations in flight");
      }
      world_.run_until(limit);
      if (limit == deadline) return run_chains();
    }
    run_chains();
  }
}

void SimBackend::enter() {
  while (!overflow_.empty() && ready_.size() < completion_entries_) {
    ready_.push_back(std::move(overflow_.front()));
    overflow_.pop_front();
  }
  // A queue that has overflowed takes nothing until it was drained.
  if (!overflow_.empty()) return;
  std::size_t count = submitted_.size();
  if (world_.strikes(world_.options().faults.busy)) count = world_.random().below(count + 1);
  for (std::size_t i = 0; i < count; ++i) {
    const Submitted taken = submitted_[i];
    carry_out(taken);
  }
  submitted_.erase(submitted_.begin(), submitted_.begin() + static_cast<std::ptrdiff_t>(count));
}

void SimBackend::carry_out(const Submitted& submitted) {
  const bool kept = submitted.terms.linked || submitted.terms.deadline != kNoDeadline;
  if (!kept && !chains_.open()) {
    std::visit([&](const auto& op) { start(op, submitted.corr_id, submitted.number); },
               submitted.op);
    return;
  }
  // The chain's own submission names it from here on.
  give_back(submitted.number);
  chains_.add(submitted.op, submitted.corr_id, submitted.terms);
  run_chains();
}

void SimBackend::run_chains() {
  if (chains_.idle()) return;
  chains_.cancel_late(world_.now(), [this](int, CorrelationId own_id) { cancel_now(own_id); });
  chains_.advance(
      [this](const auto& op, CorrelationId own_id) {
        const std::uint64_t number = next_number_++;
        lend(number, op);
        const int fd = descriptor_of(op);
        told_[number] = holds_descriptor(op) && made_by_backend(fd) ? fd : -1;
        if (told_[number] >= 0) ++world_.descriptor(fd).operations;
        start(op, own_id, number);
      },
      [this](const Completion& completion) { arrive({completion, 0, {}, nullptr, true}); });
}

Completion SimBackend::take_ready() {
  Posted posted = std::move(ready_.front());
  ready_.pop_front();
  if (posted.final && posted.number != 0) {
    check_lent(posted.number);
    give_back(posted.number);
  }
  if (posted.into != nullptr)
    std::copy(posted.bytes.begin(), posted.bytes.end(), static_cast<char*>(posted.into));
  world_.note("complete", posted.number,
              static_cast<std::uint64_t>(static_cast<std::int64_t>(posted.completion.result)));
  return posted.completion;
}

void SimBackend::lend(std::uint64_t number, const ChainedOperation& op) {
  Lent lent;
  const auto reads = [&](const auto& sent) { lent = {sent.data, sent.size, 0, false}; };
  const auto fills = [&](const auto& wanted) { lent = {wanted.data, wanted.size, 0, true}; };
  if (const auto* send = std::get_if<Send>(&op)) reads(*send);
  if (const auto* now = std::get_if<SendNow>(&op)) reads(*now);
  if (const auto* zero_copy = std::get_if<SendZeroCopy>(&op)) reads(*zero_copy);
  if (const auto* write = std::get_if<WriteAt>(&op)) reads(*write);
  if (const auto* into = std::get_if<ReceiveInto>(&op)) fills(*into);
  if (const auto* read = std::get_if<ReadAt>(&op)) fills(*read);
  if (lent.data == nullptr || lent.size == 0) return;
  if (lent.written) {
    std::memset(const_cast<void*>(lent.data), kUnfilled, lent.size);
    lent.checksum = checksum_of(lent.data, lent.size);
    poison(lent.data, lent.size);
  } else {
    lent.checksum = checksum_of(lent.data, lent.size);
  }
  lent_[number] = lent;
}

void SimBackend::check_lent(std::uint64_t number) const {
  const auto found = lent_.find(number);
  if (found == lent_.end()) return;
  const Lent& lent = found->second;
  if (lent.written) unpoison(lent.data, lent.size);
  if (checksum_of(lent.data, lent.size) == lent.checksum) return;
  world_.fail(lent.written ? "memory that was to be filled was written to before the final "
                             "completion"
                           : "memory that was to be sent was changed before the final completion");
}

void SimBackend::give_back(std::uint64_t number) {
  if (const auto lent = lent_.find(number); lent != lent_.end()) {
    if (lent->second.written) unpoison(lent->second.data, lent->second.size);
    lent_.erase(lent);
  }
  const auto told = told_.find(number);
  if (told == told_.end()) return;
  if (told->second >= 0) --world_.descriptor(told->second).operations;
  told_.erase(told);
}

void SimBackend::complete_from_outside(CorrelationId corr_id, bool more) {
  arrive({Completion{corr_id, POLLIN, more, {}}, 0, {}, nullptr, !more});
}

// The results of one operation keep their order; those of different ones need not.
void SimBackend::put_on_the_way(TimePoint not_before, Posted posted) {
  if (not_before <= world_.now()) return arrive(std::move(posted));
  world_.at(not_before, [this, alive = alive_, posted = std::move(posted)]() mutable {
    if (*alive) return arrive(std::move(posted));
  });
}

void SimBackend::arrive(Posted posted) {
  if (ChainKeeper::is_own(posted.completion.corr_id) && !chains_.ended(posted.completion)) {
    posted.completion.corr_id = 0;
  }
  const bool full = !overflow_.empty() || ready_.size() >= completion_entries_;
  (full ? overflow_ : ready_).push_back(std::move(posted));
}

void SimBackend::post(Operation& operation, std::int32_t result, BufferLease lease) {
  TimePoint time = world_.now();
  if (world_.strikes(world_.options().faults.reorder)) {
    time = time + std::chrono::nanoseconds(world_.random().below(kLongReorder_ns));
  }
  operation.last_posted = std::max(operation.last_posted, time);
  put_on_the_way(operation.last_posted,
                 {Completion{operation.corr_id, result, true, lease}, operation.number});
}

void SimBackend::end(Operation& operation, std::int32_t result, BufferLease lease,
                     std::string bytes) {
  TimePoint time = world_.now();
  if (world_.strikes(world_.options().faults.reorder)) {
    time = time + std::chrono::nanoseconds(world_.random().below(kLongReorder_ns));
  }
  time = std::max(operation.last_posted, time);
  void* into = nullptr;
  if (const auto* wanted = std::get_if<ReceiveInto>(&operation.op)) into = wanted->data;
  Posted posted{Completion{operation.corr_id, result, false, lease}, operation.number,
                std::move(bytes), into, true};
  operations_.erase(operation.number);
  put_on_the_way(time, std::move(posted));
}

void SimBackend::end_at_once(CorrelationId corr_id, std::uint64_t number, std::int32_t result,
                             std::string bytes, void* into) {
  put_on_the_way(world_.now(),
                 {Completion{corr_id, result, false, {}}, number, std::move(bytes), into, true});
}

}  // namespace weft::ksvc
