#include "ksvc/backend/chain_keeper.hpp"

#include <algorithm>
#include <utility>

namespace weft::ksvc {

namespace {
template <class Op>
concept CountsBytes =
    std::is_same_v<Op, Send> || std::is_same_v<Op, SendNow> || std::is_same_v<Op, SendZeroCopy> ||
    std::is_same_v<Op, SendFile> || std::is_same_v<Op, ReadAt> || std::is_same_v<Op, WriteAt>;

bool may_stay_armed(const ChainedOperation& operation) noexcept {
  const auto* accept = std::get_if<Accept>(&operation);
  return std::holds_alternative<Receive>(operation) ||
         std::holds_alternative<PollReadable>(operation) ||
         (accept != nullptr && accept->multishot);
}

// So that timers of operations that have long ended never outnumber the others by much.
constexpr std::size_t kStaleTimers = 64;

constexpr auto kLater = [](const auto& one, const auto& other) noexcept {
  return one.deadline > other.deadline;
};
}  // namespace

bool succeeded_in_full(const ChainedOperation& operation, std::int32_t result) noexcept {
  return std::visit(
      [result]<class Op>(const Op& op) {
        if constexpr (CountsBytes<Op>) {
          return result >= 0 && static_cast<std::uint32_t>(result) == op.size;
        } else {
          return result >= 0;
        }
      },
      operation);
}

bool is_told(const ChainedOperation& operation, std::int32_t result) noexcept {
  if (std::holds_alternative<Close>(operation)) return false;
  return !std::holds_alternative<SendNow>(operation) || !succeeded_in_full(operation, result);
}

int descriptor_of(const ChainedOperation& operation) noexcept {
  return std::visit(
      []<class Op>(const Op& op) {
        if constexpr (std::is_same_v<Op, Nop>) {
          return -1;
        } else {
          return op.fd;
        }
      },
      operation);
}

std::uint32_t ChainKeeper::make_node() {
  if (unused_ == kNone) {
    WEFT_ASSERT(nodes_.size() < kIndexMask);
    nodes_.emplace_back();
    unused_ = static_cast<std::uint32_t>(nodes_.size() - 1);
  }
  const std::uint32_t index = unused_;
  unused_ = nodes_[index].next;
  nodes_[index].next = kNone;
  ++kept_;
  return index;
}

void ChainKeeper::end_node(std::uint32_t index) noexcept {
  Node& node = nodes_[index];
  if (node.armed) --armed_;
  node.armed = false;
  node.state = State::unused;
  node.generation = (node.generation + 1) & kGenerationMask;
  node.next = unused_;
  unused_ = index;
  --kept_;
}

void ChainKeeper::add(const ChainedOperation& operation, CorrelationId corr_id, Terms terms) {
  WEFT_ASSERT(!open_ || !std::holds_alternative<SendNow>(operation));
  WEFT_ASSERT(!may_stay_armed(operation) || (!terms.linked && terms.deadline == kNoDeadline));
  const std::uint32_t index = make_node();
  Node& node = nodes_[index];
  node.operation = operation;
  node.corr_id = corr_id;
  node.deadline = terms.deadline;
  node.state = State::held;
  const bool cut = open_ && tail_ == kNone && !tail_succeeded_;
  if (open_ && tail_ != kNone) {
    nodes_[tail_].next = index;
  } else {
    make_ready(index, !cut);
  }
  if (!cut) tail_ = index;
  open_ = terms.linked;
}

void ChainKeeper::make_ready(std::uint32_t index, bool go_on) {
  nodes_[index].state = go_on ? State::ready : State::cut;
  ready_.push_back(index);
}

// What stands behind the operation starts or is cut, and is no longer behind it.
void ChainKeeper::decide(std::uint32_t index, bool success) {
  nodes_[index].state = State::decided;
  if (tail_ == index) {
    tail_ = kNone;
    tail_succeeded_ = success;
  }
  std::uint32_t next = std::exchange(nodes_[index].next, kNone);
  if (success) {
    if (next != kNone) make_ready(next, true);
    return;
  }
  while (next != kNone) {
    if (tail_ == next) {
      tail_ = kNone;
      tail_succeeded_ = false;
    }
    make_ready(next, false);
    next = std::exchange(nodes_[next].next, kNone);
  }
}

bool ChainKeeper::ended(Completion& completion) {
  const std::uint32_t index = index_of(completion.corr_id);
  Node& node = nodes_[index];
  WEFT_ASSERT(own_id(index) == completion.corr_id);
  WEFT_ASSERT(node.state == State::running || node.state == State::decided);
  completion.corr_id = node.corr_id;
  const bool told = is_told(node.operation, completion.result);
  if (node.state == State::running) {
    decide(index, succeeded_in_full(node.operation, completion.result));
  }
  if (!completion.more) end_node(index);
  return told;
}

std::uint32_t ChainKeeper::take_ready() noexcept {
  if (next_ready_ == ready_.size()) {
    ready_.clear();
    next_ready_ = 0;
    return kNone;
  }
  return ready_[next_ready_++];
}

void ChainKeeper::arm(std::uint32_t index) {
  if (timers_.size() > 2 * armed_ + kStaleTimers) {
    std::erase_if(timers_, [&](const Timer& timer) { return !is_running(timer.own_id); });
    std::make_heap(timers_.begin(), timers_.end(), kLater);
  }
  nodes_[index].armed = true;
  ++armed_;
  timers_.push_back({nodes_[index].deadline, own_id(index)});
  std::push_heap(timers_.begin(), timers_.end(), kLater);
}

void ChainKeeper::drop_timer() noexcept {
  const CorrelationId id = timers_.front().own_id;
  if (is_running(id) && nodes_[index_of(id)].armed) {
    nodes_[index_of(id)].armed = false;
    --armed_;
  }
  std::pop_heap(timers_.begin(), timers_.end(), kLater);
  timers_.pop_back();
}

TimePoint ChainKeeper::next_deadline() noexcept {
  while (!timers_.empty() && !is_running(timers_.front().own_id)) drop_timer();
  return timers_.empty() ? kNoDeadline : timers_.front().deadline;
}

}  // namespace weft::ksvc
