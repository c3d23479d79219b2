// The system calls a router knows something about, as data: name, number, and where each may go.
//
// A call that is not in the table goes to the worker pool. A ring row names the io_uring operation
// that does the call; whether the kernel has that operation is the router's business, and where it
// has not the call goes to the pool. A shared-page row names the fact that answers it, or none
// where a clock does. Constant data, also for the compiler; safe from any thread.
#pragma once

#include <liburing.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "ksvc/backend/uring_abi.hpp"
#include "ksvc/core/shared_page.hpp"
#include "ksvc/core/syscall_router.hpp"

namespace weft::ksvc {

struct SyscallRow {
  const char* name;
  std::int16_t nr;
  Tier tier;
  std::uint8_t opcode = 0;                  // for Tier::ring
  std::optional<Fact> fact = std::nullopt;  // for Tier::shared_page
};

namespace syscall_rows {

constexpr SyscallRow ring(const char* name, int nr, int opcode) {
  return {name, static_cast<std::int16_t>(nr), Tier::ring, static_cast<std::uint8_t>(opcode)};
}
constexpr SyscallRow page(const char* name, int nr, Fact fact) {
  return {name, static_cast<std::int16_t>(nr), Tier::shared_page, 0, fact};
}
constexpr SyscallRow clock(const char* name, int nr) {
  return {name, static_cast<std::int16_t>(nr), Tier::shared_page};
}
constexpr SyscallRow inlined(const char* name, int nr) {
  return {name, static_cast<std::int16_t>(nr), Tier::inline_only};
}
constexpr SyscallRow refused(const char* name, int nr) {
  return {name, static_cast<std::int16_t>(nr), Tier::refused};
}

// Newer than the oldest headers; numbers of this age are the same on every architecture.
constexpr int kMapShadowStack = 453;
constexpr int kLsmGetSelfAttr = 459;
constexpr int kLsmSetSelfAttr = 460;
constexpr int kUretprobe = 335;  // x86-64 alone

inline constexpr SyscallRow kSyscallTable[] = {
    // Files.
    ring("read", SYS_read, IORING_OP_READ),
    ring("write", SYS_write, IORING_OP_WRITE),
    ring("readv", SYS_readv, IORING_OP_READV),
    ring("writev", SYS_writev, IORING_OP_WRITEV),
    ring("pread64", SYS_pread64, IORING_OP_READ),
    ring("pwrite64", SYS_pwrite64, IORING_OP_WRITE),
    ring("preadv", SYS_preadv, IORING_OP_READV),
    ring("pwritev", SYS_pwritev, IORING_OP_WRITEV),
    ring("preadv2", SYS_preadv2, IORING_OP_READV),
    ring("pwritev2", SYS_pwritev2, IORING_OP_WRITEV),
    ring("openat", SYS_openat, IORING_OP_OPENAT),
    ring("openat2", SYS_openat2, IORING_OP_OPENAT2),
    ring("close", SYS_close, IORING_OP_CLOSE),
    ring("statx", SYS_statx, IORING_OP_STATX),
    ring("fsync", SYS_fsync, IORING_OP_FSYNC),
    ring("fdatasync", SYS_fdatasync, IORING_OP_FSYNC),
    ring("sync_file_range", SYS_sync_file_range, IORING_OP_SYNC_FILE_RANGE),
    ring("fallocate", SYS_fallocate, IORING_OP_FALLOCATE),
    ring("ftruncate", SYS_ftruncate, uring_abi::kOpFtruncate),
    ring("fadvise64", SYS_fadvise64, IORING_OP_FADVISE),
    ring("madvise", SYS_madvise, IORING_OP_MADVISE),
    ring("renameat2", SYS_renameat2, IORING_OP_RENAMEAT),
    ring("unlinkat", SYS_unlinkat, IORING_OP_UNLINKAT),
    ring("mkdirat", SYS_mkdirat, IORING_OP_MKDIRAT),
    ring("symlinkat", SYS_symlinkat, IORING_OP_SYMLINKAT),
    ring("linkat", SYS_linkat, IORING_OP_LINKAT),
    ring("setxattr", SYS_setxattr, IORING_OP_SETXATTR),
    ring("fsetxattr", SYS_fsetxattr, IORING_OP_FSETXATTR),
    ring("getxattr", SYS_getxattr, IORING_OP_GETXATTR),
    ring("fgetxattr", SYS_fgetxattr, IORING_OP_FGETXATTR),
    ring("splice", SYS_splice, IORING_OP_SPLICE),
    ring("tee", SYS_tee, IORING_OP_TEE),
    ring("pipe2", SYS_pipe2, uring_abi::kOpPipe),

    // Sockets.
    ring("socket", SYS_socket, IORING_OP_SOCKET),
    ring("bind", SYS_bind, uring_abi::kOpBind),
    ring("listen", SYS_listen, uring_abi::kOpListen),
    ring("accept", SYS_accept, IORING_OP_ACCEPT),
    ring("accept4", SYS_accept4, IORING_OP_ACCEPT),
    ring("connect", SYS_connect, IORING_OP_CONNECT),
    ring("sendto", SYS_sendto, IORING_OP_SEND),
    ring("recvfrom", SYS_recvfrom, IORING_OP_RECV),
    ring("sendmsg", SYS_sendmsg, IORING_OP_SENDMSG),
    ring("recvmsg", SYS_recvmsg, IORING_OP_RECVMSG),
    ring("shutdown", SYS_shutdown, IORING_OP_SHUTDOWN),

    // Waiting.
    ring("epoll_ctl", SYS_epoll_ctl, IORING_OP_EPOLL_CTL),
    ring("clock_nanosleep", SYS_clock_nanosleep, IORING_OP_TIMEOUT),
    ring("nanosleep", SYS_nanosleep, IORING_OP_TIMEOUT),
    ring("waitid", SYS_waitid, uring_abi::kOpWaitid),
    ring("futex_wake", uring_abi::kSysFutexWake, uring_abi::kOpFutexWake),
    ring("futex_wait", uring_abi::kSysFutexWait, uring_abi::kOpFutexWait),
    ring("futex_waitv", SYS_futex_waitv, uring_abi::kOpFutexWaitv),

#if defined(__x86_64__)
    // The older spellings that x86-64 still has.
    ring("open", SYS_open, IORING_OP_OPENAT),
    ring("creat", SYS_creat, IORING_OP_OPENAT),
    ring("rename", SYS_rename, IORING_OP_RENAMEAT),
    ring("renameat", SYS_renameat, IORING_OP_RENAMEAT),
    ring("unlink", SYS_unlink, IORING_OP_UNLINKAT),
    ring("rmdir", SYS_rmdir, IORING_OP_UNLINKAT),
    ring("mkdir", SYS_mkdir, IORING_OP_MKDIRAT),
    ring("symlink", SYS_symlink, IORING_OP_SYMLINKAT),
    ring("link", SYS_link, IORING_OP_LINKAT),
    ring("pipe", SYS_pipe, uring_abi::kOpPipe),
    ring("poll", SYS_poll, IORING_OP_POLL_ADD),
    ring("epoll_wait", SYS_epoll_wait, uring_abi::kOpEpollWait),
    clock("time", SYS_time),
    inlined("arch_prctl", SYS_arch_prctl),
    inlined("set_thread_area", SYS_set_thread_area),
    inlined("get_thread_area", SYS_get_thread_area),
    inlined("ioperm", SYS_ioperm),
    inlined("iopl", SYS_iopl),
    inlined("pause", SYS_pause),
    refused("fork", SYS_fork),
    refused("vfork", SYS_vfork),
    refused("uretprobe", kUretprobe),
#endif

    // Facts that are mapped into the process. A page gives each thread its own credentials. Not
    // getppid: a parent that ends is replaced without notice.
    page("getpid", SYS_getpid, Fact::pid),
    page("getuid", SYS_getuid, Fact::uid),
    page("geteuid", SYS_geteuid, Fact::euid),
    page("getgid", SYS_getgid, Fact::gid),
    page("getegid", SYS_getegid, Fact::egid),
    clock("clock_gettime", SYS_clock_gettime),
    clock("clock_getres", SYS_clock_getres),
    clock("gettimeofday", SYS_gettimeofday),

    // About the calling thread: identity, credentials, signals, scheduling, namespaces.
    inlined("gettid", SYS_gettid),
    inlined("set_tid_address", SYS_set_tid_address),
    inlined("set_robust_list", SYS_set_robust_list),
    inlined("get_robust_list", SYS_get_robust_list),
    inlined("rseq", SYS_rseq),
    inlined("prctl", SYS_prctl),
    inlined("personality", SYS_personality),
    inlined("getresuid", SYS_getresuid),
    inlined("getresgid", SYS_getresgid),
    inlined("getgroups", SYS_getgroups),
    inlined("setuid", SYS_setuid),
    inlined("setgid", SYS_setgid),
    inlined("setreuid", SYS_setreuid),
    inlined("setregid", SYS_setregid),
    inlined("setresuid", SYS_setresuid),
    inlined("setresgid", SYS_setresgid),
    inlined("setfsuid", SYS_setfsuid),
    inlined("setfsgid", SYS_setfsgid),
    inlined("setgroups", SYS_setgroups),
    inlined("capget", SYS_capget),
    inlined("capset", SYS_capset),
    inlined("rt_sigprocmask", SYS_rt_sigprocmask),
    inlined("rt_sigpending", SYS_rt_sigpending),
    inlined("rt_sigsuspend", SYS_rt_sigsuspend),
    inlined("rt_sigtimedwait", SYS_rt_sigtimedwait),
    inlined("sigaltstack", SYS_sigaltstack),
    inlined("sched_yield", SYS_sched_yield),
    inlined("sched_setaffinity", SYS_sched_setaffinity),
    inlined("sched_getaffinity", SYS_sched_getaffinity),
    inlined("sched_setscheduler", SYS_sched_setscheduler),
    inlined("sched_getscheduler", SYS_sched_getscheduler),
    inlined("sched_setparam", SYS_sched_setparam),
    inlined("sched_getparam", SYS_sched_getparam),
    inlined("sched_setattr", SYS_sched_setattr),
    inlined("sched_getattr", SYS_sched_getattr),
    inlined("sched_rr_get_interval", SYS_sched_rr_get_interval),
    inlined("setpriority", SYS_setpriority),
    inlined("getpriority", SYS_getpriority),
    inlined("ioprio_set", SYS_ioprio_set),
    inlined("ioprio_get", SYS_ioprio_get),
    inlined("getrusage", SYS_getrusage),
    inlined("getcpu", SYS_getcpu),
    inlined("set_mempolicy", SYS_set_mempolicy),
    inlined("get_mempolicy", SYS_get_mempolicy),
    inlined("unshare", SYS_unshare),
    inlined("setns", SYS_setns),
    inlined("close_range", SYS_close_range),  // may unshare the thread's descriptors
    inlined("seccomp", SYS_seccomp),
    inlined("landlock_restrict_self", SYS_landlock_restrict_self),
    inlined("lsm_get_self_attr", kLsmGetSelfAttr),
    inlined("lsm_set_self_attr", kLsmSetSelfAttr),
    inlined("keyctl", SYS_keyctl),
    inlined("add_key", SYS_add_key),
    inlined("request_key", SYS_request_key),
    inlined("ptrace", SYS_ptrace),
    inlined("perf_event_open", SYS_perf_event_open),
    // A ring made for a single issuer belongs to the thread that made it.
    inlined("io_uring_setup", SYS_io_uring_setup),
    inlined("io_uring_enter", SYS_io_uring_enter),
    inlined("io_uring_register", SYS_io_uring_register),

    // Short, and an address, an offset or a length of 64 bits may come back: a completion has 32.
    inlined("mmap", SYS_mmap),
    inlined("mremap", SYS_mremap),
    inlined("brk", SYS_brk),
    inlined("shmat", SYS_shmat),
    inlined("map_shadow_stack", kMapShadowStack),
    inlined("lseek", SYS_lseek),
    inlined("times", SYS_times),

    // Limits, which a shared page knows too.
    inlined("setrlimit", SYS_setrlimit),
    inlined("prlimit64", SYS_prlimit64),

    // Would copy or end the process, or return to a stack that is not there.
    refused("clone", SYS_clone),
    refused("clone3", SYS_clone3),
    refused("execve", SYS_execve),
    refused("execveat", SYS_execveat),
    refused("exit", SYS_exit),
    refused("exit_group", SYS_exit_group),
    refused("rt_sigreturn", SYS_rt_sigreturn),
    refused("restart_syscall", SYS_restart_syscall),
};

}  // namespace syscall_rows

constexpr std::span<const SyscallRow> syscall_table() noexcept {
  return syscall_rows::kSyscallTable;
}

// Above every number a kernel has given out so far; what lies beyond goes to the pool.
inline constexpr std::size_t kSyscallNumbers = 512;
static_assert(std::ranges::all_of(syscall_table(), [](const SyscallRow& row) {
  return row.nr >= 0 && static_cast<std::size_t>(row.nr) < kSyscallNumbers;
}));

namespace syscall_rows {
inline constexpr auto kFactByNumber = [] {
  std::array<std::optional<Fact>, kSyscallNumbers> facts{};
  for (const SyscallRow& row : syscall_table()) facts[static_cast<std::size_t>(row.nr)] = row.fact;
  return facts;
}();
}  // namespace syscall_rows

// The fact that answers a call of Tier::shared_page; nothing where it is a clock that does.
constexpr std::optional<Fact> answering_fact(long nr) noexcept {
  if (static_cast<unsigned long>(nr) >= kSyscallNumbers) return std::nullopt;
  return syscall_rows::kFactByNumber[static_cast<std::size_t>(nr)];
}

}  // namespace weft::ksvc
