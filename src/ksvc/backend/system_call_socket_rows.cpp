#include <sys/socket.h>
#include <sys/syscall.h>

#include "ksvc/backend/system_call_rows.hpp"
#include "ksvc/backend/uring_abi.hpp"

namespace weft::ksvc {

namespace {

using From = const CallArguments&;
using Entry = io_uring_sqe&;

constexpr int kFlagsOfReceives = MSG_PEEK | MSG_WAITALL | MSG_DONTWAIT | MSG_TRUNC | MSG_NOSIGNAL;
constexpr int kFlagsOfSends = MSG_DONTWAIT | MSG_NOSIGNAL | MSG_MORE | MSG_EOR | MSG_OOB;

bool make_socket(From from, Entry entry) noexcept {
  entry.fd = from.integer(0);
  entry.off = from.word(1);
  entry.len = from.word(2);
  return true;
}

// Also connect(): an address, and its size by value.
bool bind(From from, Entry entry) noexcept {
  entry.fd = from.integer(0);
  entry.addr = from.raw(1);
  entry.off = from.word(2);
  return true;
}

// Also shutdown(): a number.
bool listen(From from, Entry entry) noexcept {
  entry.fd = from.integer(0);
  entry.len = from.word(1);
  return true;
}

bool accept(From from, Entry entry) noexcept {
  entry.fd = from.integer(0);
  entry.addr = from.raw(1);
  entry.off = from.raw(2);
  return true;
}

bool accept_4(From from, Entry entry) noexcept {
  entry.accept_flags = from.word(3);
  return accept(from, entry);
}

bool send_flags(Entry entry, int flags) noexcept {
  // A call that may block sends all of it; the operation does so only when told to.
  entry.msg_flags = static_cast<std::uint32_t>(flags);
  if ((flags & MSG_DONTWAIT) == 0) entry.msg_flags |= MSG_WAITALL;
  return (flags & ~kFlagsOfSends) == 0;
}

bool receive_flags(Entry entry, int flags) noexcept {
  entry.msg_flags = static_cast<std::uint32_t>(flags);
  return (flags & ~kFlagsOfReceives) == 0;
}

bool send_to(From from, Entry entry) noexcept {
  return fill_fd_and_memory(from, entry) && from.null(4) && send_flags(entry, from.integer(3));
}

bool receive_from(From from, Entry entry) noexcept {
  return fill_fd_and_memory(from, entry) && from.null(4) && receive_flags(entry, from.integer(3));
}

void message(From from, Entry entry) noexcept {
  entry.fd = from.integer(0);
  entry.addr = from.raw(1);
  entry.len = 1;
}

bool send_message(From from, Entry entry) noexcept {
  message(from, entry);
  return send_flags(entry, from.integer(2));
}

bool receive_message(From from, Entry entry) noexcept {
  message(from, entry);
  return receive_flags(entry, from.integer(2));
}

constexpr CallRow kRows[] = {
    {SYS_socket, IORING_OP_SOCKET, make_socket},
    {SYS_bind, uring_abi::kOpBind, bind, true},
    {SYS_listen, uring_abi::kOpListen, listen, true},
    {SYS_accept, IORING_OP_ACCEPT, accept, true, Needs::blocking},
    {SYS_accept4, IORING_OP_ACCEPT, accept_4, true, Needs::blocking},
    {SYS_connect, IORING_OP_CONNECT, bind, true, Needs::blocking},
    {SYS_sendto, IORING_OP_SEND, send_to, true, Needs::blocking},
    {SYS_recvfrom, IORING_OP_RECV, receive_from, true, Needs::blocking},
    {SYS_sendmsg, IORING_OP_SENDMSG, send_message, true, Needs::blocking},
    {SYS_recvmsg, IORING_OP_RECVMSG, receive_message, true, Needs::blocking},
    {SYS_shutdown, IORING_OP_SHUTDOWN, listen, true},
};

}  // namespace

std::span<const CallRow> socket_call_rows() noexcept { return kRows; }

}  // namespace weft::ksvc
