// System calls done as ring operations give what the calls themselves give; what the operations
// cannot express is refused beforehand.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/openat2.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include <array>
#include <atomic>
#include <filesystem>
#include <functional>
#include <string>

#include "ksvc/backend/backend_harness.hpp"
#include "ksvc/backend/basic_io_uring.hpp"
#include "ksvc/backend/fixed_file_io_uring.hpp"
#include "ksvc/backend/uring_abi.hpp"
#include "ksvc/router/kernel_features.hpp"
#include "ksvc/router/syscall_table.hpp"

namespace weft::ksvc {
namespace {

constexpr long kFutexWake = 454;
constexpr long kFutexWait = 455;

template <class T>
std::uint64_t bits(T value) {
  if constexpr (std::is_null_pointer_v<T>) {
    return 0;
  } else if constexpr (std::is_pointer_v<T>) {
    return reinterpret_cast<std::uintptr_t>(value);
  } else {
    return static_cast<std::uint64_t>(value);
  }
}

template <class... Arguments>
SystemCall make_call(long nr, Arguments... arguments) {
  std::uint8_t opcode = uring_abi::kNoOperation;
  for (const SyscallRow& row : syscall_table()) {
    if (row.nr == nr && row.tier == Tier::ring) opcode = row.opcode;
  }
  return {nr, opcode, {bits(arguments)...}};
}

// Does a call, one way or the other, and gives a count, zero for a descriptor, or -errno.
using Do = std::function<long(const SystemCall&)>;

long do_directly(const SystemCall& call) {
  const auto& a = call.arguments;
  const long result = ::syscall(call.nr, a[0], a[1], a[2], a[3], a[4], a[5]);
  return result < 0 ? -errno : result;
}

template <class Backend>
class UringCallTest : public BackendTest<Backend> {
 protected:
  long on_ring(const SystemCall& call) {
    EXPECT_TRUE(Backend::performs(call)) << "call " << call.nr;
    const CorrelationId id = next_id_++;
    this->backend().submit(call, id);
    return this->await_final(id).result;
  }
  // Kernels before the operation do the call itself, as a router would have it.
  Do ring_where_possible() {
    return [this](const SystemCall& call) {
      return features_.uring_opcodes[call.opcode] ? on_ring(call) : do_directly(call);
    };
  }
  bool has(std::uint8_t opcode) const { return features_.uring_opcodes[opcode]; }

 private:
  KernelFeatures features_ = probe_kernel_features();
  CorrelationId next_id_ = 1;
};

using UringSystemCallTest = UringCallTest<BasicIoUring>;

// An empty folder that goes with the scope.
class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "weft-calls-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
    fd_ = ::open(path_.c_str(), O_DIRECTORY | O_CLOEXEC);
  }
  ~Folder() {
    ::close(fd_);
    std::filesystem::remove_all(path_);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  int fd() const { return fd_; }
  std::string in(const char* name) const { return path_ + "/" + name; }

 private:
  std::string path_;
  int fd_ = -1;
};

std::vector<long> use_a_file(const Do& call) {
  Folder folder;
  std::vector<long> got;
  const auto note = [&](const auto&... what) { got.push_back(call(make_call(what...))); };
  const long opened =
      call(make_call(SYS_openat, folder.fd(), "a", O_CREAT | O_RDWR | O_CLOEXEC, 0640));
  got.push_back(opened >= 0);
  const int fd = static_cast<int>(opened);
  std::array<char, 32> memory{};
  iovec pieces[2] = {{memory.data(), 3}, {memory.data() + 3, 5}};
  iovec out[2] = {{const_cast<char*>("abc"), 3}, {const_cast<char*>("defgh"), 5}};
  note(SYS_write, fd, "0123456789", 10);
  note(SYS_pwrite64, fd, "xy", 2, 4);
  note(SYS_writev, fd, out, 2);
  note(SYS_pwritev, fd, out, 1, 20, 0);
  note(SYS_pwritev2, fd, out, 1, -1L, 0, 0);
  note(SYS_pread64, fd, memory.data(), 32, 0);
  got.insert(got.end(), memory.begin(), memory.end());
  note(SYS_read, fd, memory.data(), 32);
  note(SYS_preadv, fd, pieces, 2, 2, 0);
  note(SYS_preadv2, fd, pieces, 2, 5, 0, 0);
  got.insert(got.end(), memory.begin(), memory.end());
  got.push_back(::lseek(fd, 0, SEEK_CUR));
  got.push_back(::lseek(fd, 3, SEEK_SET));
  note(SYS_readv, fd, pieces, 2);
  note(SYS_readv, fd, pieces, 5000);
  note(SYS_read, fd, nullptr, 5);
  note(SYS_pread64, fd, memory.data(), 32, 1000);
  note(SYS_fsync, fd);
  note(SYS_fdatasync, fd);
  note(SYS_sync_file_range, fd, 0, 0, 0);
  note(SYS_fallocate, fd, 0, 100, 50);
  note(SYS_fallocate, fd, 0, -1, 50);
  struct statx status{};
  note(SYS_statx, folder.fd(), "a", 0, STATX_SIZE | STATX_MODE, &status);
  got.push_back(static_cast<long>(status.stx_size));
  got.push_back(status.stx_mode);
  note(SYS_ftruncate, fd, 7);
  note(SYS_statx, fd, "", AT_EMPTY_PATH, STATX_SIZE, &status);
  got.push_back(static_cast<long>(status.stx_size));
  note(SYS_fadvise64, fd, 0, 0, POSIX_FADV_SEQUENTIAL);
  note(SYS_fadvise64, fd, 0, 0, 99);
  note(SYS_fsetxattr, fd, "user.colour", "blue", 4, 0);
  note(SYS_fgetxattr, fd, "user.colour", memory.data(), 32);
  const std::string name = folder.in("a");
  note(SYS_setxattr, name.c_str(), "user.colour", "red", 3, 2);
  note(SYS_getxattr, name.c_str(), "user.colour", memory.data(), 32);
  note(SYS_getxattr, name.c_str(), "user.none", memory.data(), 32);
  got.insert(got.end(), memory.begin(), memory.end());
  note(SYS_close, fd);
  note(SYS_close, fd);
  note(SYS_read, fd, memory.data(), 1);
  note(SYS_write, -1, "x", 1);
  note(SYS_fsync, 99'999);
  return got;
}

TEST_F(UringSystemCallTest, file_is_used_as_by_the_calls_themselves) {
  EXPECT_EQ(use_a_file(ring_where_possible()), use_a_file(do_directly));
}

std::vector<long> use_paths(const Do& call) {
  Folder folder;
  const int at = folder.fd();
  std::vector<long> got;
  const auto note = [&](const auto&... what) { got.push_back(call(make_call(what...))); };
  const auto open = [&](const auto&... what) {
    const long fd = call(make_call(what...));
    got.push_back(fd >= 0 ? 0 : fd);
    if (fd >= 0) ::close(static_cast<int>(fd));
  };
  note(SYS_mkdirat, at, "d", 0700);
  note(SYS_mkdirat, at, "d", 0700);
  open(SYS_openat, at, "d/f", O_CREAT | O_WRONLY, 0600);
  open(SYS_openat, at, "none", O_RDONLY, 0);
  open(SYS_openat, at, "d/f", O_CREAT | O_EXCL, 0600);
  open(SYS_openat, at, nullptr, O_RDONLY, 0);
  open_how beneath{O_RDONLY, 0, RESOLVE_BENEATH};
  open(SYS_openat2, at, "d/f", &beneath, sizeof beneath);
  open(SYS_openat2, at, "../d", &beneath, sizeof beneath);
  open(SYS_openat2, at, "d/f", &beneath, 3);
  note(SYS_linkat, at, "d/f", at, "g", 0);
  note(SYS_linkat, at, "d/f", at, "g", 0);
  note(SYS_symlinkat, "d/f", at, "s");
  note(SYS_renameat2, at, "g", at, "s", 1);
  note(SYS_renameat2, at, "g", at, "h", 0);
  note(SYS_unlinkat, at, "d", 0);
  note(SYS_unlinkat, at, "d", AT_REMOVEDIR);
  note(SYS_unlinkat, at, "h", 0);
  note(SYS_unlinkat, at, "h", 0);
  note(SYS_unlinkat, at, "s", 0x4000'0000);
#if defined(__x86_64__)
  const auto in = [&](const char* name) { return folder.in(name); };
  open(SYS_open, in("o").c_str(), O_CREAT | O_WRONLY, 0600);
  open(SYS_creat, in("c").c_str(), 0600);
  note(SYS_rename, in("o").c_str(), in("p").c_str());
  note(SYS_renameat, at, "p", at, "q");
  note(SYS_link, in("q").c_str(), in("r").c_str());
  note(SYS_symlink, "q", in("l").c_str());
  note(SYS_mkdir, in("m").c_str(), 0700);
  note(SYS_rmdir, in("m").c_str());
  note(SYS_rmdir, in("q").c_str());
  note(SYS_unlink, in("q").c_str());
  note(SYS_unlink, in("q").c_str());
#endif
  std::vector<std::string> left;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder.in(""))) {
    left.push_back(entry.path().filename());
  }
  std::sort(left.begin(), left.end());
  for (const std::string& name : left) got.insert(got.end(), name.begin(), name.end());
  return got;
}

TEST_F(UringSystemCallTest, paths_are_made_and_removed_as_by_the_calls_themselves) {
  EXPECT_EQ(use_paths(ring_where_possible()), use_paths(do_directly));
}

std::vector<long> use_sockets(const Do& call) {
  std::vector<long> got;
  const auto note = [&](const auto&... what) { got.push_back(call(make_call(what...))); };
  const auto open = [&](const auto&... what) {
    const long fd = call(make_call(what...));
    got.push_back(fd >= 0 ? 0 : fd);
    return static_cast<int>(fd);
  };
  const int listener = open(SYS_socket, AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  open(SYS_socket, 12'345, SOCK_STREAM, 0);
  sockaddr_in address = loopback(0);
  note(SYS_bind, listener, &address, sizeof address);
  socklen_t size = sizeof address;
  EXPECT_EQ(::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size), 0);
  const int client = open(SYS_socket, AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int refused = open(SYS_socket, AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  note(SYS_connect, refused, &address, sizeof address);
  note(SYS_listen, listener, 16);
  note(SYS_connect, client, &address, sizeof address);
  note(SYS_connect, client, &address, 3);
  sockaddr_in from{};
  size = sizeof from;
  const int served = open(SYS_accept4, listener, &from, &size, SOCK_CLOEXEC);
  got.push_back(from.sin_family);
  got.push_back(::fcntl(served, F_GETFD));
  open(SYS_accept4, listener, nullptr, nullptr, 0x7000'0000);
  note(SYS_sendto, client, "hello", 5, MSG_NOSIGNAL, nullptr, 0);
  std::array<char, 32> memory{};
  note(SYS_recvfrom, served, memory.data(), 2, MSG_PEEK, nullptr, nullptr);
  note(SYS_recvfrom, served, memory.data(), 5, MSG_WAITALL, nullptr, nullptr);
  note(SYS_recvfrom, served, memory.data(), 5, MSG_DONTWAIT, nullptr, nullptr);
  iovec pieces[2] = {{memory.data() + 8, 4}, {memory.data() + 16, 4}};
  msghdr message{};
  message.msg_iov = pieces;
  message.msg_iovlen = 2;
  note(SYS_sendmsg, served, &message, MSG_NOSIGNAL);
  note(SYS_recvmsg, client, &message, 0);
  got.push_back(message.msg_flags);
  got.insert(got.end(), memory.begin(), memory.end());
  note(SYS_shutdown, client, SHUT_WR);
  note(SYS_shutdown, client, 77);
  note(SYS_read, served, memory.data(), 5);
  note(SYS_sendto, -1, "x", 1, 0, nullptr, 0);
  note(SYS_accept, 99'999, nullptr, nullptr);
  for (const int fd : {listener, client, refused, served}) note(SYS_close, fd);
  return got;
}

TEST_F(UringSystemCallTest, sockets_are_used_as_by_the_calls_themselves) {
  EXPECT_EQ(use_sockets(ring_where_possible()), use_sockets(do_directly));
}

std::vector<long> use_pipes_and_waits(const Do& call) {
  std::vector<long> got;
  const auto note = [&](const auto&... what) { got.push_back(call(make_call(what...))); };
  int from[2] = {-1, -1};
  int to[2] = {-1, -1};
  note(SYS_pipe2, from, O_CLOEXEC);
  note(SYS_pipe2, to, O_CLOEXEC);
  note(SYS_pipe2, to, 0x7000'0000);
  got.push_back(::fcntl(from[0], F_GETFD));
  EXPECT_EQ(::write(from[1], "through", 7), 7);
  note(SYS_tee, from[0], to[1], 3, 0);
  note(SYS_splice, from[0], nullptr, to[1], nullptr, 7, 0);
  std::array<char, 32> memory{};
  note(SYS_read, to[0], memory.data(), 32);
  got.insert(got.end(), memory.begin(), memory.end());
  const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = 42;
  note(SYS_epoll_ctl, epoll, EPOLL_CTL_ADD, to[0], &event);
  note(SYS_epoll_ctl, epoll, EPOLL_CTL_ADD, to[0], &event);
  EXPECT_EQ(::write(to[1], "x", 1), 1);
#if defined(__x86_64__)
  epoll_event ready[2] = {};
  note(SYS_epoll_wait, epoll, ready, 2, -1);
  got.push_back(static_cast<long>(ready[0].data.u64));
  pollfd polled{to[0], POLLIN | POLLOUT, 0};
  note(SYS_poll, &polled, 1, -1);
  got.push_back(polled.revents);
  pollfd nothing{99'999, POLLIN, 0};
  note(SYS_poll, &nothing, 1, -1);
  got.push_back(nothing.revents);
#endif
  const timespec short_time{0, 1'000'000};
  note(SYS_nanosleep, &short_time, nullptr);
  note(SYS_clock_nanosleep, CLOCK_REALTIME, TIMER_ABSTIME, &short_time, nullptr);
  void* page = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  note(SYS_madvise, page, 4096, MADV_DONTNEED);
  note(SYS_madvise, page, 4096, 9999);
  ::munmap(page, 4096);
  const pid_t child = ::fork();
  if (child == 0) ::_exit(3);
  siginfo_t info{};
  note(SYS_waitid, P_PID, child, &info, WEXITED, nullptr);
  got.push_back(info.si_status);
  note(SYS_waitid, P_PID, child, &info, WEXITED, nullptr);
  for (const int fd : {from[0], from[1], to[0], to[1], epoll}) ::close(fd);
  return got;
}

TEST_F(UringSystemCallTest, pipes_and_waits_are_as_by_the_calls_themselves) {
  EXPECT_EQ(use_pipes_and_waits(ring_where_possible()), use_pipes_and_waits(do_directly));
}

TEST_F(UringSystemCallTest, futexes_are_woken_and_waited_for) {
  if (!has(uring_abi::kOpFutexWait)) GTEST_SKIP() << "the kernel has no futex operations (6.7)";
  std::atomic<std::uint32_t> word{1};
  constexpr unsigned kPrivate32 = uring_abi::kFutexU32 | uring_abi::kFutexPrivate;
  EXPECT_EQ(on_ring(make_call(kFutexWait, &word, 2, 0xFFFFFFFF, kPrivate32, nullptr, 0)), -EAGAIN);
  backend().submit(make_call(kFutexWait, &word, 1, 0xFFFFFFFF, kPrivate32, nullptr, 0), 1001);
  turn();
  EXPECT_EQ(on_ring(make_call(kFutexWake, &word, 0xFFFFFFFF, 1, kPrivate32)), 1);
  EXPECT_EQ(await_final(1001).result, 0);
  struct Waiter {
    std::uint64_t value;
    std::uint64_t address;
    std::uint32_t flags;
    std::uint32_t reserved;
  } waiters[1] = {{2, bits(&word), kPrivate32, 0}};
  EXPECT_EQ(on_ring(make_call(SYS_futex_waitv, waiters, 1, 0, nullptr, 0)), -EAGAIN);
}

TEST_F(UringSystemCallTest, call_can_be_cancelled_timed_and_linked) {
  const timespec long_time{1000, 0};
  backend().submit(make_call(SYS_nanosleep, &long_time, nullptr), 1);
  backend().submit(Cancel{-1, 1}, 2);
  EXPECT_EQ(await_final(1).result, -ECANCELED);
  EXPECT_EQ(await_final(2).result, 0);
  auto pair = make_pair();
  std::array<char, 4> memory{};
  backend().submit(
      Timed{make_call(SYS_recvfrom, pair.ours.get(), memory.data(), 4, 0, nullptr, nullptr), now()},
      3);
  EXPECT_EQ(await_final(3).result, -ECANCELED);
  const timespec short_time{0, 1000};
  backend().submit(Linked{make_call(SYS_sendto, pair.ours.get(), "hi", 2, 0, nullptr, 0)}, 4);
  backend().submit(make_call(SYS_nanosleep, &short_time, nullptr), 5);
  EXPECT_EQ(await_final(5).result, 0);
  EXPECT_EQ(await_final(4).result, 2);
}

TEST_F(UringSystemCallTest, what_cannot_be_expressed_is_refused_beforehand) {
  auto pair = make_pair();
  auto file = own(network().make_file("0123"));
  int pipe[2] = {-1, -1};
  ASSERT_EQ(::pipe2(pipe, O_CLOEXEC), 0);
  auto reader = own(pipe[0]);
  auto writer = own(pipe[1]);
  const auto refused = [](const SystemCall& call) { return !BasicIoUring::performs(call); };
  char memory[8];
  off_t offset = 0;
  timespec wrong{0, 2'000'000'000};
  timespec right{0, 1};
  sockaddr_in address = loopback(1);
  EXPECT_TRUE(refused(make_call(SYS_pread64, file.get(), memory, 4, -2L)));
  EXPECT_TRUE(refused(make_call(SYS_pread64, reader.get(), memory, 4, 0)));
  EXPECT_TRUE(refused(make_call(SYS_read, file.get(), memory, 1UL << 40)));
  EXPECT_TRUE(refused(make_call(SYS_preadv2, file.get(), memory, 0, 0, 0, 1)));
  EXPECT_TRUE(refused(make_call(SYS_write, writer.get(), memory, 4)));
  EXPECT_TRUE(refused(make_call(SYS_splice, file.get(), &offset, writer.get(), nullptr, 4, 0)));
  EXPECT_TRUE(refused(make_call(SYS_ftruncate, file.get(), -1L)));
  EXPECT_TRUE(refused(make_call(SYS_sendto, pair.ours.get(), memory, 4, 0, &address, 16)));
  EXPECT_TRUE(refused(make_call(SYS_recvfrom, pair.ours.get(), memory, 4, MSG_ERRQUEUE)));
  EXPECT_TRUE(refused(make_call(SYS_nanosleep, &wrong, nullptr)));
  EXPECT_TRUE(refused(make_call(SYS_clock_nanosleep, CLOCK_PROCESS_CPUTIME_ID, 0, &right)));
  EXPECT_TRUE(refused(make_call(kFutexWait, memory, 1, 1, 2, &right, 0)));
  EXPECT_TRUE(refused(make_call(kFutexWake, memory, 1, 0, 2)));
  EXPECT_TRUE(refused(make_call(SYS_getpid)));
  EXPECT_TRUE(refused({SYS_read, 99, {}})) << "not the operation that we know for it";
  EXPECT_TRUE(refused({-1, 0, {}}));
  EXPECT_TRUE(refused({1'000'000, 0, {}}));
#if defined(__x86_64__)
  pollfd two[2] = {};
  EXPECT_TRUE(refused(make_call(SYS_poll, two, 2, -1)));
  EXPECT_TRUE(refused(make_call(SYS_poll, two, 1, 10)));
  EXPECT_TRUE(refused(make_call(SYS_epoll_wait, 3, memory, 1, 0)));
#endif

  // What would be told that it cannot be done at once must not wait instead.
  const auto receive = make_call(SYS_recvfrom, pair.ours.get(), memory, 4, 0, nullptr, nullptr);
  EXPECT_FALSE(refused(receive));
  for (const int fd : {pair.ours.get(), reader.get()}) {
    ASSERT_EQ(::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK), 0);
  }
  EXPECT_TRUE(refused(receive));
  EXPECT_TRUE(refused(make_call(SYS_read, reader.get(), memory, 4)));
  EXPECT_TRUE(refused(make_call(SYS_accept, pair.ours.get(), nullptr, nullptr)));
  EXPECT_TRUE(refused(make_call(SYS_connect, pair.ours.get(), &address, sizeof address)));

  backend().submit(make_call(SYS_getpid), 1);
  EXPECT_EQ(await_final(1).result, -EINVAL) << "submitted all the same";
}

TEST_F(UringSystemCallTest, every_ring_row_of_the_table_can_be_expressed) {
  auto file = own(network().make_file(""));
  const timespec time{0, 1};
  [[maybe_unused]] pollfd polled{file.get(), POLLIN, 0};
  for (const SyscallRow& row : syscall_table()) {
    if (row.tier != Tier::ring) continue;
    SystemCall call{row.nr, row.opcode, {bits(file.get())}};
    if (row.nr == SYS_nanosleep) call.arguments = {bits(&time)};
    if (row.nr == SYS_clock_nanosleep) call.arguments = {CLOCK_MONOTONIC, 0, bits(&time)};
    if (row.nr == kFutexWake) call.arguments = {0, 1, 1};
    if (row.nr == SYS_splice) call.arguments = {bits(file.get()), 0, bits(file.get())};
#if defined(__x86_64__)
    if (row.nr == SYS_poll) call.arguments = {bits(&polled), 1, bits(-1)};
    if (row.nr == SYS_epoll_wait) call.arguments = {bits(file.get()), 0, 0, bits(-1)};
#endif
    EXPECT_TRUE(BasicIoUring::performs(call)) << row.name;
  }
}

using UringSlotCallTest = UringCallTest<FixedFileIoUring>;

TEST_F(UringSlotCallTest, calls_take_descriptors_that_the_back_end_made) {
  auto server = make_server();
  auto client = server.connect_client();
  backend().submit(Accept{server.fd.get()}, 1001);
  const int fd = await_final(1001).result;
  ASSERT_TRUE(made_by_backend(fd));
  std::array<char, 8> memory{};
  client.writes("hello");
  EXPECT_EQ(on_ring(make_call(SYS_recvfrom, fd, memory.data(), 8, 0, nullptr, nullptr)), 5);
  EXPECT_EQ(on_ring(make_call(SYS_sendto, fd, "hi", 2, 0, nullptr, 0)), 2);
  EXPECT_EQ(on_ring(make_call(SYS_close, fd)), 0);
  EXPECT_EQ(client.reads_exactly(100), "hi");
}

}  // namespace
}  // namespace weft::ksvc
