// The member functions of ReactorLoop.
#pragma once

#include <algorithm>

#include "ksvc/reactor/reactor_loop.hpp"

namespace weft::ksvc {

template <IoBackend Backend>
void ReactorLoop<Backend>::run() {
  watch_door();
  while (!stopping_) {
    const bool took = take_requests();
    const bool served = serve_starved();
    const bool idle = !took && !served && backend_.settled() && starved_.empty() &&
                      door_.gate().may_sleep([this] { return has_work(); });
    backend_.submit_and_wait(idle ? 1 : 0, kNoDeadline);
    if (idle) door_.gate().awake();
    backend_.drain(*this);
    show_news();
  }
}

// Asked once the sleep is announced: whoever rang before that is not going to ring again.
template <IoBackend Backend>
bool ReactorLoop<Backend>::has_work() noexcept {
  if (!door_.queue().empty()) return true;
  for (std::size_t i = 0; i < clients_end_; ++i) {
    if (clients_[i].shared != nullptr && clients_[i].shared->replies.can_go_on()) return true;
  }
  return false;
}

template <IoBackend Backend>
bool ReactorLoop<Backend>::take_requests() {
  ReactorRequest request;
  // Not more than there may be at a time, so that who submits without end does not hold it up.
  std::size_t left = door_.queue().capacity();
  const std::size_t most = left;
  while (left != 0 && door_.queue().pop(request)) {
    carry_out(request);
    --left;
  }
  return left != most;
}

template <IoBackend Backend>
void ReactorLoop<Backend>::carry_out(const ReactorRequest& request) {
  std::vector<ReactorRequest>& chain = clients_[request.tag.client].chain;
  if (!request.tag.linked && chain.empty()) [[likely]]
    return start(request);
  chain.push_back(request);
  if (request.tag.linked) return;
  for (const ReactorRequest& one : chain) start(one);
  chain.clear();
}

template <IoBackend Backend>
void ReactorLoop<Backend>::start(const ReactorRequest& request) {
  ++clients_[request.tag.client].done;
  std::visit([&](const auto& op) { start(op, request); }, request.operation);
}

template <IoBackend Backend>
template <class Op>
void ReactorLoop<Backend>::start(const Op& op, const ReactorRequest& request) {
  note_receive(request.tag, kNoReceive);
  submit(op, request);
}

template <IoBackend Backend>
template <class Op>
void ReactorLoop<Backend>::submit(const Op& op, const ReactorRequest& request) {
  const CorrelationId id = request.tag.id();
  const bool timed = request.deadline != kNoDeadline;
  if constexpr (Submits<Backend, Linked<Op>> && Submits<Backend, Timed<Op>>) {
    if (timed && request.tag.linked) {
      return backend_.submit(Linked<Timed<Op>>{{op, request.deadline}}, id);
    }
    if (request.tag.linked) return backend_.submit(Linked<Op>{op}, id);
  }
  if constexpr (Submits<Backend, Timed<Op>>) {
    if (timed) return backend_.submit(Timed<Op>{op, request.deadline}, id);
  }
  if constexpr (Submits<Backend, Op>) backend_.submit(op, id);
}

template <IoBackend Backend>
void ReactorLoop<Backend>::start(const Receive& op, const ReactorRequest& request) {
  note_receive(request.tag, op.fd);
  submit(op, request);
}

template <IoBackend Backend>
void ReactorLoop<Backend>::start(const Cancel& op, const ReactorRequest& request) {
  // One that has ended already, but not been told of, is not to begin again.
  for (std::size_t i = 0; i < starved_.size(); ++i) {
    if (starved_[i].id != op.target) continue;
    tell({op.target, -ENOBUFS, false, {}});
    starved_[i] = starved_.back();
    starved_.pop_back();
    break;
  }
  note_receive(request.tag, kNoReceive);
  submit(op, request);
}

template <IoBackend Backend>
void ReactorLoop<Backend>::start(const SystemCallAt& op, const ReactorRequest& request) {
  note_receive(request.tag, kNoReceive);
  submit(*op.call, request);
}

template <IoBackend Backend>
void ReactorLoop<Backend>::start(const ReleaseBlock& op, const ReactorRequest& request) {
  BufferLease lease = op.lease;
  backend_.buffers().release(lease);
  --clients_[request.tag.client].lent;
}

template <IoBackend Backend>
void ReactorLoop<Backend>::start(const DetachBlock& op, const ReactorRequest& request) {
  BufferLease lease = op.lease;
  backend_.buffers().detach(lease);
  detached_[lease.data] = lease;
  --clients_[request.tag.client].lent;
}

template <IoBackend Backend>
void ReactorLoop<Backend>::start(const ReleaseDetached& op, const ReactorRequest&) {
  const auto found = detached_.find(op.data);
  WEFT_ASSERT(found != detached_.end());
  backend_.buffers().release(found->second);
  detached_.erase(found);
}

template <IoBackend Backend>
void ReactorLoop<Backend>::start(const JoinReactor& op, const ReactorRequest& request) {
  Client& client = clients_[request.tag.client];
  client = {};
  client.shared = op.client->shared_from_this();
  clients_end_ = std::max<std::size_t>(clients_end_, request.tag.client + 1U);
}

template <IoBackend Backend>
void ReactorLoop<Backend>::start(const LeaveReactor&, const ReactorRequest& request) {
  Client& client = clients_[request.tag.client];
  WEFT_ASSERT(client.lent == 0 && client.chain.empty());
  // It may be gone as soon as it knows, but for what we hold of it.
  const std::shared_ptr<ReactorClient> leaving = std::move(client.shared);
  client = {};
  leaving->left.store(true, std::memory_order_seq_cst);
  leaving->sleep.wake();
}

template <IoBackend Backend>
void ReactorLoop<Backend>::start(const StopReactor&, const ReactorRequest&) {
  stopping_ = true;
}

template <IoBackend Backend>
void ReactorLoop<Backend>::note_receive(const ReactorTag& tag, int fd) {
  if (tag.slot == ReactorTag::kNoSlot) return;
  std::vector<int>& receives = clients_[tag.client].receives;
  if (tag.slot >= receives.size()) {
    if (fd == kNoReceive) return;
    receives.resize(std::max<std::size_t>(tag.slot + 1U, 2 * receives.size()), kNoReceive);
  }
  receives[tag.slot] = fd;
}

template <IoBackend Backend>
int ReactorLoop<Backend>::receive_of(const ReactorTag& tag) const noexcept {
  const std::vector<int>& receives = clients_[tag.client].receives;
  return tag.slot < receives.size() ? receives[tag.slot] : kNoReceive;
}

template <IoBackend Backend>
void ReactorLoop<Backend>::complete(const Completion& completion) noexcept {
  if (completion.corr_id == kReactorWakeId) {
    door_.gate().notifier().acknowledge();
    if (!completion.more) watch_door();
    return;
  }
  if (completion.result == -ENOBUFS && !completion.more) [[unlikely]] {
    const int fd = receive_of(ReactorTag::of(completion.corr_id));
    if (fd != kNoReceive) return starved_.push_back({completion.corr_id, fd});
  }
  tell(completion);
}

template <IoBackend Backend>
void ReactorLoop<Backend>::tell(const Completion& completion) {
  Client& client = clients_[ReactorTag::of(completion.corr_id).client];
  if (completion.lease) ++client.lent;
  client.shared->replies.put(completion);
}

// Requests that have come meanwhile may have brought blocks back. True when there was something to
// do, or to tell.
template <IoBackend Backend>
bool ReactorLoop<Backend>::serve_starved() {
  if (starved_.empty()) [[likely]]
    return false;
  const bool there_are_blocks = backend_.buffers().available() > 0;
  for (const Starved& one : starved_) {
    if (there_are_blocks) {
      backend_.submit(Receive{one.fd}, one.id);
    } else {
      tell({one.id, -ENOBUFS, false, {}});
    }
  }
  starved_.clear();
  return true;
}

template <IoBackend Backend>
void ReactorLoop<Backend>::show_news() {
  const bool settled = backend_.settled();
  door_.set_lent(static_cast<std::uint32_t>(backend_.buffers().lent()));
  for (std::size_t i = 0; i < clients_end_; ++i) {
    Client& client = clients_[i];
    if (client.shared == nullptr) continue;
    client.shared->lent.store(client.lent, std::memory_order_relaxed);
    if (settled) client.shared->replies.settle(client.done);
    const ReplyChannel::News news = client.shared->replies.publish();
    if (news.completions) {
      client.shared->sleep.wake(SleepsFor::completions);
    } else if (news.mark) {
      client.shared->sleep.wake(SleepsFor::any_news);
    }
  }
}

}  // namespace weft::ksvc
