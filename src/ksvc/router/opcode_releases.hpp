// Which io_uring operation came with which release of Linux.
//
// From the kernel's own history (include/uapi/linux/io_uring.h); a kernel may have been built
// without the subsystem behind an operation, and a distribution may have taken one back to an older
// kernel: only asking tells. Constant data; safe from any thread.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>

namespace weft::ksvc {

struct KernelRelease {
  std::uint16_t version;
  std::uint16_t patch_level;

  friend constexpr auto operator<=>(const KernelRelease&, const KernelRelease&) = default;
};

// The releases with tables that are checked against recordings: the long-lived ones of
// distributions, and those where calls went over to the ring.
inline constexpr KernelRelease kKernel6_1{6, 1};
inline constexpr KernelRelease kKernel6_8{6, 8};
inline constexpr KernelRelease kKernel6_11{6, 11};
inline constexpr KernelRelease kKernel6_12{6, 12};
inline constexpr KernelRelease kKernel6_14{6, 14};
inline constexpr KernelRelease kKernel6_16{6, 16};
inline constexpr KernelRelease kKernel6_18{6, 18};

inline constexpr KernelRelease kOpcodeReleases[] = {
    {5, 1},   // NOP
    {5, 1},   // READV
    {5, 1},   // WRITEV
    {5, 1},   // FSYNC
    {5, 1},   // READ_FIXED
    {5, 1},   // WRITE_FIXED
    {5, 1},   // POLL_ADD
    {5, 1},   // POLL_REMOVE
    {5, 2},   // SYNC_FILE_RANGE
    {5, 3},   // SENDMSG
    {5, 3},   // RECVMSG
    {5, 4},   // TIMEOUT
    {5, 5},   // TIMEOUT_REMOVE
    {5, 5},   // ACCEPT
    {5, 5},   // ASYNC_CANCEL
    {5, 5},   // LINK_TIMEOUT
    {5, 5},   // CONNECT
    {5, 6},   // FALLOCATE
    {5, 6},   // OPENAT
    {5, 6},   // CLOSE
    {5, 6},   // FILES_UPDATE
    {5, 6},   // STATX
    {5, 6},   // READ
    {5, 6},   // WRITE
    {5, 6},   // FADVISE
    {5, 6},   // MADVISE
    {5, 6},   // SEND
    {5, 6},   // RECV
    {5, 6},   // OPENAT2
    {5, 6},   // EPOLL_CTL
    {5, 7},   // SPLICE
    {5, 7},   // PROVIDE_BUFFERS
    {5, 7},   // REMOVE_BUFFERS
    {5, 8},   // TEE
    {5, 11},  // SHUTDOWN
    {5, 11},  // RENAMEAT
    {5, 11},  // UNLINKAT
    {5, 15},  // MKDIRAT
    {5, 15},  // SYMLINKAT
    {5, 15},  // LINKAT
    {5, 18},  // MSG_RING
    {5, 19},  // FSETXATTR
    {5, 19},  // SETXATTR
    {5, 19},  // FGETXATTR
    {5, 19},  // GETXATTR
    {5, 19},  // SOCKET
    {5, 19},  // URING_CMD
    {6, 0},   // SEND_ZC
    {6, 1},   // SENDMSG_ZC
    {6, 7},   // READ_MULTISHOT
    {6, 7},   // WAITID
    {6, 7},   // FUTEX_WAIT
    {6, 7},   // FUTEX_WAKE
    {6, 7},   // FUTEX_WAITV
    {6, 8},   // FIXED_FD_INSTALL
    {6, 9},   // FTRUNCATE
    {6, 11},  // BIND
    {6, 11},  // LISTEN
    {6, 15},  // RECV_ZC
    {6, 15},  // EPOLL_WAIT
    {6, 15},  // READV_FIXED
    {6, 15},  // WRITEV_FIXED
    {6, 16},  // PIPE
    {6, 19},  // NOP128
    {6, 19},  // URING_CMD128
};
inline constexpr std::size_t kKnownOpcodes = std::size(kOpcodeReleases);

constexpr bool release_has_opcode(KernelRelease release, std::uint8_t opcode) noexcept {
  return opcode < kKnownOpcodes && kOpcodeReleases[opcode] <= release;
}

}  // namespace weft::ksvc
