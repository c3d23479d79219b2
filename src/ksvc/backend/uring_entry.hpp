// How each operation is written into a submission entry, for descriptors of the system's.
//
// The entry was zeroed before; its user_data is the caller's business. Functions of their
// arguments alone; any thread.
#pragma once

#include <liburing.h>
#include <poll.h>

#include <cstdint>

#include "ksvc/backend/uring_abi.hpp"
#include "ksvc/core/operation.hpp"

namespace weft::ksvc {

inline void fill_memory(io_uring_sqe& entry, const void* data, std::uint32_t size) noexcept {
  entry.addr = reinterpret_cast<std::uintptr_t>(data);
  entry.len = size;
}

inline void fill_entry(io_uring_sqe& entry, const Nop&) noexcept { entry.opcode = IORING_OP_NOP; }

inline void fill_entry(io_uring_sqe& entry, const Accept& op) noexcept {
  entry.opcode = IORING_OP_ACCEPT;
  entry.fd = op.fd;
  entry.accept_flags = SOCK_CLOEXEC;
  if (op.multishot) entry.ioprio = IORING_ACCEPT_MULTISHOT;
  if (!op.wait) entry.ioprio |= uring_abi::kAcceptDontwait;
}

inline void fill_entry(io_uring_sqe& entry, const Receive& op, std::uint16_t group) noexcept {
  entry.opcode = IORING_OP_RECV;
  entry.fd = op.fd;
  entry.ioprio = op.first_is_all ? 0 : IORING_RECV_MULTISHOT;
  entry.flags = IOSQE_BUFFER_SELECT;
  entry.buf_group = group;
}

inline void fill_entry(io_uring_sqe& entry, const ReceiveInto& op) noexcept {
  entry.opcode = IORING_OP_RECV;
  entry.fd = op.fd;
  fill_memory(entry, op.data, op.size);
}

inline void fill_entry(io_uring_sqe& entry, const Send& op) noexcept {
  entry.opcode = IORING_OP_SEND;
  entry.fd = op.fd;
  fill_memory(entry, op.data, op.size);
  entry.msg_flags = MSG_NOSIGNAL | MSG_WAITALL;
}

inline void fill_entry(io_uring_sqe& entry, const SendNow& op) noexcept {
  entry.opcode = IORING_OP_SEND;
  entry.fd = op.fd;
  fill_memory(entry, op.data, op.size);
  // WAITALL makes a short count a failure, which is told in spite of SKIP_SUCCESS; DONTWAIT makes
  // the kernel give up instead of waiting for room. So the bytes are used only while the entry is
  // being taken.
  entry.msg_flags = MSG_NOSIGNAL | MSG_WAITALL | MSG_DONTWAIT;
  entry.flags = IOSQE_CQE_SKIP_SUCCESS;
}

inline void fill_entry(io_uring_sqe& entry, const SendZeroCopy& op) noexcept {
  fill_entry(entry, Send{op.fd, op.data, op.size});
}

// Waits for room in the socket: the bytes are sent by a call of our own, since the ring's operation
// would always go to one of the kernel's worker threads, and hold it until a slow reader is done.
inline void fill_entry(io_uring_sqe& entry, const SendFile& op) noexcept {
  entry.opcode = IORING_OP_POLL_ADD;
  entry.fd = op.fd;
  entry.poll32_events = POLLOUT;
}

inline void fill_entry(io_uring_sqe& entry, const Connect& op) noexcept {
  entry.opcode = IORING_OP_CONNECT;
  entry.fd = op.fd;
  entry.addr = reinterpret_cast<std::uintptr_t>(op.address);
  entry.off = op.size;
}

inline void fill_entry(io_uring_sqe& entry, const Shutdown& op) noexcept {
  entry.opcode = IORING_OP_SHUTDOWN;
  entry.fd = op.fd;
  entry.len = static_cast<std::uint32_t>(op.how);
}

// All bits set means "where the file's own position is" to the kernel; any other offset that is
// out of range is refused, as it is to be.
inline std::uint64_t explicit_offset(std::uint64_t offset) noexcept {
  return offset == UINT64_MAX ? std::uint64_t{1} << 63 : offset;
}

inline void fill_entry(io_uring_sqe& entry, const ReadAt& op) noexcept {
  entry.opcode = IORING_OP_READ;
  entry.fd = op.fd;
  fill_memory(entry, op.data, op.size);
  entry.off = explicit_offset(op.offset);
}

inline void fill_entry(io_uring_sqe& entry, const WriteAt& op) noexcept {
  entry.opcode = IORING_OP_WRITE;
  entry.fd = op.fd;
  fill_memory(entry, op.data, op.size);
  entry.off = explicit_offset(op.offset);
}

inline void fill_entry(io_uring_sqe& entry, const PollReadable& op) noexcept {
  entry.opcode = IORING_OP_POLL_ADD;
  entry.fd = op.fd;
  entry.poll32_events = POLLIN;
  entry.len = IORING_POLL_ADD_MULTI;
}

inline void fill_entry(io_uring_sqe& entry, const Cancel& op) noexcept {
  entry.opcode = IORING_OP_ASYNC_CANCEL;
  entry.fd = -1;
  entry.addr = op.target;
}

inline void fill_entry(io_uring_sqe& entry, const Close& op) noexcept {
  entry.opcode = IORING_OP_CLOSE;
  if (made_by_backend(op.fd)) {
    entry.file_index = static_cast<std::uint32_t>(op.fd - kBackendDescriptor) + 1;
  } else {
    entry.fd = op.fd;
  }
  entry.flags = IOSQE_CQE_SKIP_SUCCESS;
}

inline void fill_entry(io_uring_sqe& entry, const FutexWait& op) noexcept {
  entry.opcode = uring_abi::kOpFutexWait;
  entry.fd = uring_abi::kFutexU32 | uring_abi::kFutexPrivate;
  entry.addr = reinterpret_cast<std::uintptr_t>(op.word);
  entry.off = op.expected;
  entry.addr3 = uring_abi::kFutexAnyBit;
}

// Makes the entry name a slot of the ring's own table, if it names one of the back end's
// descriptors.
inline void use_own_table(io_uring_sqe& entry) noexcept {
  if (!made_by_backend(entry.fd)) return;
  entry.fd -= kBackendDescriptor;
  entry.flags |= IOSQE_FIXED_FILE;
}

// Makes closing the socket throw away what was not sent. An older kernel fails it (before 6.7).
void fill_reset_on_close(io_uring_sqe& entry, int fd) noexcept;

}  // namespace weft::ksvc
