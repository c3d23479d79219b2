// What SimBackend does apart from carrying out operations: submission, lent memory, completions.
#include "ksvc/sim/sim_backend.hpp"

#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "ksvc/core/poison.hpp"
#include "ksvc/sim/sim_checksum.hpp"

namespace weft::ksvc {

namespace {

// What memory looks like while the kernel is to fill it.
constexpr char kUnfilled = '\xA5';
constexpr std::uint64_t kLongReorder_ns = 300'000;
// The kernel takes everything in the end.
constexpr unsigned kMostBusyTurns = 3;
constexpr std::uint64_t kLongInterruption_ns = 1'000'000;
constexpr std::size_t kMostListed = 32;

// In the order of ChainedOperation.
constexpr std::array kNames = {"nop",      "accept",   "receive",        "receive into",
                               "send",     "send now", "send zero copy", "connect",
                               "shutdown", "read at",  "write at",       "poll",
                               "cancel",   "close",    "send file"};
static_assert(kNames.size() == std::variant_size_v<ChainedOperation>);

// Whether the descriptor may not be closed while the operation is in flight.
bool holds_descriptor(const ChainedOperation& op) {
  return !std::holds_alternative<Close>(op) && !std::holds_alternative<Cancel>(op) &&
         !std::holds_alternative<SendNow>(op);
}

bool reads_from(const ChainedOperation& op) {
  return std::holds_alternative<Accept>(op) || std::holds_alternative<Receive>(op) ||
         std::holds_alternative<ReceiveInto>(op) || std::holds_alternative<PollReadable>(op);
}

bool writes_to(const ChainedOperation& op) {
  return std::holds_alternative<Send>(op) || std::holds_alternative<SendZeroCopy>(op) ||
         std::holds_alternative<SendFile>(op) || std::holds_alternative<Connect>(op);
}

// The other descriptor that is not to be closed meanwhile, if it is one of the world's; or -1.
int file_of(const ChainedOperation& op) {
  const auto* send = std::get_if<SendFile>(&op);
  return send != nullptr && made_by_backend(send->file) ? send->file : -1;
}

bool is_pattern(const char* data, std::size_t size) {
  return std::all_of(data, data + size, [](char byte) { return byte == kUnfilled; });
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
  for (Record& record : records_) {
    if (record.state != State::unused) give_back(record);
  }
  for (auto* waiting : {&ready_, &overflow_}) {
    for (Ready& ready : *waiting) {
      if (ready.lease) buffers_.release(ready.lease);
    }
  }
}

// ---- Submission.

std::uint32_t SimBackend::make_record() {
  if (unused_.empty()) {
    records_.emplace_back();
    return static_cast<std::uint32_t>(records_.size() - 1);
  }
  const std::uint32_t index = unused_.back();
  unused_.pop_back();
  return index;
}

SimBackend::Descriptor& SimBackend::descriptor(int fd) {
  const auto index = static_cast<std::size_t>(fd - kBackendDescriptor);
  if (index >= descriptors_.size()) descriptors_.resize(std::max(index + 1, index * 2));
  return descriptors_[index];
}

void SimBackend::queue(const ChainedOperation& op, CorrelationId corr_id, ChainKeeper::Terms terms,
                       bool chained) {
  const std::uint32_t index = make_record();
  Record& record = records_[index];
  record.op = op;
  record.corr_id = corr_id;
  record.terms = terms;
  record.number = ++last_number_;
  record.fd = descriptor_of(op);
  record.state = State::submitted;
  record.chained = chained || chain_goes_on_;
  chain_goes_on_ = terms.linked;
  ++in_flight_;
  world_.note("submit", record.number, op.index());
  if (made_by_backend(record.fd)) check_descriptor(record);
  if (!record.chained) lend(record);
  submitted_.push_back(index);
}

void SimBackend::check_descriptor(Record& record) {
  // Cancelling what is gone finds nothing, which is no harm.
  if (std::holds_alternative<Cancel>(record.op)) return;
  Descriptor& entry = descriptor(record.fd);
  const std::string name = kNames[record.op.index()];
  if (entry.closed || !world_.is_open(record.fd)) {
    world_.fail("a descriptor is used after its close, for a " + name);
  }
  if (holds_descriptor(record.op)) {
    // Nobody can know the end of what nobody waits for.
    record.holds = record.corr_id != 0;
    if (!record.holds) return;
    ++entry.in_flight;
    if (const int file = file_of(record.op); file >= 0) ++descriptor(file).in_flight;
  } else if (std::holds_alternative<SendNow>(record.op)) {
    if (entry.sent_now > settled_through_) {
      world_.fail("a second SendNow on one descriptor before the first was settled");
    }
    entry.sent_now = record.number;
  } else if (!record.chained) {
    if (entry.in_flight > 0) {
      world_.fail("a descriptor is closed with operations in flight on it");
    }
    entry.closed = true;
  }
}

void SimBackend::submit_and_wait(unsigned at_least, TimePoint deadline) {
  ++entries_;
  settled_ = false;
  entered_with_ = last_number_;
  const auto most_ns = static_cast<std::uint64_t>(world_.options().turn_time.count());
  world_.run_until(world_.now() + std::chrono::nanoseconds(1 + world_.random().below(most_ns)));
  enter();
  run_chains();
  const SimFaults& faults = world_.options().faults;
  if (at_least > 0 && world_.strikes(faults.spurious_wake)) return world_.note("wakes");
  if (at_least > 0 && world_.strikes(faults.interrupt)) {
    deadline = std::min(deadline, world_.now() + std::chrono::nanoseconds(
                                                     world_.random().below(kLongInterruption_ns)));
  }
  const std::size_t enough = std::min<std::size_t>(at_least, completion_entries_);
  while (ready_.size() < enough && overflow_.empty() && took_all_) {
    const TimePoint limit = std::min(deadline, chains_.next_deadline());
    if (!world_.step(limit)) {
      if (limit == kNoDeadline) fail_stuck();
      world_.run_until(limit);
      if (limit == deadline) break;
    }
    run_chains();
  }
  run_chains();
  world_.note("return", ready_.size());
}

void SimBackend::enter() {
  while (!overflow_.empty() && ready_.size() < completion_entries_) {
    ready_.push_back(overflow_.front());
    overflow_.pop_front();
  }
  std::size_t count = submitted_.size();
  if (count > 0 && busy_turns_ < kMostBusyTurns && world_.strikes(world_.options().faults.busy)) {
    ++busy_turns_;
    count = world_.random().below(count);
  } else {
    busy_turns_ = 0;
  }
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint32_t index = submitted_[i];
    const Record& record = records_[index];
    if (record.chained) {
      // Inside the chains an operation goes by its place here, and 0 is nobody's name.
      chains_.add(record.op, index + 1, record.terms);
      start_kept();
    } else {
      start(index);
    }
  }
  submitted_.erase(submitted_.begin(), submitted_.begin() + static_cast<std::ptrdiff_t>(count));
  took_all_ = submitted_.empty();
}

void SimBackend::start_kept() {
  chains_.advance(
      [this](const auto&, CorrelationId own_id) {
        const auto index = static_cast<std::uint32_t>(chains_.owner_id(own_id) - 1);
        records_[index].chain_id = own_id;
        lend(records_[index]);
        start(index);
      },
      [this](const Completion& cut) {
        const auto index = static_cast<std::uint32_t>(cut.corr_id - 1);
        records_[index].state = State::ended;
        put_on_the_way({index, cut.result, false, 0, {}});
      });
}

void SimBackend::run_chains() {
  if (chains_.idle()) return;
  if (chains_.next_deadline() <= world_.now()) {
    chains_.cancel_late(world_.now(), [this](int, CorrelationId own_id) {
      const auto index = static_cast<std::uint32_t>(chains_.owner_id(own_id) - 1);
      if (records_[index].state == State::running) cut_short(index);
    });
  }
  start_kept();
}

void SimBackend::fail_stuck() const {
  std::string what = "waits for what can never happen, with " + std::to_string(in_flight_) +
                     " operations in flight:";
  std::size_t listed = 0;
  for (const Record& record : records_) {
    if (record.state == State::unused || ++listed > kMostListed) continue;
    what += "\n    " + std::to_string(record.number) + ": " + kNames[record.op.index()];
    if (made_by_backend(record.fd)) {
      what += " on descriptor " + std::to_string(record.fd - kBackendDescriptor);
    }
    if (record.state == State::submitted) what += ", behind others";
  }
  world_.fail(what);
}

void SimBackend::check_nothing_left() const {
  if (in_flight_ > 0) world_.fail(std::to_string(in_flight_) + " operations are in flight");
  if (buffers_.lent() > 0) world_.fail(std::to_string(buffers_.lent()) + " blocks are lent");
  if (buffers_.detached() > 0) {
    world_.fail(std::to_string(buffers_.detached()) +
                " detached or borrowed leases are not released");
  }
}

// ---- Memory.

void SimBackend::lend(Record& record) {
  // Without a descriptor nothing is going to be done with it.
  if (!made_by_backend(record.fd)) return;
  std::visit(
      [&record]<class Op>(const Op& op) {
        if constexpr (requires { op.data; }) {
          record.memory = const_cast<char*>(static_cast<const char*>(op.data));
          record.size = op.size;
          record.fills = std::is_same_v<Op, ReceiveInto> || std::is_same_v<Op, ReadAt>;
        }
      },
      record.op);
  if (record.memory == nullptr) return;
  if (!record.fills) {
    record.checksum = sim_checksum(record.memory, record.size);
  } else if (!record.chained) {
    record.before.assign(record.memory, record.size);
    std::memset(record.memory, kUnfilled, record.size);
    poison(record.memory, record.size);
  }
  if (!std::holds_alternative<SendNow>(record.op)) return;
  lent_now_.push_back({record.number, record.memory, record.size, record.checksum});
}

void SimBackend::check_lent(const Record& record) const {
  if (record.memory == nullptr) return;
  if (!record.fills) {
    if (sim_checksum(record.memory, record.size) == record.checksum) return;
    world_.fail("memory that was to be sent was changed before the end of its " +
                std::string(kNames[record.op.index()]));
  }
  if (record.chained) return;
  unpoison(record.memory, record.size);
  if (is_pattern(record.memory, record.size)) return;
  world_.fail("memory that was to be filled was written to before the end of its " +
              std::string(kNames[record.op.index()]));
}

// Bytes that were not received are as they were.
void SimBackend::give_back(Record& record) {
  if (record.memory != nullptr && record.fills) {
    if (!record.chained) {
      unpoison(record.memory, record.size);
      std::copy(record.before.begin(), record.before.end(), record.memory);
    }
    std::copy(record.incoming.begin(), record.incoming.end(), record.memory);
    record.before.clear();
    record.incoming.clear();
  }
  record.memory = nullptr;
}

void SimBackend::check_sends_now() {
  for (const LentNow& lent : lent_now_) {
    if (sim_checksum(lent.data, lent.size) != lent.checksum) {
      world_.fail("memory of a SendNow was changed before it was settled");
    }
  }
}

// ---- Completions.

bool SimBackend::end(std::uint32_t index, std::int32_t result, BufferLease lease) {
  tell(index, result, false, lease);
  return true;
}

void SimBackend::tell(std::uint32_t index, std::int32_t result, bool more, BufferLease lease) {
  Record& record = records_[index];
  if (!more) {
    leave(index);
    record.state = State::ended;
    // A Close may stand behind it in its chain.
    if (record.chained) let_go(record);
  }
  world_.note("result", record.number, static_cast<std::uint64_t>(std::int64_t{result}));
  if (record.chained) {
    // What comes next may need the bytes.
    if (!more && record.fills) {
      check_lent(record);
      give_back(record);
    }
    Completion completion{record.chain_id, result, more, {}};
    if (!chains_.ended(completion) && !more) return retire(index);
  }
  put_on_the_way({index, result, more, 0, lease});
}

// Results of one stream keep their order; those of different ones need not.
void SimBackend::put_on_the_way(const Ready& ready) {
  const Record& record = records_[ready.index];
  TimePoint time = world_.now();
  if (world_.strikes(world_.options().faults.reorder)) {
    time = time + std::chrono::nanoseconds(1 + world_.random().below(kLongReorder_ns));
  }
  bool at_once = time <= world_.now();
  std::array<TimePoint*, 3> streams{};
  if (made_by_backend(record.fd) && holds_descriptor(record.op)) {
    if (reads_from(record.op)) streams[0] = &descriptor(record.fd).told_reading;
    if (writes_to(record.op)) streams[1] = &descriptor(record.fd).told_writing;
  }
  if (record.chained) streams[2] = &told_chained_;
  for (const TimePoint* told : streams) {
    // What is due this very moment may not have been told yet.
    if (told == nullptr || *told < world_.now()) continue;
    time = std::max(time, *told);
    at_once = false;
  }
  if (at_once) return arrive(ready);
  for (TimePoint* told : streams) {
    if (told != nullptr) *told = time;
  }
  const bool is_send_now = std::holds_alternative<SendNow>(record.op);
  if (is_send_now) ++late_sends_now_;
  world_.at(time, [this, alive = alive_, ready, is_send_now] {
    if (!*alive) return;
    if (is_send_now) --late_sends_now_;
    arrive(ready);
  });
}

void SimBackend::arrive(const Ready& ready) {
  const bool full = !overflow_.empty() || ready_.size() >= completion_entries_;
  (full ? overflow_ : ready_).push_back(ready);
}

void SimBackend::complete_from_outside(CorrelationId corr_id, bool more) {
  arrive({kNone, POLLIN, more, corr_id, {}});
}

void SimBackend::let_go(Record& record) {
  if (!std::exchange(record.holds, false)) return;
  --descriptor(record.fd).in_flight;
  if (const int file = file_of(record.op); file >= 0) --descriptor(file).in_flight;
}

void SimBackend::retire(std::uint32_t index) {
  Record& record = records_[index];
  let_go(record);
  record = {};
  unused_.push_back(index);
  --in_flight_;
}

unsigned SimBackend::begin_drain() {
  check_sends_now();
  const auto count = static_cast<unsigned>(ready_.size());
  if (count == 0 || !world_.strikes(world_.options().faults.partial_drain)) return count;
  return static_cast<unsigned>(world_.random().below(count + 1));
}

Completion SimBackend::take_ready() {
  const Ready ready = ready_.front();
  ready_.pop_front();
  if (ready.index == kNone) return {ready.corr_id, ready.result, ready.more, {}};
  Record& record = records_[ready.index];
  const Completion completion{record.corr_id, ready.result, ready.more, ready.lease};
  std::uint64_t sum = 0;
  if (ready.lease) sum = sim_checksum(ready.lease.data, ready.lease.size);
  if (!record.incoming.empty()) sum = sim_checksum(record.incoming.data(), record.incoming.size());
  world_.note("complete", record.number,
              static_cast<std::uint64_t>(std::int64_t{ready.result}) ^ sum);
  if (!ready.more) {
    if (std::holds_alternative<SendNow>(record.op)) {
      std::erase_if(lent_now_,
                    [&record](const LentNow& lent) { return lent.number == record.number; });
    }
    check_lent(record);
    give_back(record);
    retire(ready.index);
  }
  return completion;
}

void SimBackend::end_drain() {
  settled_ = took_all_ && ready_.empty() && overflow_.empty() && late_sends_now_ == 0;
  if (!settled_) return;
  settled_through_ = entered_with_;
  std::erase_if(lent_now_, [this](const LentNow& lent) { return lent.number <= entered_with_; });
}

}  // namespace weft::ksvc
