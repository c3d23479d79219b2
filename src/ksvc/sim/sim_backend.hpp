// SimBackend: the IoBackend on a SimWorld: a kernel whose every answer comes from one seed.
//
// What is submitted is carried out at the next entry, in order; what cannot be done at once waits
// for the world to change. Waiting lets virtual time go on, and a wait for what can never happen
// ends the process with what is in flight. Faults are drawn as the world's options say, and stay
// within what a kernel may do: the results of one operation keep their order, no byte is invented.
//
// The contract is checked from the kernel's side, all the time: memory of an operation is left
// alone until its final completion, descriptors are closed once and idle, leases come back. One
// owner; made with make(), since a world is more than BackendOptions.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ksvc/backend/chain_keeper.hpp"
#include "ksvc/buffers/heap_buffers.hpp"
#include "ksvc/core/io_backend.hpp"
#include "ksvc/sim/sim_world.hpp"

namespace weft::ksvc {

class SimBackend {
 public:
  using Buffers = HeapBuffers;

  static std::unique_ptr<SimBackend> make(SimWorld& world, const BackendOptions& options = {}) {
    return std::unique_ptr<SimBackend>(new SimBackend(world, options));
  }
  ~SimBackend();
  SimBackend(const SimBackend&) = delete;
  SimBackend& operator=(const SimBackend&) = delete;

  template <Chainable Op>
  void submit(const Op& op, CorrelationId corr_id) {
    queue(op, corr_id, {});
  }
  // Done at once, and never part of a chain.
  void submit(const RefuseConnections& op, CorrelationId corr_id);
  template <OneShot Op>
  void submit(const Linked<Op>& op, CorrelationId corr_id) {
    queue(op.op, corr_id, {.linked = true});
  }
  template <OneShot Op>
  void submit(const Timed<Op>& op, CorrelationId corr_id) {
    queue(op.op, corr_id, {.deadline = op.deadline});
  }
  template <OneShot Op>
  void submit(const Linked<Timed<Op>>& op, CorrelationId corr_id) {
    queue(op.op.op, corr_id, {.linked = true, .deadline = op.op.deadline});
  }

  void submit_and_wait(unsigned at_least, TimePoint deadline);

  template <CompletionSink Sink>
  unsigned drain(Sink& sink) {
    settled_ = all_taken();
    if (settled_) forget_sends();
    const std::size_t count = ready_.size();
    for (std::size_t i = 0; i < count; ++i) {
      const Completion completion = take_ready();
      if (completion.corr_id != 0) sink.complete(completion);
    }
    return static_cast<unsigned>(count);
  }

  bool settled() const noexcept { return settled_; }
  Buffers& buffers() noexcept { return buffers_; }
  static const char* name() noexcept { return "simulated"; }

  SimWorld& world() noexcept { return world_; }
  // A completion from outside any operation, as a wake is.
  void complete_from_outside(CorrelationId corr_id, bool more);
  // Operations that have not told their end, and completions nobody has drained. Watches of
  // notifiers are none.
  std::size_t in_flight() const noexcept { return told_.size(); }
  // Turns of the owner's loop so far.
  std::uint64_t entries() const noexcept { return entries_; }

 private:
  // Memory that is the kernel's for now.
  struct Lent {
    const void* data = nullptr;
    std::size_t size = 0;
    std::uint64_t checksum = 0;
    bool written = false;  // the kernel's to fill: poisoned, where that can be
  };
  struct Operation {
    std::uint64_t number = 0;
    CorrelationId corr_id = 0;
    ChainedOperation op;
    int fd = -1;
    std::uint32_t done = 0;      // bytes
    TimePoint last_posted{0};    // its completions keep their order
    bool awaits_notice = false;  // sent; its memory is still looked at
  };
  struct Submitted {
    ChainedOperation op;
    CorrelationId corr_id;
    ChainKeeper::Terms terms;
    std::uint64_t number;
  };
  // A completion on its way to the owner.
  struct Posted {
    Completion completion;
    std::uint64_t number = 0;  // of the operation, 0 for none
    std::string bytes;         // for the owner's memory, copied when it is told
    void* into = nullptr;
    bool final = false;
  };

  SimBackend(SimWorld& world, const BackendOptions& options);

  void queue(const ChainedOperation& op, CorrelationId corr_id, ChainKeeper::Terms terms);
  void enter();
  void carry_out(const Submitted& submitted);
  void run_chains();
  Completion take_ready();
  bool all_taken() const noexcept { return submitted_.empty() && overflow_.empty(); }
  void forget_sends();

  void lend(std::uint64_t number, const ChainedOperation& op);
  void check_lent(std::uint64_t number) const;
  void give_back(std::uint64_t number);

  // Carrying out one operation; `number` names it from its submission on.
  void start(const Nop&, CorrelationId corr_id, std::uint64_t number);
  void start(const SendNow& op, CorrelationId corr_id, std::uint64_t number);
  void start(const Connect& op, CorrelationId corr_id, std::uint64_t number);
  void start(const Shutdown& op, CorrelationId corr_id, std::uint64_t number);
  void start(const ReadAt& op, CorrelationId corr_id, std::uint64_t number);
  void start(const WriteAt& op, CorrelationId corr_id, std::uint64_t number);
  void start(const Cancel& op, CorrelationId corr_id, std::uint64_t number);
  void start(const Close& op, CorrelationId corr_id, std::uint64_t number);
  // What may have to wait for something.
  template <class Op>
  void start(const Op& op, CorrelationId corr_id, std::uint64_t number) {
    start_waiting(op, op.fd, corr_id, number);
  }
  void start_waiting(const ChainedOperation& op, int fd, CorrelationId corr_id,
                     std::uint64_t number);
  void do_cancel(CorrelationId target, CorrelationId corr_id, std::uint64_t number);
  int cancel_now(CorrelationId target);

  // Going on with what waits on a descriptor.
  void progress(int fd);
  void advance(Operation& operation);
  void advance(Operation& operation, const Accept& op);
  void advance(Operation& operation, const Receive& op);
  void advance(Operation& operation, const ReceiveInto& op);
  void advance(Operation& operation, const PollReadable& op);
  void advance_send(Operation& operation, const void* data, std::uint32_t size, bool zero_copy);
  void take_connection(Operation& operation, const Accept& op, SimListener& listener);
  std::int32_t any_error(const ChainedOperation& op);
  void mark_faulted(int fd);

  // Telling. post() leaves the operation waiting; the others end it.
  void post(Operation& operation, std::int32_t result, BufferLease lease = {});
  void end(Operation& operation, std::int32_t result, BufferLease lease = {},
           std::string bytes = {});
  void end_at_once(CorrelationId corr_id, std::uint64_t number, std::int32_t result,
                   std::string bytes = {}, void* into = nullptr);
  void put_on_the_way(TimePoint not_before, Posted posted);
  void arrive(Posted posted);

  SimWorld& world_;
  SimWire wire_;
  Buffers buffers_;
  std::size_t completion_entries_;
  std::vector<Submitted> submitted_;
  std::size_t next_submitted_ = 0;
  std::map<std::uint64_t, Operation> operations_;  // that wait, by number
  std::map<std::uint64_t, Lent> lent_;             // by number
  std::map<std::uint64_t, int> told_;              // not told of their end: the descriptor
  std::deque<Posted> ready_;
  std::deque<Posted> overflow_;  // what the completion queue had no room for
  ChainKeeper chains_;
  std::shared_ptr<bool> alive_;  // for events that outlive this
  std::vector<int> to_progress_;
  bool progressing_ = false;
  std::vector<int> unsettled_sends_;  // descriptors
  std::uint64_t next_number_ = 1;
  std::uint64_t entries_ = 0;
  bool settled_ = true;
};

}  // namespace weft::ksvc
