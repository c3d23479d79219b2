// How SimBackend carries out each operation.
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "ksvc/sim/sim_backend.hpp"

namespace weft::ksvc {

namespace {
constexpr std::uint64_t kLongCancel_ns = 500'000;
constexpr std::uint64_t kLongNotice_ns = 50'000'000;
}  // namespace

void SimBackend::start(const Nop&, CorrelationId corr_id, std::uint64_t number) {
  end_at_once(corr_id, number, 0);
}

void SimBackend::submit(const RefuseConnections& op, CorrelationId) {
  world_.note("refuse", static_cast<std::uint64_t>(op.fd));
  SimDescriptor& entry = world_.descriptor(op.fd);
  if (entry.listener != nullptr) entry.listener->refusing = true;
}

void SimBackend::start(const SendNow& op, CorrelationId corr_id, std::uint64_t number) {
  check_lent(number);
  lent_.erase(number);
  if (!made_by_backend(op.fd)) return end_at_once(corr_id, 0, -EBADF);
  SimDescriptor& entry = world_.descriptor(op.fd);
  if (entry.endpoint == nullptr) return end_at_once(corr_id, 0, -ENOTSOCK);
  if (world_.strikes(world_.options().faults.error)) {
    mark_faulted(op.fd);
    return end_at_once(corr_id, 0, any_error(op));
  }
  std::size_t size = op.size;
  if (world_.strikes(world_.options().faults.short_write)) size = world_.random().below(size + 1);
  const auto sent = wire_.send(*entry.endpoint, static_cast<const char*>(op.data), size);
  if (sent == static_cast<std::int64_t>(op.size)) return;
  end_at_once(corr_id, 0, sent == 0 ? -EAGAIN : static_cast<std::int32_t>(sent));
}

void SimBackend::start(const Connect& op, CorrelationId corr_id, std::uint64_t number) {
  if (!made_by_backend(op.fd)) return end_at_once(corr_id, number, -EBADF);
  const SimDescriptor& entry = world_.descriptor(op.fd);
  if (entry.endpoint == nullptr) return end_at_once(corr_id, number, -ENOTSOCK);
  if (entry.endpoint->connected) return end_at_once(corr_id, number, -EISCONN);
  sockaddr_in address{};
  std::memcpy(&address, op.address, std::min<std::size_t>(op.size, sizeof address));
  operations_[number] = {number, corr_id, op, op.fd};
  world_.connect(entry.endpoint, ntohs(address.sin_port),
                 [this, alive = alive_, number](int os_errno) {
                   if (!*alive) return;
                   const auto found = operations_.find(number);
                   if (found != operations_.end()) end(found->second, -os_errno);
                 });
}

void SimBackend::start(const Shutdown& op, CorrelationId corr_id, std::uint64_t number) {
  if (!made_by_backend(op.fd)) return end_at_once(corr_id, number, -EBADF);
  SimDescriptor& entry = world_.descriptor(op.fd);
  if (entry.endpoint == nullptr || !entry.endpoint->connected || entry.endpoint->broken) {
    return end_at_once(corr_id, number, -ENOTCONN);
  }
  if (op.how == SHUT_WR || op.how == SHUT_RDWR) wire_.shut_write(*entry.endpoint);
  if (op.how == SHUT_RD || op.how == SHUT_RDWR) wire_.shut_read(*entry.endpoint);
  end_at_once(corr_id, number, 0);
  progress(op.fd);
}

void SimBackend::start(const ReadAt& op, CorrelationId corr_id, std::uint64_t number) {
  if (!made_by_backend(op.fd)) return end_at_once(corr_id, number, -EBADF);
  const SimDescriptor& entry = world_.descriptor(op.fd);
  if (entry.file == nullptr) return end_at_once(corr_id, number, -ESPIPE);
  if (world_.strikes(world_.options().faults.error)) {
    return end_at_once(corr_id, number, any_error(op));
  }
  std::string bytes;
  if (op.offset < entry.file->size()) bytes = entry.file->substr(op.offset, op.size);
  if (bytes.size() > 1 && world_.strikes(world_.options().faults.short_read)) {
    bytes.resize(world_.random().between(1, bytes.size()));
  }
  const auto size = static_cast<std::int32_t>(bytes.size());
  end_at_once(corr_id, number, size, std::move(bytes), op.data);
}

void SimBackend::start(const WriteAt& op, CorrelationId corr_id, std::uint64_t number) {
  if (!made_by_backend(op.fd)) return end_at_once(corr_id, number, -EBADF);
  SimDescriptor& entry = world_.descriptor(op.fd);
  if (entry.file == nullptr) return end_at_once(corr_id, number, -ESPIPE);
  if (world_.strikes(world_.options().faults.error)) {
    return end_at_once(corr_id, number, any_error(op));
  }
  std::size_t size = op.size;
  if (size > 1 && world_.strikes(world_.options().faults.short_write)) {
    size = world_.random().between(1, size);
  }
  if (entry.file->size() < op.offset + size) entry.file->resize(op.offset + size, '\0');
  std::copy_n(static_cast<const char*>(op.data), size,
              entry.file->begin() + static_cast<std::ptrdiff_t>(op.offset));
  end_at_once(corr_id, number, static_cast<std::int32_t>(size));
}

void SimBackend::start(const Cancel& op, CorrelationId corr_id, std::uint64_t number) {
  if (!world_.strikes(world_.options().faults.late_cancel)) {
    return do_cancel(op.target, corr_id, number);
  }
  world_.after(std::chrono::nanoseconds(world_.random().below(kLongCancel_ns)),
               [this, alive = alive_, target = op.target, corr_id, number] {
                 if (*alive) do_cancel(target, corr_id, number);
               });
}

void SimBackend::do_cancel(CorrelationId target, CorrelationId corr_id, std::uint64_t number) {
  end_at_once(corr_id, number, cancel_now(target));
}

int SimBackend::cancel_now(CorrelationId target) {
  for (auto& [number, operation] : operations_) {
    const CorrelationId id = operation.corr_id;
    if (id != target && chains_.owner_id(id) != target) continue;
    if (operation.awaits_notice) continue;
    const auto cut_short = [this](Operation& ended) {
      end(ended, ended.done > 0 ? static_cast<std::int32_t>(ended.done) : -ECANCELED);
    };
    if (!world_.strikes(world_.options().faults.late_cancel)) {
      cut_short(operation);
      return 0;
    }
    // Under way: it ends a little later, as it would have, or as cancelled.
    world_.after(std::chrono::nanoseconds(world_.random().below(kLongCancel_ns)),
                 [this, alive = alive_, late = number, cut_short] {
                   if (!*alive) return;
                   const auto found = operations_.find(late);
                   if (found != operations_.end()) cut_short(found->second);
                 });
    return -EALREADY;
  }
  return -ENOENT;
}

void SimBackend::start(const Close& op, CorrelationId corr_id, std::uint64_t) {
  world_.close(op.fd, op.reset);
  if (ChainKeeper::is_own(corr_id)) end_at_once(corr_id, 0, 0);
}

void SimBackend::start_waiting(const ChainedOperation& op, int fd, CorrelationId corr_id,
                               std::uint64_t number) {
  if (!made_by_backend(fd)) return end_at_once(corr_id, number, -EBADF);
  SimDescriptor& entry = world_.descriptor(fd);
  Operation& operation = operations_[number];
  operation = {number, corr_id, op, fd};
  const auto changed = [this, alive = alive_, fd] {
    if (*alive && world_.is_open(fd)) progress(fd);
  };
  if (entry.endpoint != nullptr) entry.endpoint->changed = changed;
  if (entry.listener != nullptr) entry.listener->changed = changed;
  entry.changed = changed;
  const bool may_fail =
      !std::holds_alternative<Accept>(op) && !std::holds_alternative<PollReadable>(op);
  if (may_fail && world_.strikes(world_.options().faults.error)) {
    mark_faulted(fd);
    return end(operation, any_error(op));
  }
  progress(fd);
}

// What one operation does may change what another waits for, so this takes one after another.
void SimBackend::progress(int fd) {
  to_progress_.push_back(fd);
  if (std::exchange(progressing_, true)) return;
  for (std::size_t i = 0; i < to_progress_.size(); ++i) {
    std::vector<std::uint64_t> numbers;
    for (const auto& [number, operation] : operations_) {
      if (operation.fd == to_progress_[i]) numbers.push_back(number);
    }
    for (const std::uint64_t number : numbers) {
      const auto found = operations_.find(number);
      if (found != operations_.end()) advance(found->second);
    }
  }
  to_progress_.clear();
  progressing_ = false;
}

void SimBackend::advance(Operation& operation) {
  // A copy: what it refers to may end with the operation.
  const ChainedOperation op = operation.op;
  if (const auto* accept = std::get_if<Accept>(&op)) return advance(operation, *accept);
  if (const auto* receive = std::get_if<Receive>(&op)) return advance(operation, *receive);
  if (const auto* into = std::get_if<ReceiveInto>(&op)) return advance(operation, *into);
  if (const auto* poll = std::get_if<PollReadable>(&op)) return advance(operation, *poll);
  if (const auto* send = std::get_if<Send>(&op)) {
    return advance_send(operation, send->data, send->size, false);
  }
  if (const auto* send = std::get_if<SendZeroCopy>(&op)) {
    return advance_send(operation, send->data, send->size, true);
  }
}

void SimBackend::advance(Operation& operation, const Accept& op) {
  const std::uint64_t number = operation.number;
  const auto listener = world_.descriptor(operation.fd).listener;
  if (listener == nullptr) return end(operation, -EINVAL);
  while (!listener->queue.empty()) {
    take_connection(operation, op, *listener);
    if (operations_.find(number) == operations_.end()) return;
  }
  if (!op.wait) end(operation, -EAGAIN);
}

void SimBackend::take_connection(Operation& operation, const Accept& op, SimListener& listener) {
  if (world_.strikes(world_.options().faults.accept_error)) {
    constexpr std::array kErrors = {EMFILE, ENFILE, ENOMEM, ECONNABORTED};
    const int os_errno = kErrors[world_.random().below(kErrors.size())];
    if (os_errno == ECONNABORTED) {
      const auto lost = std::move(listener.queue.front());
      listener.queue.pop_front();
      wire_.cut(*lost);
    }
    return end(operation, -os_errno);
  }
  SimDescriptor taken;
  taken.kind = SimDescriptor::Kind::socket;
  taken.endpoint = listener.queue.front();
  const int fd = world_.open(std::move(taken));
  if (fd < 0) return end(operation, fd);
  listener.queue.pop_front();
  if (!op.multishot || world_.strikes(world_.options().faults.early_end)) {
    return end(operation, fd);
  }
  post(operation, fd);
}

void SimBackend::advance(Operation& operation, const Receive&) {
  const auto endpoint = world_.descriptor(operation.fd).endpoint;
  if (endpoint == nullptr || !endpoint->connected) return end(operation, -ENOTCONN);
  while (!endpoint->inbox.empty()) {
    if (world_.strikes(world_.options().faults.no_buffers)) return end(operation, -ENOBUFS);
    BufferLease lease = buffers_.acquire();
    if (!lease) return end(operation, -ENOBUFS);
    std::size_t most = buffers_.block_bytes();
    if (world_.strikes(world_.options().faults.short_read)) most = world_.random().between(1, most);
    const auto got = wire_.receive(*endpoint, lease.data, most);
    lease.size = static_cast<std::uint32_t>(got);
    if (world_.strikes(world_.options().faults.early_end)) {
      return end(operation, static_cast<std::int32_t>(got), lease);
    }
    post(operation, static_cast<std::int32_t>(got), lease);
  }
  if (!endpoint->readable()) return;
  end(operation, static_cast<std::int32_t>(wire_.receive(*endpoint, nullptr, 0)));
}

void SimBackend::advance(Operation& operation, const ReceiveInto& op) {
  const auto endpoint = world_.descriptor(operation.fd).endpoint;
  if (endpoint == nullptr || !endpoint->connected) return end(operation, -ENOTCONN);
  if (!endpoint->readable()) return;
  std::size_t most = op.size;
  if (most > 1 && world_.strikes(world_.options().faults.short_read)) {
    most = world_.random().between(1, most);
  }
  std::string bytes(std::min(most, endpoint->inbox.size()), '\0');
  const auto got = wire_.receive(*endpoint, bytes.data(), bytes.size());
  end(operation, static_cast<std::int32_t>(got), {}, std::move(bytes));
}

void SimBackend::advance(Operation& operation, const PollReadable&) {
  const SimDescriptor& entry = world_.descriptor(operation.fd);
  const bool ready = entry.signalled || (entry.endpoint != nullptr && entry.endpoint->readable()) ||
                     (entry.listener != nullptr && !entry.listener->queue.empty());
  if (!ready) return;
  if (world_.strikes(world_.options().faults.early_end)) return end(operation, POLLIN);
  post(operation, POLLIN);
}

void SimBackend::advance_send(Operation& operation, const void* data, std::uint32_t size,
                              bool zero_copy) {
  if (operation.awaits_notice) return;
  const auto endpoint = world_.descriptor(operation.fd).endpoint;
  if (endpoint == nullptr) return end(operation, -ENOTSOCK);
  const std::uint32_t left = size - operation.done;
  const auto sent = wire_.send(*endpoint, static_cast<const char*>(data) + operation.done, left);
  if (sent == -EAGAIN) return;
  if (sent < 0) {
    const auto result = operation.done > 0 ? static_cast<std::int64_t>(operation.done) : sent;
    return end(operation, static_cast<std::int32_t>(result));
  }
  operation.done += static_cast<std::uint32_t>(sent);
  if (operation.done < size) return;
  if (!zero_copy) return end(operation, static_cast<std::int32_t>(size));
  // The memory is looked at until the bytes have arrived, or for longer.
  post(operation, static_cast<std::int32_t>(size));
  operation.awaits_notice = true;
  const bool late = world_.strikes(world_.options().faults.late_notice);
  const auto most_ns =
      late ? kLongNotice_ns : 1 + static_cast<std::uint64_t>(world_.options().latency.count());
  world_.after(std::chrono::nanoseconds(world_.random().below(most_ns)),
               [this, alive = alive_, number = operation.number] {
                 if (!*alive) return;
                 const auto found = operations_.find(number);
                 if (found != operations_.end()) end(found->second, 0);
               });
}

std::int32_t SimBackend::any_error(const ChainedOperation& op) {
  if (std::holds_alternative<ReadAt>(op) || std::holds_alternative<WriteAt>(op)) {
    constexpr std::array kErrors = {EIO, ENOMEM, EINTR};
    return -kErrors[world_.random().below(kErrors.size())];
  }
  constexpr std::array kErrors = {ECONNRESET, ETIMEDOUT, ENOMEM, EPIPE, EHOSTUNREACH, EIO};
  return -kErrors[world_.random().below(kErrors.size())];
}

void SimBackend::mark_faulted(int fd) {
  const auto endpoint = world_.descriptor(fd).endpoint;
  if (endpoint == nullptr) return;
  endpoint->faulted = true;
  if (const auto other = endpoint->other.lock()) other->faulted = true;
}

static_assert(IoBackend<SimBackend>);

}  // namespace weft::ksvc
