#include "ksvc/backend/socket_calls.hpp"

#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <ctime>

namespace weft::ksvc {

void refuse_new_connections(int listener_fd) noexcept {
  // A filter on a listener sees segments from their TCP header on; byte 13 holds the flags.
  constexpr unsigned kFlagsOffset = 13;
  constexpr unsigned kSyn = 0x02;
  constexpr unsigned kAck = 0x10;
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, kFlagsOffset),
      BPF_STMT(BPF_ALU | BPF_AND | BPF_K, kSyn | kAck),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kSyn, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, 0),
      BPF_STMT(BPF_RET | BPF_K, 0xFFFFFFFF),
  };
  const sock_fprog filter{5, program};
  // Without the filter the drain still works; a client may then be refused a little less politely.
  ::setsockopt(listener_fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter);
}

void make_nonblocking(int fd) noexcept {
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags >= 0 && (flags & O_NONBLOCK) == 0) ::fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

void reset_when_closed(int fd) noexcept {
  const ::linger at_once{1, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

std::int64_t send_at_once(int socket, std::string_view bytes, bool more) noexcept {
  const int flags = MSG_NOSIGNAL | MSG_DONTWAIT | (more ? MSG_MORE : 0);
  const ssize_t sent = ::send(socket, bytes.data(), bytes.size(), flags);
  return sent >= 0 ? sent : -errno;
}

void ask_when_silent(int fd, std::chrono::milliseconds silence) noexcept {
  if (silence.count() <= 0) return;
  const int on = 1;
  const int times = 4;
  // The kernel takes no more.
  constexpr std::int64_t kMostSeconds = 32'767;
  const int first = static_cast<int>(
      std::clamp<std::int64_t>((silence.count() - 1) / 1'000 + 1, 1, kMostSeconds));
  const int gap = std::max(first / times, 1);
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &first, sizeof first);
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &gap, sizeof gap);
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &times, sizeof times);
  ::setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
}

namespace {

sigset_t pipe_signal() noexcept {
  sigset_t signals;
  ::sigemptyset(&signals);
  ::sigaddset(&signals, SIGPIPE);
  return signals;
}

}  // namespace

PipeSignalHeld::PipeSignalHeld() noexcept {
  const sigset_t held = pipe_signal();
  ::pthread_sigmask(SIG_BLOCK, &held, &before_);
}

PipeSignalHeld::~PipeSignalHeld() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

std::int64_t send_file(int socket, int file, std::uint64_t offset, std::uint32_t size,
                       const PipeSignalHeld&) noexcept {
  auto at = static_cast<off_t>(offset);
  std::int64_t sent = ::sendfile(socket, file, &at, size);
  if (sent < 0) sent = -errno;
  // Also when a part was sent before it broke: then the count is what is returned.
  if (sent < static_cast<std::int64_t>(size) && sent != -EAGAIN) {
    const timespec at_once{};
    const sigset_t raised = pipe_signal();
    ::sigtimedwait(&raised, nullptr, &at_once);
  }
  return sent;
}

bool is_kept_in_memory(int file) noexcept {
  // Only files of such a file system have seals.
  return ::fcntl(file, F_GET_SEALS) >= 0;
}

bool is_in_memory(int file, std::uint64_t offset, std::uint32_t size) noexcept {
  if (size == 0) return true;
  const std::array ends{offset + size - 1, offset};
  for (const std::uint64_t at : ends) {
    char byte = 0;
    iovec into{&byte, 1};
    if (::preadv2(file, &into, 1, static_cast<off_t>(at), RWF_NOWAIT) >= 0) continue;
    if (errno == EAGAIN) return false;
    if (errno == EOPNOTSUPP && !is_kept_in_memory(file)) return false;
  }
  return true;
}

}  // namespace weft::ksvc
