#include "ksvc/backend/epoll.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "ksvc/backend/socket_calls.hpp"
#include "ksvc/clock/monotonic_clock.hpp"
#include "ksvc/core/assert.hpp"

namespace weft::ksvc {

namespace {
constexpr int kEventsPerTurn = 512;
constexpr int kReceivesPerTurn = 16;
constexpr int kAcceptsPerTurn = 256;
// Of a file: so much is looked at and sent in one go.
constexpr std::uint32_t kFilePart = 256 * 1024;

// Whether the number can be one of the system's; only those have a place in the table.
bool is_the_systems(int fd) { return fd >= 0 && !made_by_backend(fd); }

bool is_readable(int fd) {
  pollfd entry{fd, POLLIN, 0};
  return ::poll(&entry, 1, 0) > 0;
}
}  // namespace

Epoll::Epoll(const BackendOptions& options, int epoll_fd)
    : epoll_fd_(epoll_fd), buffers_(options.buffers), events_(kEventsPerTurn) {}

Result<std::unique_ptr<Epoll>> Epoll::create(const BackendOptions& options) {
  const int fd = ::epoll_create1(EPOLL_CLOEXEC);
  if (fd < 0) return Error::from_errno(errno);
  return std::unique_ptr<Epoll>(new Epoll(options, fd));
}

Epoll::~Epoll() { ::close(epoll_fd_); }

Epoll::Descriptor& Epoll::descriptor(int fd) {
  WEFT_ASSERT(is_the_systems(fd));
  const auto index = static_cast<std::size_t>(fd);
  if (index >= descriptors_.size()) {
    descriptors_.resize(std::max(index + 1, descriptors_.size() * 2));
  }
  return descriptors_[index];
}

void Epoll::complete(CorrelationId corr_id, std::int32_t result, bool more, BufferLease lease) {
  completions_.push_back({corr_id, result, more, lease});
  if (ChainKeeper::is_own(corr_id)) [[unlikely]] {
    if (!chains_.ended(completions_.back())) completions_.pop_back();
  }
}

bool Epoll::watch(int fd, Descriptor& entry) {
  if (entry.registered) return true;
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.fd = fd;
  if (::epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &event) != 0 && errno != EEXIST) return false;
  entry.registered = true;
  return true;
}

void Epoll::look_again(int fd, Descriptor& entry) {
  if (entry.queued) return;
  entry.queued = true;
  ready_.push_back(fd);
}

bool Epoll::start_read(int fd, ReadKind kind, CorrelationId corr_id) {
  if (!is_the_systems(fd)) {
    complete(corr_id, -EBADF);
    return false;
  }
  Descriptor& entry = descriptor(fd);
  WEFT_ASSERT(entry.read == ReadKind::none);
  const bool known = entry.registered;
  if (!watch(fd, entry)) {
    complete(corr_id, -errno);
    return false;
  }
  entry.read = kind;
  entry.read_id = corr_id;
  // A first registration reports what is ready by itself; an edge that was told before is not
  // told again, so a descriptor that is known must be looked at.
  // A poll reads nothing that could tell it that there is nothing, so it asks first.
  if (known && (kind != ReadKind::poll || is_readable(fd))) look_again(fd, entry);
  return true;
}

void Epoll::start_write(int fd, WriteKind kind, CorrelationId corr_id) {
  Descriptor& entry = descriptor(fd);
  if (!watch(fd, entry)) {
    // Bytes that went out already are told of; the error comes again with the next operation.
    const int os_errno = errno;
    const auto sent = kind == WriteKind::connect ? 0 : static_cast<std::int32_t>(entry.written);
    entry.write = WriteKind::none;
    return complete(corr_id, sent > 0 ? sent : -os_errno);
  }
  entry.write = kind;
  entry.write_id = corr_id;
}

void Epoll::start(const Nop&, CorrelationId corr_id) { complete(corr_id, 0); }

void Epoll::start(const Accept& op, CorrelationId corr_id) {
  make_nonblocking(op.fd);
  if (!op.wait) return accept_what_is_there(op.fd, corr_id);
  start_read(op.fd, op.multishot ? ReadKind::accept_many : ReadKind::accept, corr_id);
}

void Epoll::submit(const RefuseConnections& op, CorrelationId) { refuse_new_connections(op.fd); }

void Epoll::start(const Receive& op, CorrelationId corr_id) {
  start_read(op.fd, ReadKind::receive, corr_id);
}

void Epoll::start(const ReceiveInto& op, CorrelationId corr_id) {
  if (!start_read(op.fd, ReadKind::receive_into, corr_id)) return;
  Descriptor& entry = descriptor(op.fd);
  entry.read_data = op.data;
  entry.read_size = op.size;
}

void Epoll::start(const Shutdown& op, CorrelationId corr_id) {
  // The kernel tells of it as of any other end, which completes what is in flight.
  complete(corr_id, ::shutdown(op.fd, op.how) == 0 ? 0 : -errno);
}

void Epoll::start(const ReadAt& op, CorrelationId corr_id) {
  ssize_t got = 0;
  do {
    got = ::pread(op.fd, op.data, op.size, static_cast<off_t>(op.offset));
  } while (got < 0 && errno == EINTR);
  complete(corr_id, got >= 0 ? static_cast<std::int32_t>(got) : -errno);
}

void Epoll::start(const WriteAt& op, CorrelationId corr_id) {
  ssize_t put = 0;
  do {
    put = ::pwrite(op.fd, op.data, op.size, static_cast<off_t>(op.offset));
  } while (put < 0 && errno == EINTR);
  complete(corr_id, put >= 0 ? static_cast<std::int32_t>(put) : -errno);
}

void Epoll::start(const PollReadable& op, CorrelationId corr_id) {
  start_read(op.fd, ReadKind::poll, corr_id);
}

void Epoll::start(const Send& op, CorrelationId corr_id) {
  if (!is_the_systems(op.fd)) return complete(corr_id, -EBADF);
  descriptor(op.fd).write_data = static_cast<const char*>(op.data);
  start_sending(op.fd, WriteKind::send, op.size, corr_id);
}

void Epoll::start(const SendFile& op, CorrelationId corr_id) {
  if (!is_the_systems(op.fd) || !is_the_systems(op.file)) return complete(corr_id, -EBADF);
  make_nonblocking(op.fd);
  descriptor(op.fd).file = op.file;
  descriptor(op.fd).file_offset = op.offset;
  start_sending(op.fd, WriteKind::send_file, op.size, corr_id);
}

void Epoll::start_sending(int fd, WriteKind kind, std::uint32_t size, CorrelationId corr_id) {
  Descriptor& entry = descriptor(fd);
  WEFT_ASSERT(entry.write == WriteKind::none);
  entry.write_size = size;
  entry.written = 0;
  entry.write = kind;
  entry.write_id = corr_id;
  try_write(fd);
  if (entry.write != WriteKind::none) start_write(fd, kind, corr_id);
}

void Epoll::start(const SendNow& op, CorrelationId corr_id) {
  const ssize_t sent = ::send(op.fd, op.data, op.size, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent == static_cast<ssize_t>(op.size) && !ChainKeeper::is_own(corr_id)) [[likely]]
    return;
  complete(corr_id, sent >= 0 ? static_cast<std::int32_t>(sent) : -errno);
}

void Epoll::start(const SendZeroCopy& op, CorrelationId corr_id) {
  start(Send{op.fd, op.data, op.size}, corr_id);
}

void Epoll::start(const Connect& op, CorrelationId corr_id) {
  if (!is_the_systems(op.fd)) return complete(corr_id, -EBADF);
  make_nonblocking(op.fd);
  if (::connect(op.fd, op.address, op.size) == 0) return complete(corr_id, 0);
  if (errno != EINPROGRESS) return complete(corr_id, -errno);
  WEFT_ASSERT(descriptor(op.fd).write == WriteKind::none);
  descriptor(op.fd).written = 0;
  start_write(op.fd, WriteKind::connect, corr_id);
}

void Epoll::start(const Cancel& op, CorrelationId corr_id) {
  complete(corr_id, cancel(op.fd, op.target) ? 0 : -ENOENT);
}

// Whether `target`, the owner's id or the chains', was in flight.
bool Epoll::cancel(int fd, CorrelationId target) {
  if (!is_the_systems(fd)) return false;
  Descriptor& entry = descriptor(fd);
  const auto is_target = [&](CorrelationId id) {
    return id == target || chains_.owner_id(id) == target;
  };
  if (entry.read != ReadKind::none && is_target(entry.read_id)) {
    end_read(entry, -ECANCELED);
    return true;
  }
  if (entry.write != WriteKind::none && is_target(entry.write_id)) {
    const auto sent = static_cast<std::int32_t>(entry.written);
    end_write(entry, sent > 0 ? sent : -ECANCELED);
    return true;
  }
  return false;
}

void Epoll::start(const Close& op, CorrelationId corr_id) {
  if (is_the_systems(op.fd)) {
    Descriptor& entry = descriptor(op.fd);
    // Only what nobody waits for may be in flight.
    WEFT_ASSERT(entry.read == ReadKind::none || chains_.owner_id(entry.read_id) == 0);
    WEFT_ASSERT(entry.write == WriteKind::none || chains_.owner_id(entry.write_id) == 0);
    if (entry.read != ReadKind::none) end_read(entry, -ECANCELED);
    if (entry.write != WriteKind::none) end_write(entry, -ECANCELED);
    const bool queued = entry.queued;
    entry = {};
    entry.queued = queued;
  }
  if (op.reset) reset_when_closed(op.fd);
  const int failed = ::close(op.fd) == 0 ? 0 : -errno;
  if (ChainKeeper::is_own(corr_id)) complete(corr_id, failed);
}

void Epoll::keep(const ChainedOperation& op, CorrelationId corr_id, ChainKeeper::Terms terms) {
  chains_.add(op, corr_id, terms);
  start_kept();
}

void Epoll::start_kept() {
  chains_.advance([this](const auto& op, CorrelationId own_id) { start(op, own_id); },
                  [this](const Completion& completion) { completions_.push_back(completion); });
}

void Epoll::run_chains() {
  if (chains_.next_deadline() != kNoDeadline) {
    chains_.cancel_late(MonotonicClock().now(),
                        [this](int fd, CorrelationId own_id) { cancel(fd, own_id); });
  }
  start_kept();
}

void Epoll::end_read(Descriptor& entry, std::int32_t result) {
  entry.read = ReadKind::none;
  complete(entry.read_id, result);
}

void Epoll::end_write(Descriptor& entry, std::int32_t result) {
  entry.write = WriteKind::none;
  complete(entry.write_id, result);
}

void Epoll::accept_what_is_there(int fd, CorrelationId corr_id) {
  int taken = 0;
  do {
    taken = ::accept4(fd, nullptr, nullptr, SOCK_CLOEXEC);
  } while (taken < 0 && (errno == EINTR || errno == ECONNABORTED));
  complete(corr_id, taken >= 0 ? taken : -errno);
}

void Epoll::accept_from(int fd, Descriptor& entry) {
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    const int taken = ::accept4(fd, nullptr, nullptr, SOCK_CLOEXEC);
    if (taken < 0) {
      if (errno == EAGAIN || errno == EWOULDBLOCK) return;
      if (errno == EINTR || errno == ECONNABORTED) continue;
      return end_read(entry, -errno);
    }
    if (entry.read == ReadKind::accept) return end_read(entry, taken);
    complete(entry.read_id, taken, true);
  }
  look_again(fd, entry);
}

void Epoll::receive_from(int fd, Descriptor& entry, bool until_empty) {
  for (int i = 0; i < kReceivesPerTurn; ++i) {
    BufferLease lease = buffers_.acquire();
    if (!lease) return end_read(entry, -ENOBUFS);
    const ssize_t got = ::recv(fd, lease.data, buffers_.block_bytes(), MSG_DONTWAIT);
    if (got > 0) {
      lease.size = static_cast<std::uint32_t>(got);
      complete(entry.read_id, static_cast<std::int32_t>(got), true, lease);
      // A short read emptied the socket, and what comes later is a new edge; but not an end of
      // stream that was told in the same edge as the data.
      if (!until_empty && lease.size < buffers_.block_bytes()) return;
      continue;
    }
    const int failed = got < 0 ? errno : 0;
    buffers_.release(lease);
    if (failed == EAGAIN || failed == EWOULDBLOCK) return;
    if (failed == EINTR) continue;
    return end_read(entry, -failed);
  }
  look_again(fd, entry);
}

void Epoll::receive_into(int fd, Descriptor& entry) {
  ssize_t got = 0;
  do {
    got = ::recv(fd, entry.read_data, entry.read_size, MSG_DONTWAIT);
  } while (got < 0 && errno == EINTR);
  if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
  end_read(entry, got >= 0 ? static_cast<std::int32_t>(got) : -errno);
}

void Epoll::try_read(int fd, bool until_empty) {
  Descriptor& entry = descriptor(fd);
  switch (entry.read) {
    case ReadKind::none: return;
    case ReadKind::accept:
    case ReadKind::accept_many: return accept_from(fd, entry);
    case ReadKind::receive: return receive_from(fd, entry, until_empty);
    case ReadKind::receive_into: return receive_into(fd, entry);
    case ReadKind::poll: return complete(entry.read_id, EPOLLIN, true);
  }
}

void Epoll::try_write(int fd) {
  Descriptor& entry = descriptor(fd);
  if (entry.write == WriteKind::none) return;
  if (entry.write == WriteKind::connect) {
    int failed = 0;
    socklen_t size = sizeof failed;
    ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &failed, &size);
    return end_write(entry, -failed);
  }
  while (entry.written < entry.write_size) {
    const std::int64_t sent = send_part(fd, entry);
    if (sent == 0) break;  // the end of a file
    if (sent < 0) {
      if (sent == -EINTR) continue;
      if (sent == -EAGAIN) return;
      const auto before = static_cast<std::int32_t>(entry.written);
      return end_write(entry, before > 0 ? before : static_cast<std::int32_t>(sent));
    }
    entry.written += static_cast<std::uint32_t>(sent);
  }
  end_write(entry, static_cast<std::int32_t>(entry.written));
}

// Negative errno when there was nothing to be done.
std::int64_t Epoll::send_part(int fd, const Descriptor& entry) {
  const std::uint32_t left = entry.write_size - entry.written;
  if (entry.write == WriteKind::send_file) {
    const std::uint64_t at = entry.file_offset + entry.written;
    const std::uint32_t part = std::min(left, kFilePart);
    // Whoever asked knows better how to wait for a disk.
    if (!is_in_memory(entry.file, at, part)) return -EOPNOTSUPP;
    return send_file(fd, entry.file, at, part);
  }
  const ssize_t sent =
      ::send(fd, entry.write_data + entry.written, left, MSG_NOSIGNAL | MSG_DONTWAIT);
  return sent >= 0 ? sent : -errno;
}

void Epoll::read_ready_ones() {
  reading_.swap(ready_);
  for (const int fd : reading_) {
    descriptor(fd).queued = false;
    try_read(fd, true);
  }
  reading_.clear();
}

int Epoll::wait_ms(unsigned at_least, TimePoint wake) const {
  if (completions_.size() >= at_least || !ready_.empty()) return 0;
  if (wake == kNoDeadline) return -1;
  const std::int64_t left_ns = (wake - MonotonicClock().now()).count();
  // Rounded up: waking early would only make the loop turn until the time has come.
  const std::int64_t left_ms = left_ns <= 0 ? 0 : (left_ns + 999'999) / 1'000'000;
  return static_cast<int>(std::min<std::int64_t>(left_ms, 3'600'000));
}

void Epoll::handle_events(int count) {
  constexpr std::uint32_t kEnded = EPOLLRDHUP | EPOLLHUP | EPOLLERR;
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events_[static_cast<std::size_t>(i)];
    const bool ended = (event.events & kEnded) != 0;
    if (ended || (event.events & EPOLLIN) != 0) try_read(event.data.fd, ended);
    if (ended || (event.events & EPOLLOUT) != 0) try_write(event.data.fd);
  }
}

void Epoll::submit_and_wait(unsigned at_least, TimePoint deadline) {
  settled_ = false;
  for (;;) {
    read_ready_ones();
    TimePoint wake = deadline;
    if (!chains_.idle()) [[unlikely]] {
      start_kept();
      wake = std::min(wake, chains_.next_deadline());
    }
    const int timeout_ms = wait_ms(at_least, wake);
    const int count = ::epoll_wait(epoll_fd_, events_.data(), kEventsPerTurn, timeout_ms);
    handle_events(count);
    // Only now: what is there already is not late.
    if (!chains_.idle()) [[unlikely]]
      run_chains();
    if (completions_.size() >= at_least || count < 0) return;
    // Nothing came: the time is up, or what has used up its budget is to be read from once more.
    if (count == 0 && ready_.empty() && wake == deadline) return;
    // Woken for something else than a completion (room to send that nobody waits for): go on.
  }
}

}  // namespace weft::ksvc
