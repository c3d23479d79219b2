// CompositeIoUring<options>: the IoBackend on one io_uring, entered once per turn of the loop, with
// any combination of what else the kernel offers.
//
// Options are settled when the program is compiled and cost nothing where they are off; SQPOLL can
// also be asked for when the ring is made (BackendOptions), for a look per turn. Without
// SQPOLL the ring is set up with SINGLE_ISSUER and DEFER_TASKRUN: completions are made only while
// the owner is inside submit_and_wait(), so nothing interrupts handlers, and a turn's work arrives
// as one batch. With SQPOLL a thread of the kernel's takes what is submitted, the owner enters the
// kernel only to wait or to wake that thread, and settled() comes when the thread has done its
// part. With fixed files accepted sockets are slots of the ring's table (made_by_backend()), beside
// which ordinary descriptors work on; what accept without waiting takes is ordinary. An accept that
// finds the table full ends with -ENFILE, and the kernel closes the connection it had taken. A
// Close with reset within a chain is submitted by the drain that sees what is before it succeed, so
// it takes effect a turn later, and what is linked behind it does not wait for it. One owner.
#pragma once

#include <memory>
#include <type_traits>

#include "ksvc/backend/socket_calls.hpp"
#include "ksvc/backend/system_call_entry.hpp"
#include "ksvc/backend/uring_core.hpp"
#include "ksvc/backend/uring_entry.hpp"
#include "ksvc/backend/uring_options.hpp"
#include "ksvc/buffers/registered_buffers.hpp"
#include "ksvc/core/assert.hpp"
#include "ksvc/core/io_backend.hpp"
#include "weft/result.hpp"

namespace weft::ksvc {

// Stays armed after a completion, so nothing can come after it and no deadline ends it.
template <class Op>
inline constexpr bool kStaysArmed = std::is_same_v<Op, Receive> || std::is_same_v<Op, PollReadable>;

// It comes to its end beside the ring, which cannot wait for that.
template <class Op>
inline constexpr bool kMayBeLinked = !kStaysArmed<Op> && !std::is_same_v<Op, SendFile>;

template <class Op>
concept HasUringEntry = std::is_same_v<Op, Receive> ||
                        requires(io_uring_sqe& entry, const Op& op) { fill_entry(entry, op); };

template <UringOptions options>
class CompositeIoUring {
 public:
  using Buffers = ProvidedBufferRing;
  static constexpr UringOptions kOptions = options;

  static Result<std::unique_ptr<CompositeIoUring>> create(const BackendOptions& backend_options);

  template <HasUringEntry Op>
  void submit(const Op& op, CorrelationId corr_id) {
    if constexpr (kDoneAtOnce<Op>) {
      if (!core_.chain_open() && done_at_once(op, corr_id)) return;
    }
    if constexpr (kWatched<Op>) core_.reserve_tracked();
    place(*core_.next_entry(corr_id), op, corr_id);
  }
  void submit(const RefuseConnections& op, CorrelationId) { refuse_new_connections(op.fd); }

  template <class Op>
    requires(kMayBeLinked<Op>)
  void submit(const Linked<Op>& linked, CorrelationId corr_id) {
    core_.reserve_tracked();
    io_uring_sqe& entry = *core_.chain_entry(corr_id);
    place_in_chain(entry, linked.op, corr_id);
    entry.flags |= IOSQE_IO_LINK;
  }
  template <class Op>
    requires(!kStaysArmed<Op>)
  void submit(const Timed<Op>& timed, CorrelationId corr_id) {
    if (timed.deadline == kNoDeadline) return submit(timed.op, corr_id);
    place_timed(timed, corr_id, false);
  }
  template <class Op>
    requires(kMayBeLinked<Op>)
  void submit(const Linked<Timed<Op>>& linked, CorrelationId corr_id) {
    if (linked.op.deadline == kNoDeadline) return submit(Linked<Op>{linked.op.op}, corr_id);
    place_timed(linked.op, corr_id, true);
  }

  // Whether the operation can express the arguments. Whether the kernel has it is the router's
  // knowledge.
  static bool performs(const SystemCall& call) { return expressible(call); }

  void submit_and_wait(unsigned at_least, TimePoint deadline) {
    if (options.sqpoll || core_.is_polled()) {
      core_.submit_and_wait_polled(at_least, deadline);
    } else {
      core_.submit_and_wait(at_least, deadline);
    }
  }
  template <CompletionSink Sink>
  unsigned drain(Sink& sink) {
    return core_.drain(sink);
  }

  bool settled() const noexcept { return core_.settled(); }
  Buffers& buffers() noexcept { return core_.buffers(); }
  // Memory for which ReadAt, WriteAt and SendZeroCopy have a cheaper form.
  RegisteredBuffers& registered_buffers() noexcept
    requires(options.fixed_buffers)
  {
    return registered_;
  }
  int ring_fd() const noexcept { return core_.ring()->ring_fd; }
  static const char* name() noexcept { return kName.text.data(); }

 private:
  struct Nothing {
    explicit Nothing(const BufferOptions&) {}
  };
  using Registered = std::conditional_t<options.fixed_buffers, RegisteredBuffers, Nothing>;
  using Kind = UringTracked::Kind;
  static constexpr UringName kName{options};
  // Operations that may be carried out when submitted, unless they have to wait for others.
  template <class Op>
  static constexpr bool kDoneAtOnce =
      std::is_same_v<Op, Accept> || std::is_same_v<Op, Shutdown> || std::is_same_v<Op, Close>;

  explicit CompositeIoUring(const BackendOptions& backend_options)
      : registered_(backend_options.registered_buffers), core_(backend_options.buffers) {}

  bool done_at_once(const Accept& op, CorrelationId corr_id);
  bool done_at_once(const Shutdown& op, CorrelationId corr_id);
  bool done_at_once(const Close& op, CorrelationId corr_id);
  // Operations that may have a completion which the core looks at first.
  template <class Op>
  static constexpr bool kWatched =
      std::is_same_v<Op, SystemCall> || std::is_same_v<Op, SendFile> ||
      (std::is_same_v<Op, Accept> && (options.fixed_files || !options.multishot_accept)) ||
      (std::is_same_v<Op, Shutdown> && options.fixed_files) ||
      (std::is_same_v<Op, SendZeroCopy> && options.zero_copy_send) || std::is_same_v<Op, Close>;

  // What most operations need: an entry that is filled.
  template <class Op>
  void place(io_uring_sqe& entry, const Op& op, CorrelationId) {
    fill_entry(entry, op);
    name_slot(entry);
    if constexpr (std::is_same_v<Op, ReadAt>) use_fixed(entry, IORING_OP_READ_FIXED);
    if constexpr (std::is_same_v<Op, WriteAt>) use_fixed(entry, IORING_OP_WRITE_FIXED);
  }
  void place(io_uring_sqe& entry, const Receive& op, CorrelationId) {
    fill_entry(entry, op, Buffers::kGroup);
    name_slot(entry);
  }
  void place(io_uring_sqe& entry, const Accept& op, CorrelationId corr_id);
  void place(io_uring_sqe& entry, const SendZeroCopy& op, CorrelationId corr_id) {
    place_zero_copy(entry, op, corr_id);
  }
  UringTracked* place_zero_copy(io_uring_sqe& entry, const SendZeroCopy& op, CorrelationId corr_id);
  UringTracked& place(io_uring_sqe& entry, const SendFile& op, CorrelationId corr_id);
  static void place_copying(io_uring_sqe& entry, const SendZeroCopy& op) {
    fill_entry(entry, op);
    name_slot(entry);
  }
  void place(io_uring_sqe& entry, const Shutdown& op, CorrelationId corr_id);
  void place(io_uring_sqe& entry, const Cancel& op, CorrelationId corr_id);
  void place(io_uring_sqe& entry, const Close& op, CorrelationId corr_id);
  void place(io_uring_sqe& entry, const SystemCall& op, CorrelationId corr_id);

  template <class Op>
  void place_in_chain(io_uring_sqe& entry, const Op& op, CorrelationId corr_id);
  template <class Op>
  void place_timed(const Timed<Op>& timed, CorrelationId corr_id, bool linked);

  static void name_slot(io_uring_sqe& entry) noexcept {
    if constexpr (options.fixed_files) use_own_table(entry);
  }
  // The form of the operation for memory that is registered, if it is.
  bool use_fixed([[maybe_unused]] io_uring_sqe& entry,
                 [[maybe_unused]] std::uint8_t opcode) noexcept {
    if constexpr (options.fixed_buffers) {
      const auto* data = reinterpret_cast<const void*>(entry.addr);
      if (const auto index = registered_.index_of(data, entry.len)) {
        entry.opcode = opcode;
        entry.buf_index = *index;
        return true;
      }
    }
    return false;
  }

  // Outlives the ring, which has it pinned.
  [[no_unique_address]] Registered registered_;
  UringCore core_;
  bool sends_zero_copy_ = false;
};

}  // namespace weft::ksvc

#include "ksvc/backend/composite_io_uring_impl.hpp"
