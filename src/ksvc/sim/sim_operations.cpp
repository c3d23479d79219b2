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
constexpr std::uint64_t kLongPause_ns = 200'000;

bool is_reader(const ChainedOperation& op) {
  return std::holds_alternative<Accept>(op) || std::holds_alternative<Receive>(op) ||
         std::holds_alternative<ReceiveInto>(op) || std::holds_alternative<PollReadable>(op);
}

bool is_writer(const ChainedOperation& op) {
  return std::holds_alternative<Send>(op) || std::holds_alternative<SendZeroCopy>(op) ||
         std::holds_alternative<SendFile>(op) || std::holds_alternative<Connect>(op);
}

// Whether an error may strike as it starts: what stays armed has faults of its own, and what has no
// completion or must not fail has none.
bool may_fail_at_once(const ChainedOperation& op) {
  return !std::holds_alternative<Accept>(op) && !std::holds_alternative<PollReadable>(op) &&
         !std::holds_alternative<Nop>(op) && !std::holds_alternative<Cancel>(op) &&
         !std::holds_alternative<Close>(op) && !std::holds_alternative<Shutdown>(op);
}

}  // namespace

// ---- What is in flight on a descriptor, in the order of submission.

std::uint32_t* SimBackend::list_of(const Record& record) {
  if (!made_by_backend(record.fd)) return nullptr;
  if (is_reader(record.op)) return &descriptor(record.fd).readers;
  if (is_writer(record.op)) return &descriptor(record.fd).writers;
  return nullptr;
}

void SimBackend::join(std::uint32_t index) {
  std::uint32_t* at = list_of(records_[index]);
  while (*at != kNone) at = &records_[*at].next;
  *at = index;
}

void SimBackend::leave(std::uint32_t index) {
  std::uint32_t* at = list_of(records_[index]);
  while (at != nullptr && *at != kNone) {
    if (*at == index) {
      *at = std::exchange(records_[index].next, kNone);
      return;
    }
    at = &records_[*at].next;
  }
}

// ---- Starting.

void SimBackend::start(std::uint32_t index) {
  Record& record = records_[index];
  record.state = State::running;
  if (!record.fills) check_lent(record);
  const ChainedOperation op = record.op;  // the record may end meanwhile
  if (const int forced = world_.take_forced_error(op.index()); forced != 0) {
    end(index, -forced);
    return;
  }
  if (!std::holds_alternative<Nop>(op) && !std::holds_alternative<Cancel>(op) &&
      !made_by_backend(record.fd)) {
    end(index, -EBADF);
    return;
  }
  if (may_fail_at_once(op) && world_.strikes(world_.options().faults.error)) {
    mark_faulted(record.fd);
    end(index, drawn_error(record));
    return;
  }
  std::visit([this, index](const auto& typed) { start_op(index, typed); }, op);
}

void SimBackend::start_op(std::uint32_t index, const Nop&) { end(index, 0); }

void SimBackend::submit(const RefuseConnections& op, CorrelationId) {
  world_.note("refuse", static_cast<std::uint64_t>(op.fd));
  const SimDescriptor& entry = world_.descriptor(op.fd);
  if (entry.listener != nullptr) entry.listener->refusing = true;
}

void SimBackend::start_op(std::uint32_t index, const SendNow& op) {
  const auto endpoint = world_.descriptor(op.fd).endpoint;
  const SimFaults& faults = world_.options().faults;
  if (endpoint == nullptr) {
    end(index, -ENOTSOCK);
    return;
  }
  if (op.size > 0 && world_.strikes(faults.again)) {
    end(index, -EAGAIN);
    return;
  }
  const std::size_t size = some_of(op.size, faults.short_write);
  const auto sent = wire_.send(*endpoint, static_cast<const char*>(op.data), size);
  if (sent == static_cast<std::int64_t>(op.size) && !records_[index].chained) {
    leave(index);
    return retire(index);
  }
  end(index, static_cast<std::int32_t>(sent));
}

void SimBackend::start_op(std::uint32_t index, const Connect& op) {
  const auto endpoint = world_.descriptor(op.fd).endpoint;
  if (endpoint == nullptr || endpoint->connected) {
    end(index, endpoint == nullptr ? -ENOTSOCK : -EISCONN);
    return;
  }
  sockaddr_in address{};
  std::memcpy(&address, op.address, std::min<std::size_t>(op.size, sizeof address));
  join(index);
  world_.connect(endpoint, ntohs(address.sin_port),
                 [this, alive = alive_, index, number = records_[index].number](int os_errno) {
                   if (*alive && is_running(index, number)) end(index, -os_errno);
                 });
}

void SimBackend::start_op(std::uint32_t index, const Shutdown& op) {
  const auto endpoint = world_.descriptor(op.fd).endpoint;
  if (endpoint == nullptr || !endpoint->connected || endpoint->broken) {
    end(index, -ENOTCONN);
    return;
  }
  if (op.how == SHUT_WR || op.how == SHUT_RDWR) wire_.shut_write(*endpoint);
  if (op.how == SHUT_RD || op.how == SHUT_RDWR) wire_.shut_read(*endpoint);
  end(index, 0);
  progress(op.fd);
}

void SimBackend::start_op(std::uint32_t index, const ReadAt& op) {
  const auto file = world_.descriptor(op.fd).file;
  if (file == nullptr) {
    end(index, -ESPIPE);
    return;
  }
  if (op.offset < file->size()) {
    const std::size_t there = std::min<std::size_t>(op.size, file->size() - op.offset);
    records_[index].incoming =
        file->substr(op.offset, some_of(there, world_.options().faults.short_read));
  }
  end(index, static_cast<std::int32_t>(records_[index].incoming.size()));
}

void SimBackend::start_op(std::uint32_t index, const WriteAt& op) {
  const auto file = world_.descriptor(op.fd).file;
  if (file == nullptr) {
    end(index, -ESPIPE);
    return;
  }
  const std::size_t size = some_of(op.size, world_.options().faults.short_write);
  if (file->size() < op.offset + size) file->resize(op.offset + size, '\0');
  std::copy_n(static_cast<const char*>(op.data), size,
              file->begin() + static_cast<std::ptrdiff_t>(op.offset));
  end(index, static_cast<std::int32_t>(size));
}

void SimBackend::start_op(std::uint32_t index, const Close& op) {
  if (descriptor(op.fd).in_flight > 0) {
    world_.fail("a descriptor is closed with operations in flight on it");
  }
  for (const bool reading : {true, false}) {
    // Only what nobody waits for can be there.
    while ((reading ? descriptor(op.fd).readers : descriptor(op.fd).writers) != kNone) {
      cut_short(reading ? descriptor(op.fd).readers : descriptor(op.fd).writers);
    }
  }
  descriptor(op.fd) = {};
  world_.close(op.fd, op.reset);
  if (records_[index].chained) {
    end(index, 0);
  } else {
    retire(index);
  }
}

void SimBackend::start_waiting(std::uint32_t index) {
  const int fd = records_[index].fd;
  SimDescriptor& entry = world_.descriptor(fd);
  const auto changed = [this, alive = alive_, fd, serial = entry.serial] {
    if (*alive && world_.is_open(fd) && world_.descriptor(fd).serial == serial) progress(fd);
  };
  if (entry.endpoint != nullptr) entry.endpoint->changed = changed;
  if (entry.listener != nullptr) entry.listener->changed = changed;
  entry.changed = changed;
  join(index);
  progress(fd);
}

// ---- Going on.

// What one operation does may change what another waits for, so this takes one after another.
void SimBackend::progress(int fd) {
  to_progress_.push_back(fd);
  if (std::exchange(progressing_, true)) return;
  for (std::size_t i = 0; i < to_progress_.size(); ++i) {
    const int changed = to_progress_[i];
    go_on(changed, true);
    go_on(changed, false);
  }
  to_progress_.clear();
  progressing_ = false;
}

// The first goes on until it ends, then the one behind it: what waits on a stream waits in line.
void SimBackend::go_on(int fd, bool reading) {
  for (;;) {
    const Descriptor& entry = descriptor(fd);
    const std::uint32_t first = reading ? entry.readers : entry.writers;
    if (first == kNone || !advance(first)) return;
  }
}

bool SimBackend::advance(std::uint32_t index) {
  const ChainedOperation op = records_[index].op;
  return std::visit([this, index](const auto& typed) { return advance_op(index, typed); }, op);
}

bool SimBackend::stays_armed() {
  // As the kernel does, which has no room to tell more.
  if (ready_.size() >= completion_entries_ || !overflow_.empty()) return false;
  return !world_.strikes(world_.options().faults.early_end);
}

bool SimBackend::advance_op(std::uint32_t index, const Accept& op) {
  const auto listener = world_.descriptor(op.fd).listener;
  if (listener == nullptr) return end(index, -EINVAL);
  // The kernel takes a descriptor before it looks whether there is anybody to give it to.
  if (!op.wait && world_.open_descriptors() >= world_.options().most_descriptors) {
    return end(index, -EMFILE);
  }
  while (!listener->queue.empty()) {
    const std::int32_t result = take_connection(*listener);
    if (result < 0 || !op.multishot || !stays_armed()) return end(index, result);
    tell(index, result, true);
  }
  return op.wait ? false : end(index, -EAGAIN);
}

std::int32_t SimBackend::take_connection(SimListener& listener) {
  if (world_.strikes(world_.options().faults.accept_error)) {
    constexpr std::array kErrors = {EMFILE, ENFILE, ENOMEM, ECONNABORTED};
    const int os_errno = kErrors[world_.random().below(kErrors.size())];
    if (os_errno == ECONNABORTED) {
      const auto lost = std::move(listener.queue.front());
      listener.queue.pop_front();
      wire_.cut(*lost);
    }
    return -os_errno;
  }
  SimDescriptor taken;
  taken.kind = SimDescriptor::Kind::socket;
  taken.endpoint = listener.queue.front();
  const int fd = world_.open(std::move(taken));
  if (fd >= 0) listener.queue.pop_front();
  return fd;
}

bool SimBackend::advance_op(std::uint32_t index, const Receive& op) {
  const auto endpoint = world_.descriptor(op.fd).endpoint;
  if (endpoint == nullptr) return end(index, -ENOTSOCK);
  if (!endpoint->connected) return end(index, -ENOTCONN);
  const SimFaults& faults = world_.options().faults;
  while (!endpoint->inbox.empty() && !endpoint->read_shut) {
    if (world_.strikes(faults.no_buffers)) return end(index, -ENOBUFS);
    BufferLease lease = buffers_.acquire();
    if (!lease) return end(index, -ENOBUFS);
    const std::size_t there = std::min<std::size_t>(buffers_.block_bytes(), endpoint->inbox.size());
    const auto got = wire_.receive(*endpoint, lease.data, some_of(there, faults.short_read));
    lease.size = static_cast<std::uint32_t>(got);
    const auto result = static_cast<std::int32_t>(got);
    if (op.first_is_all || !stays_armed()) return end(index, result, lease);
    tell(index, result, true, lease);
  }
  if (!endpoint->readable()) return false;
  return end(index, static_cast<std::int32_t>(wire_.receive(*endpoint, nullptr, 0)));
}

bool SimBackend::advance_op(std::uint32_t index, const ReceiveInto& op) {
  const auto endpoint = world_.descriptor(op.fd).endpoint;
  if (endpoint == nullptr) return end(index, -ENOTSOCK);
  if (!endpoint->connected) return end(index, -ENOTCONN);
  if (!endpoint->readable()) return false;
  const std::size_t there = std::min<std::size_t>(op.size, endpoint->inbox.size());
  std::string bytes(some_of(there, world_.options().faults.short_read), '\0');
  const auto got = wire_.receive(*endpoint, bytes.data(), bytes.size());
  if (got > 0) records_[index].incoming = std::move(bytes);
  return end(index, static_cast<std::int32_t>(got));
}

bool SimBackend::advance_op(std::uint32_t index, const PollReadable& op) {
  const SimDescriptor& entry = world_.descriptor(op.fd);
  const bool ready = entry.signalled || (entry.endpoint != nullptr && entry.endpoint->readable()) ||
                     (entry.listener != nullptr && !entry.listener->queue.empty());
  if (!ready) return false;
  if (!stays_armed()) return end(index, POLLIN);
  tell(index, POLLIN, true);
  return false;
}

bool SimBackend::advance_op(std::uint32_t index, const Send& op) {
  return send_more(index, {records_[index].memory, op.size}, false);
}

bool SimBackend::advance_op(std::uint32_t index, const SendZeroCopy& op) {
  return send_more(index, {records_[index].memory, op.size}, true);
}

bool SimBackend::advance_op(std::uint32_t index, const SendFile& op) {
  std::string bytes;
  if (const int failed = read_file(op, bytes); failed != 0) return end(index, -failed);
  // What it has lost since cannot be sent.
  bytes.resize(std::max<std::size_t>(bytes.size(), records_[index].done));
  return send_more(index, bytes, false);
}

// As it is now.
int SimBackend::read_file(const SendFile& op, std::string& bytes) {
  if (!made_by_backend(op.file) || !world_.is_open(op.file)) return EBADF;
  const auto file = world_.descriptor(op.file).file;
  if (file == nullptr) return EINVAL;
  if (op.offset < file->size()) bytes = file->substr(op.offset, op.size);
  return 0;
}

bool SimBackend::send_more(std::uint32_t index, std::string_view bytes, bool zero_copy) {
  Record& record = records_[index];
  const std::size_t size = bytes.size();
  const auto endpoint = world_.descriptor(record.fd).endpoint;
  if (endpoint == nullptr) return end(index, -ENOTSOCK);
  const SimFaults& faults = world_.options().faults;
  while (record.done < size) {
    const std::size_t part = some_of(size - record.done, faults.short_write);
    const auto sent = wire_.send(*endpoint, bytes.data() + record.done, part);
    if (sent == -EAGAIN) return false;
    if (sent < 0) {
      return end(index, static_cast<std::int32_t>(record.done > 0 ? record.done : sent));
    }
    record.done += static_cast<std::uint32_t>(sent);
    if (static_cast<std::size_t>(sent) < part || record.done == size) continue;
    // It goes on a little later, as if the kernel had been short of memory for a while.
    later(kLongPause_ns, [this, index, number = record.number, fd = record.fd] {
      if (is_running(index, number)) progress(fd);
    });
    return false;
  }
  const auto result = static_cast<std::int32_t>(size);
  if (!zero_copy) return end(index, result);
  // The memory is looked at until the bytes have arrived, or for longer. Nothing waits behind it.
  leave(index);
  record.noticed = true;
  tell(index, result, true);
  const auto latency_ns = static_cast<std::uint64_t>(world_.options().latency.count());
  later(world_.strikes(faults.late_notice) ? kLongNotice_ns : 1 + latency_ns,
        [this, index, number = record.number] {
          if (is_running(index, number)) end(index, 0);
        });
  return true;
}

// ---- Cancelling.

void SimBackend::start_op(std::uint32_t index, const Cancel&) {
  if (!world_.strikes(world_.options().faults.late_cancel)) return do_cancel(index);
  later(kLongCancel_ns, [this, index] { do_cancel(index); });
}

// Of what was submitted before the cancel: however late that is looked at, it does not end what
// came after it under the same name.
std::uint32_t SimBackend::find(int fd, CorrelationId target, std::uint64_t cancel_number) const {
  if (!made_by_backend(fd)) return kNone;
  const auto entry = static_cast<std::size_t>(fd - kBackendDescriptor);
  if (entry >= descriptors_.size()) return kNone;
  for (std::uint32_t at : {descriptors_[entry].readers, descriptors_[entry].writers}) {
    for (; at != kNone; at = records_[at].next) {
      if (records_[at].corr_id == target && records_[at].number < cancel_number) return at;
    }
  }
  return kNone;
}

void SimBackend::do_cancel(std::uint32_t index) {
  const Cancel op = std::get<Cancel>(records_[index].op);
  const std::uint32_t target = find(op.fd, op.target, records_[index].number);
  if (target == kNone) {
    end(index, -ENOENT);
  } else if (world_.strikes(world_.options().faults.already)) {
    // Under way: it ends a little later, as it would have, or as cancelled.
    end(index, -EALREADY);
    later(kLongCancel_ns, [this, target, number = records_[target].number] {
      if (is_running(target, number)) cut_short(target);
    });
  } else {
    cut_short(target);
    end(index, 0);
  }
}

void SimBackend::cut_short(std::uint32_t index) {
  const Record& record = records_[index];
  if (record.noticed) return;
  end(index, record.done > 0 ? static_cast<std::int32_t>(record.done) : -ECANCELED);
}

// ---- Chance.

std::size_t SimBackend::some_of(std::size_t size, unsigned per_mille) {
  if (size <= 1 || !world_.strikes(per_mille)) return size;
  return world_.random().between(1, size - 1);
}

std::int32_t SimBackend::drawn_error(const Record& record) {
  if (std::holds_alternative<ReadAt>(record.op) || std::holds_alternative<WriteAt>(record.op)) {
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

}  // namespace weft::ksvc
