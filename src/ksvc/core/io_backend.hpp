// IoBackend: takes typed operations, enters the kernel once per turn, hands completions to a sink.
//
// Contract.
// - One owner thread makes, uses and destroys a backend; nothing here is thread-safe.
// - submit(op, corr_id) never fails and never blocks: what the queue cannot take waits in order.
//   Every operation but Close and a wholly successful SendNow completes with its corr_id, at least
//   once and finally with `more` false; failures arrive as completions too.
// - submit_and_wait(at_least, deadline) hands the kernel all that was submitted, then waits until
//   that many completions can be drained or the deadline is past. Interruptions end it early.
// - drain(sink) passes on the completions that are there, and returns their number.
// - settled(), asked after drain(): the kernel has taken all that was submitted before the last
//   submit_and_wait(), and all that it had to tell about it then was drained; memory that was given
//   to SendNow before may be used again.
// - A descriptor that has seen an operation is closed by Close, not by close(): a back end may
//   remember it. When Close takes effect is up to the kernel; the descriptor is the kernel's at
//   once.
// - Correlation ids from 0xFFFF'0000'0000'0000 up to the last but 2^32 are the back end's own, and
//   zero is for what nobody waits for.
// - Cancelling is asking: the target's memory stays the kernel's until its final completion.
// - A chain (Linked) is submitted in one go, with no submit_and_wait() and no RefuseConnections
//   within. What of it has not started is not found by a Cancel; to cancel what runs cuts the rest.
//   A Close that is cut does not close and does not say so. A SendNow may begin a chain but not
//   follow in one, for nobody could say when its memory is free again.
// - A deadline (Timed) is looked at once the operation has started: what can be done at once is
//   done, late or not. Linked<Timed<Op>> is both.
#pragma once

#include <chrono>
#include <concepts>

#include "ksvc/core/buffer_provider.hpp"
#include "ksvc/core/clock.hpp"
#include "ksvc/core/completion_sink.hpp"
#include "ksvc/core/operation.hpp"

namespace weft::ksvc {

struct BackendOptions {
  unsigned submission_entries = 1024;
  unsigned completion_entries = 8192;
  BufferOptions buffers;
  // For the back ends that have such things.
  unsigned direct_descriptors = 16384;              // at most as many as files may be open
  BufferOptions registered_buffers{64, 16 * 1024};  // pinned memory
  bool sqpoll = false;                              // also of a type that is not made for it
  std::chrono::milliseconds sqpoll_idle{10};        // how long the kernel's thread looks for work
};

// The smallest sink there is; concepts are checked against it.
struct NullSink {
  void complete(const Completion&) noexcept {}
};
static_assert(CompletionSink<NullSink>);

template <class B, class Op>
concept Submits = requires(B& backend, const Op& op, CorrelationId corr_id) {
  { backend.submit(op, corr_id) } -> std::same_as<void>;
};

template <class B>
concept IoBackend =
    Submits<B, Nop> && Submits<B, Accept> && Submits<B, RefuseConnections> && Submits<B, Receive> &&
    Submits<B, ReceiveInto> && Submits<B, Send> && Submits<B, SendNow> &&
    Submits<B, SendZeroCopy> && Submits<B, SendFile> && Submits<B, Connect> &&
    Submits<B, Shutdown> && Submits<B, ReadAt> && Submits<B, WriteAt> && Submits<B, PollReadable> &&
    Submits<B, Cancel> && Submits<B, Close> && Submits<B, Linked<Send>> &&
    Submits<B, Timed<ReceiveInto>> && Submits<B, Timed<SendFile>> &&
    Submits<B, Linked<Timed<Send>>> &&
    requires(B& backend, const B& constant, NullSink& sink, TimePoint deadline) {
      { backend.submit_and_wait(1U, deadline) } -> std::same_as<void>;
      { backend.drain(sink) } -> std::same_as<unsigned>;
      { constant.settled() } -> std::same_as<bool>;
      { B::name() } -> std::convertible_to<const char*>;
      requires BufferProvider<typename B::Buffers>;
      { backend.buffers() } -> std::same_as<typename B::Buffers&>;
    };

}  // namespace weft::ksvc
