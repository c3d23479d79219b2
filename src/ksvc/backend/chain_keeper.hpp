// ChainKeeper: links and deadlines of operations, for back ends whose kernel offers neither.
//
// How a back end uses it. An operation that is linked or timed, or that is submitted while the
// keeper is open(), goes to add(). advance() then starts what may be started, each under an id of
// the keeper's own, and delivers the -ECANCELED of what was cut. Whatever the back end has to tell
// under such an id passes through ended() first, a success that has no completion of its own
// included. As ended() may leave more to start, advance() comes after it, not within it.
//
// - An operation starts when its predecessor has succeeded in full. Otherwise it and all behind it
//   complete with -ECANCELED, in order, after the completion of the one that failed.
// - A deadline is looked at only once its operation has started: what can be done at once is done,
//   late or not, and what has to wait is cancelled.
// - What is held has not been started, so a Cancel does not find it; cancelling the operation that
//   runs cuts the rest.
// - A Close is never told of, cut or not; a SendNow only when not every byte went out.
// - A SendNow may begin a chain but not follow in one, since nobody could say when its memory is
//   free again.
// It knows no clock, no kernel and no memory but its own. One thread.
#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "ksvc/core/assert.hpp"
#include "ksvc/core/completion.hpp"
#include "ksvc/core/operation.hpp"

namespace weft::ksvc {

using ChainedOperation =
    std::variant<Nop, Accept, Receive, ReceiveInto, Send, SendNow, SendZeroCopy, Connect, Shutdown,
                 ReadAt, WriteAt, PollReadable, Cancel, Close, SendFile>;

template <class Op>
concept Chainable = std::is_constructible_v<ChainedOperation, std::in_place_type_t<Op>, const Op&>;

// What may be linked or timed: an operation that does not stay armed.
template <class Op>
concept OneShot =
    Chainable<Op> && !std::is_same_v<Op, Receive> && !std::is_same_v<Op, PollReadable>;

// What another may stand behind: SendFile ends a chain.
template <class Op>
concept LinkedOp = OneShot<Op> && !std::is_same_v<Op, SendFile>;

// Every byte that was asked for where bytes are sent or a file is read or written; anything but an
// error elsewhere.
bool succeeded_in_full(const ChainedOperation& operation, std::int32_t result) noexcept;

class ChainKeeper {
 public:
  struct Terms {
    bool linked = false;
    TimePoint deadline = kNoDeadline;
  };

  // The keeper's own ids; no pointer and no small number is among them.
  static constexpr CorrelationId kFirstOwnId = 0xFFFF'0000'0000'0000;
  static constexpr CorrelationId kOwnIds = CorrelationId{1} << 47;
  static constexpr bool is_own(CorrelationId id) noexcept { return id - kFirstOwnId < kOwnIds; }

  // The next operation belongs to the chain of the last one.
  bool open() const noexcept { return open_; }
  // Nothing is kept: none of the calls below has anything to do.
  bool idle() const noexcept { return kept_ == 0; }

  void add(const ChainedOperation& operation, CorrelationId corr_id, Terms terms);

  // Calls start(operation, own_id) and deliver(completion), neither of which may call add().
  template <class Start, class Deliver>
  void advance(Start start, Deliver deliver);

  // Takes note of a completion under an own id and puts the owner's id into it; false when the
  // owner is not to be told. The first completion of an operation decides about those behind it,
  // the final one ends its own id.
  [[nodiscard]] bool ended(Completion& completion);

  // The id that the operation was submitted under, for a Cancel to look for.
  CorrelationId owner_id(CorrelationId id) const noexcept {
    return is_own(id) ? nodes_[index_of(id)].corr_id : id;
  }

  // When cancel_late() is to be called next.
  TimePoint next_deadline() noexcept;
  // Calls cancel(fd, own_id), once, for each operation that is running past its deadline.
  template <class Cancel>
  void cancel_late(TimePoint now, Cancel cancel);

 private:
  static constexpr std::uint32_t kNone = 0xFFFF'FFFF;
  static constexpr unsigned kIndexBits = 24;
  static constexpr std::uint32_t kIndexMask = (1U << kIndexBits) - 1;
  static constexpr std::uint32_t kGenerationMask = (kOwnIds >> kIndexBits) - 1;

  enum class State : std::uint8_t { unused, held, ready, cut, running, decided };

  struct Node {
    ChainedOperation operation;
    CorrelationId corr_id = 0;
    TimePoint deadline;
    std::uint32_t next = kNone;  // the one behind it, or the next unused one
    std::uint32_t generation = 0;
    State state = State::unused;
    bool armed = false;  // stands in timers_
  };

  struct Timer {
    TimePoint deadline;
    CorrelationId own_id;
  };

  static std::uint32_t index_of(CorrelationId own_id) noexcept {
    return static_cast<std::uint32_t>(own_id) & kIndexMask;
  }
  CorrelationId own_id(std::uint32_t index) const noexcept {
    return kFirstOwnId | CorrelationId{nodes_[index].generation} << kIndexBits | index;
  }
  bool is_running(CorrelationId id) const noexcept {
    const std::uint32_t index = index_of(id);
    return nodes_[index].state == State::running && own_id(index) == id;
  }

  std::uint32_t make_node();
  void end_node(std::uint32_t index) noexcept;
  void make_ready(std::uint32_t index, bool go_on);
  void decide(std::uint32_t index, bool success);
  std::uint32_t take_ready() noexcept;
  void arm(std::uint32_t index);
  void drop_timer() noexcept;

  std::vector<Node> nodes_;
  std::uint32_t unused_ = kNone;
  std::size_t kept_ = 0;
  std::vector<std::uint32_t> ready_;  // to be started or told of, from next_ready_ on
  std::size_t next_ready_ = 0;
  std::vector<Timer> timers_;  // a heap, the earliest first; may name operations that have ended
  std::size_t armed_ = 0;
  // The end of the open chain: the node, or when there is none, how its last operation ended.
  std::uint32_t tail_ = kNone;
  bool tail_succeeded_ = true;
  bool open_ = false;
};

// Whether the owner hears of this result at all.
bool is_told(const ChainedOperation& operation, std::int32_t result) noexcept;
// -1 where the operation has no descriptor.
int descriptor_of(const ChainedOperation& operation) noexcept;

template <class Start, class Deliver>
void ChainKeeper::advance(Start start, Deliver deliver) {
  for (std::uint32_t index = take_ready(); index != kNone; index = take_ready()) {
    Node& node = nodes_[index];
    const ChainedOperation operation = node.operation;  // start() may end the node
    const CorrelationId id = own_id(index);
    if (node.state == State::cut) {
      const Completion completion{node.corr_id, -ECANCELED, false, {}};
      end_node(index);
      if (is_told(operation, -ECANCELED)) deliver(completion);
      continue;
    }
    node.state = State::running;
    std::visit([&](const auto& op) { start(op, id); }, operation);
    if (is_running(id) && node.deadline != kNoDeadline) arm(index);
  }
}

template <class Cancel>
void ChainKeeper::cancel_late(TimePoint now, Cancel cancel) {
  while (next_deadline() <= now && !timers_.empty()) {
    const CorrelationId id = timers_.front().own_id;
    drop_timer();
    cancel(descriptor_of(nodes_[index_of(id)].operation), id);
  }
}

}  // namespace weft::ksvc
