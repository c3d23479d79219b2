#include "ksvc/backend/socket_calls.hpp"

#include <fcntl.h>
#include <linux/filter.h>
#include <sys/socket.h>

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

}  // namespace weft::ksvc
