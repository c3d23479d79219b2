// The io_uring kernel interface that is newer than the oldest headers weft builds with (liburing
// 2.3, Linux 6.1): numbers from the kernel's stable ABI, under names of our own.
//
// Own names, because newer headers define the kernel's names as macros and enumerators. Everything
// older than Linux 6.1 is used from <liburing.h>. A number here says nothing about whether
// the running kernel knows it: ask KernelFeatures. Constants only; safe from any thread.
#pragma once

#include <cstdint>

namespace weft::ksvc::uring_abi {

// Operations (io_uring_sqe::opcode).
inline constexpr std::uint8_t kOpReadMultishot = 49;   // 6.7
inline constexpr std::uint8_t kOpWaitid = 50;          // 6.7
inline constexpr std::uint8_t kOpFutexWait = 51;       // 6.7
inline constexpr std::uint8_t kOpFutexWake = 52;       // 6.7
inline constexpr std::uint8_t kOpFutexWaitv = 53;      // 6.7
inline constexpr std::uint8_t kOpFixedFdInstall = 54;  // 6.8
inline constexpr std::uint8_t kOpFtruncate = 55;       // 6.9
inline constexpr std::uint8_t kOpBind = 56;            // 6.11
inline constexpr std::uint8_t kOpListen = 57;          // 6.11
inline constexpr std::uint8_t kOpRecvZc = 58;          // 6.15
inline constexpr std::uint8_t kOpEpollWait = 59;       // 6.15
inline constexpr std::uint8_t kOpReadvFixed = 60;      // 6.15
inline constexpr std::uint8_t kOpWritevFixed = 61;     // 6.15
inline constexpr std::uint8_t kOpPipe = 62;            // 6.16
inline constexpr std::uint8_t kNoOperation = 255;      // never one

// Set-up flags (io_uring_params::flags).
inline constexpr std::uint32_t kSetupNoMmap = 1U << 14;            // 6.5
inline constexpr std::uint32_t kSetupRegisteredFdOnly = 1U << 15;  // 6.5
// Changes the ring's layout: liburing before 2.5 misreads such a ring and corrupts it. Ask for it
// only on a ring that is closed unused, or with a library that knows it.
inline constexpr std::uint32_t kSetupNoSqarray = 1U << 16;  // 6.6

// Feature bits (io_uring_params::features).
inline constexpr std::uint32_t kFeatRegRegRing = 1U << 13;      // 6.3
inline constexpr std::uint32_t kFeatRecvsendBundle = 1U << 14;  // 6.10
inline constexpr std::uint32_t kFeatMinTimeout = 1U << 15;      // 6.12
inline constexpr std::uint32_t kFeatRwAttr = 1U << 16;          // 6.13
inline constexpr std::uint32_t kFeatNoIowait = 1U << 17;        // 6.15

// io_uring_enter() flags.
inline constexpr std::uint32_t kEnterAbsTimer = 1U << 5;   // 6.12
inline constexpr std::uint32_t kEnterExtArgReg = 1U << 6;  // 6.13
inline constexpr std::uint32_t kEnterNoIowait = 1U << 7;   // 6.15

// io_uring_register() commands and the flags of a provided buffer ring.
inline constexpr unsigned kRegisterPbufStatus = 26;             // 6.8
inline constexpr unsigned kRegisterNapi = 27;                   // 6.9
inline constexpr unsigned kRegisterClock = 29;                  // 6.12
inline constexpr unsigned kRegisterSendMsgRing = 31;            // 6.13
inline constexpr unsigned kRegisterResizeRings = 33;            // 6.13
inline constexpr std::uint16_t kPbufRingMmap = 1U << 0;         // 6.4
inline constexpr std::uint16_t kPbufRingIncremental = 1U << 1;  // 6.12

// Flags of a single operation (io_uring_sqe::ioprio) and of its completion (io_uring_cqe::flags).
inline constexpr std::uint16_t kSendZcReportUsage = 1U << 3;  // 6.2
inline constexpr std::uint16_t kRecvsendBundle = 1U << 4;     // 6.10
inline constexpr std::uint16_t kAcceptDontwait = 1U << 1;     // 6.10
inline constexpr std::uint16_t kAcceptPollFirst = 1U << 2;    // 6.10
inline constexpr std::uint32_t kCqeBufferMore = 1U << 4;      // 6.12

// Commands to a socket (io_uring_sqe::cmd_op of IORING_OP_URING_CMD).
inline constexpr std::uint32_t kSocketSetsockopt = 3;  // 6.7

// Arguments of the futex operations, which are those of futex_wait() (6.7).
inline constexpr int kFutexU32 = 0x02;
inline constexpr int kFutexPrivate = 128;
inline constexpr std::uint64_t kFutexAnyBit = 0xFFFFFFFF;

// Not io_uring, but as new: guard pages without a mapping of their own (madvise(), 6.13).
inline constexpr int kMadvGuardInstall = 102;
inline constexpr int kMadvGuardRemove = 103;

// Nor these: the system calls of 6.7 whose operations are above.
inline constexpr int kSysFutexWake = 454;
inline constexpr int kSysFutexWait = 455;

}  // namespace weft::ksvc::uring_abi
