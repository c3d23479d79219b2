// SimBackend: the IoBackend on a SimWorld: a kernel whose every answer comes from one seed.
//
// What is submitted is carried out at the next entry, in order; what cannot be done at once waits
// for the world to change. Waiting lets virtual time go on, and a wait for what can never happen
// ends the process with a list of what is in flight. Faults are drawn as the world's options say,
// and stay within what a kernel may do: results of one descriptor and direction, and of chains, are
// never swapped, no byte is invented.
//
// The contract is checked from the kernel's side, all the time: memory that is sent has the same
// checksum at the end as at submit(); memory that is filled holds a pattern, and under
// AddressSanitizer poison, until the completion is drained; descriptors are closed once, idle, and
// not used afterwards; SendNow waits for settled(); a multishot operation is not armed twice. In a
// chain memory is lent from when its operation starts, since one may fill what the next one writes.
// One owner; made with make(), since a world is more than BackendOptions.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ksvc/backend/chain_keeper.hpp"
#include "ksvc/core/io_backend.hpp"
#include "ksvc/sim/sim_buffers.hpp"
#include "ksvc/sim/sim_world.hpp"

namespace weft::ksvc {

class SimBackend {
 public:
  using Buffers = SimBuffers;

  static std::unique_ptr<SimBackend> make(SimWorld& world, const BackendOptions& options = {}) {
    return std::unique_ptr<SimBackend>(new SimBackend(world, options));
  }
  ~SimBackend();
  SimBackend(const SimBackend&) = delete;
  SimBackend& operator=(const SimBackend&) = delete;

  template <Chainable Op>
  void submit(const Op& op, CorrelationId corr_id) {
    queue(op, corr_id, {}, false);
  }
  // Done at once, and never part of a chain.
  void submit(const RefuseConnections& op, CorrelationId corr_id);
  template <LinkedOp Op>
  void submit(const Linked<Op>& op, CorrelationId corr_id) {
    queue(op.op, corr_id, {.linked = true}, true);
  }
  template <OneShot Op>
  void submit(const Timed<Op>& op, CorrelationId corr_id) {
    queue(op.op, corr_id, {.deadline = op.deadline}, true);
  }
  template <LinkedOp Op>
  void submit(const Linked<Timed<Op>>& op, CorrelationId corr_id) {
    queue(op.op.op, corr_id, {.linked = true, .deadline = op.op.deadline}, true);
  }

  void submit_and_wait(unsigned at_least, TimePoint deadline);

  template <CompletionSink Sink>
  unsigned drain(Sink& sink) {
    const unsigned count = begin_drain();
    for (unsigned i = 0; i < count; ++i) {
      const Completion completion = take_ready();
      if (completion.corr_id != 0) sink.complete(completion);
    }
    end_drain();
    return count;
  }

  bool settled() const noexcept { return settled_; }
  Buffers& buffers() noexcept { return buffers_; }
  static const char* name() noexcept { return "simulated"; }

  SimWorld& world() noexcept { return world_; }
  // A completion from outside any operation, as a wake is.
  void complete_from_outside(CorrelationId corr_id, bool more);
  // Operations that were submitted and have not told their end to a sink.
  std::size_t in_flight() const noexcept { return in_flight_; }
  // Fails the run when an operation is in flight or a lease was not given back.
  void check_nothing_left() const;
  // Turns of the owner's loop so far.
  std::uint64_t entries() const noexcept { return entries_; }

 private:
  static constexpr std::uint32_t kNone = 0xFFFF'FFFF;

  enum class State : std::uint8_t { unused, submitted, running, ended };

  // An operation from its submission until its end was drained.
  struct Record {
    ChainedOperation op;
    CorrelationId corr_id = 0;
    CorrelationId chain_id = 0;  // the chains' name for it
    std::uint64_t number = 0;    // the traces' name for it
    ChainKeeper::Terms terms;
    int fd = -1;
    State state = State::unused;
    bool chained = false;
    bool holds = false;          // its descriptor, which must not be closed
    bool noticed = false;        // a zero-copy send whose first result is known
    std::uint32_t next = kNone;  // behind it on the descriptor
    std::uint32_t done = 0;      // bytes
    // Memory that is lent to the kernel.
    char* memory = nullptr;
    std::uint32_t size = 0;
    bool fills = false;
    std::uint64_t checksum = 0;  // of what is sent
    std::string before;          // what memory to be filled held before
    std::string incoming;        // and is to hold
  };

  struct Ready {
    std::uint32_t index;  // kNone for what comes from outside
    std::int32_t result;
    bool more;
    CorrelationId corr_id;  // from outside
    BufferLease lease;
  };

  // What is in flight on one descriptor.
  struct Descriptor {
    std::uint32_t readers = kNone;
    std::uint32_t writers = kNone;
    std::uint32_t in_flight = 0;
    bool closed = false;         // by a Close that is not carried out yet
    std::uint64_t sent_now = 0;  // the submission that did so last
    TimePoint told_reading{0};   // when results of each direction are known up to now
    TimePoint told_writing{0};
  };

  struct LentNow {
    std::uint64_t number;
    const char* data;
    std::uint32_t size;
    std::uint64_t checksum;
  };

  SimBackend(SimWorld& world, const BackendOptions& options);

  // Submitting.
  void queue(const ChainedOperation& op, CorrelationId corr_id, ChainKeeper::Terms terms,
             bool chained);
  void check_descriptor(Record& record);
  std::uint32_t make_record();
  Descriptor& descriptor(int fd);
  void enter();
  void start_kept();
  void run_chains();
  [[noreturn]] void fail_stuck() const;

  // Memory.
  void lend(Record& record);
  void check_lent(const Record& record) const;
  void give_back(Record& record);
  void check_sends_now();

  // Carrying out. start() takes what was submitted, the others go on with what waits.
  void start(std::uint32_t index);
  void start_op(std::uint32_t index, const Nop& op);
  void start_op(std::uint32_t index, const SendNow& op);
  void start_op(std::uint32_t index, const Connect& op);
  void start_op(std::uint32_t index, const Shutdown& op);
  void start_op(std::uint32_t index, const ReadAt& op);
  void start_op(std::uint32_t index, const WriteAt& op);
  void start_op(std::uint32_t index, const Cancel& op);
  void start_op(std::uint32_t index, const Close& op);
  template <class Op>
  void start_op(std::uint32_t index, const Op&) {
    start_waiting(index);
  }
  void start_waiting(std::uint32_t index);
  void progress(int fd);
  void go_on(int fd, bool reading);
  // Each true when the operation has ended.
  bool advance(std::uint32_t index);
  bool advance_op(std::uint32_t index, const Accept& op);
  bool advance_op(std::uint32_t index, const Receive& op);
  bool advance_op(std::uint32_t index, const ReceiveInto& op);
  bool advance_op(std::uint32_t index, const PollReadable& op);
  bool advance_op(std::uint32_t index, const Send& op);
  bool advance_op(std::uint32_t index, const SendZeroCopy& op);
  template <class Op>
  bool advance_op(std::uint32_t, const Op&) {
    return false;
  }
  bool advance_op(std::uint32_t index, const SendFile& op);
  bool send_more(std::uint32_t index, std::string_view bytes, bool zero_copy);
  int read_file(const SendFile& op, std::string& bytes);
  std::int32_t take_connection(SimListener& listener);
  void do_cancel(std::uint32_t index);
  std::uint32_t find(int fd, CorrelationId target, std::uint64_t cancel_number) const;
  void cut_short(std::uint32_t index);
  bool stays_armed();
  std::int32_t drawn_error(const Record& record);
  std::size_t some_of(std::size_t size, unsigned per_mille);
  void mark_faulted(int fd);
  bool is_running(std::uint32_t index, std::uint64_t number) const {
    return records_[index].number == number && records_[index].state == State::running;
  }
  std::uint32_t* list_of(const Record& record);
  void join(std::uint32_t index);
  void leave(std::uint32_t index);
  // Does something later, if this is still there then.
  template <class Action>
  void later(std::uint64_t most_ns, Action action) {
    world_.after(std::chrono::nanoseconds(1 + world_.random().below(most_ns)),
                 [alive = alive_, action] {
                   if (*alive) action();
                 });
  }

  // Telling.
  bool end(std::uint32_t index, std::int32_t result, BufferLease lease = {});
  void tell(std::uint32_t index, std::int32_t result, bool more, BufferLease lease = {});
  void put_on_the_way(const Ready& ready);
  void arrive(const Ready& ready);
  void let_go(Record& record);
  void retire(std::uint32_t index);
  unsigned begin_drain();
  Completion take_ready();
  void end_drain();

  SimWorld& world_;
  SimWire wire_;
  Buffers buffers_;
  std::size_t completion_entries_;
  ChainKeeper chains_;
  std::deque<Record> records_;
  std::vector<std::uint32_t> unused_;
  std::vector<Descriptor> descriptors_;
  std::vector<std::uint32_t> submitted_;
  std::deque<Ready> ready_;
  std::deque<Ready> overflow_;  // what the completion queue had no room for
  std::vector<LentNow> lent_now_;
  std::vector<int> to_progress_;
  std::shared_ptr<bool> alive_;  // for events that outlive this
  TimePoint told_chained_{0};
  std::size_t in_flight_ = 0;
  std::size_t late_sends_now_ = 0;  // results of SendNow that are on their way
  std::uint64_t last_number_ = 0;
  std::uint64_t entered_with_ = 0;     // the last number at the last entry
  std::uint64_t settled_through_ = 0;  // and at the last one that was settled
  std::uint64_t entries_ = 0;
  unsigned busy_turns_ = 0;
  bool chain_goes_on_ = false;  // with what is submitted next
  bool took_all_ = true;
  bool progressing_ = false;
  bool settled_ = true;
};

static_assert(IoBackend<SimBackend>);

}  // namespace weft::ksvc
