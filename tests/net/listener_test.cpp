#include "net/listener.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <iterator>
#include <thread>
#include <vector>

#include "net/address.hpp"

namespace weft::net {
namespace {

constexpr int kHangGuardMs = 20'000;

// A set of descriptors that are closed together.
struct Descriptors {
  Descriptors() = default;
  explicit Descriptors(std::vector<int> all) : fds(std::move(all)) {}
  Descriptors(const Descriptors&) = delete;
  Descriptors& operator=(const Descriptors&) = delete;
  ~Descriptors() {
    for (const int fd : fds) ::close(fd);
  }
  int add(int fd) {
    if (fd >= 0) fds.push_back(fd);
    return fd;
  }
  std::vector<int> fds;
};

int start_connecting(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  auto address = parse_address("127.0.0.1", port);
  const int failed = ::connect(fd, address->get(), address->size);
  EXPECT_TRUE(failed == 0 || errno == EINPROGRESS) << errno;
  return fd;
}

bool becomes(int fd, short events, int timeout_ms) {
  pollfd entry{fd, events, 0};
  return ::poll(&entry, 1, timeout_ms) == 1 && (entry.revents & events) != 0;
}

// A waiting connection, or -1 when there is none.
int accept_now(int listener) {
  return becomes(listener, POLLIN, 0) ? ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC) : -1;
}

int connected_client(std::uint16_t port) {
  const int fd = start_connecting(port);
  EXPECT_TRUE(becomes(fd, POLLOUT, kHangGuardMs));
  return fd;
}

TEST(Listener, port_zero_gets_a_port_that_clients_reach) {
  auto opened = listen_on({}, 1);
  ASSERT_TRUE(opened);
  Descriptors listeners(opened->fds);
  EXPECT_NE(opened->port, 0);
  Descriptors clients;
  clients.add(connected_client(opened->port));
  EXPECT_TRUE(becomes(opened->fds.front(), POLLIN, kHangGuardMs));
  const int accepted = clients.add(accept_now(opened->fds.front()));
  ASSERT_GE(accepted, 0);
  int no_delay = 0;
  socklen_t size = sizeof no_delay;
  EXPECT_EQ(::getsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &no_delay, &size), 0);
  EXPECT_NE(no_delay, 0) << "accepted sockets inherit TCP_NODELAY";
  EXPECT_NE(::fcntl(accepted, F_GETFD) & FD_CLOEXEC, 0);
}

TEST(Listener, several_share_one_port_and_every_client_reaches_one_of_them) {
  auto opened = listen_on({}, 4);
  ASSERT_TRUE(opened);
  Descriptors listeners(opened->fds);
  ASSERT_EQ(opened->fds.size(), 4U);
  for (const int fd : opened->fds) EXPECT_EQ(bound_port(fd), opened->port);
  constexpr std::size_t kClients = 64;
  Descriptors clients;
  for (std::size_t i = 0; i < kClients; ++i) clients.add(connected_client(opened->port));
  Descriptors accepted;
  std::size_t listeners_reached = 0;
  for (const int fd : opened->fds) {
    const std::size_t before = accepted.fds.size();
    while (accepted.add(accept_now(fd)) >= 0) {
    }
    listeners_reached += accepted.fds.size() > before ? 1 : 0;
  }
  EXPECT_EQ(accepted.fds.size(), kClients);
  EXPECT_GE(listeners_reached, 2U);
}

TEST(Listener, port_that_is_in_use_is_refused_even_though_it_would_be_shared) {
  auto first = listen_on({}, 2);
  ASSERT_TRUE(first);
  Descriptors listeners(first->fds);
  auto second = listen_on({"127.0.0.1", first->port}, 1);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().os_errno, EADDRINUSE);
}

// From here on this OS thread can close no descriptor. False where that cannot be had.
bool forbid_closing() {
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_close, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog filter{std::size(program), program};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

// Closing a socket that listens resets the clients that came meanwhile.
TEST(Listener, to_find_a_port_free_takes_no_socket_that_listens_and_is_closed_again) {
  std::uint16_t port = 0;
  {
    auto free = listen_on({}, 1);
    ASSERT_TRUE(free);
    Descriptors closed_at_once(free->fds);
    port = free->port;
  }
  bool forbidden = false;
  Result<Listeners> opened = Error{ErrorCode::invalid_argument, 0};
  std::thread([&] {
    forbidden = forbid_closing();
    opened = listen_on({"127.0.0.1", port}, 2);
  }).join();
  if (!forbidden) GTEST_SKIP() << "no seccomp filters here";
  ASSERT_TRUE(opened) << opened.error().message();
  Descriptors listeners(opened->fds);
}

// A client that has no patience: it tries until something listens.
int first_client_of(std::uint16_t port, std::atomic<int>& tries, const std::atomic<bool>& give_up) {
  // From another address, for on the way to a free port of its own it could meet itself.
  auto from = parse_address("127.0.0.2", 0);
  auto to = parse_address("127.0.0.1", port);
  while (!give_up) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (::bind(fd, from->get(), from->size) == 0 && ::connect(fd, to->get(), to->size) == 0) {
      return fd;
    }
    ::close(fd);
    ++tries;
  }
  return -1;
}

// Whether it is still connected: neither ended nor reset.
bool is_alive(int fd) {
  char byte;
  return ::recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK) < 0 && errno == EAGAIN;
}

TEST(Listener, client_that_comes_as_soon_as_something_listens_is_not_turned_away) {
  std::uint16_t port = 0;
  {
    auto free = listen_on({}, 1);
    ASSERT_TRUE(free);
    Descriptors closed_at_once(free->fds);
    port = free->port;
  }
  for (int round = 0; round < 20; ++round) {
    std::atomic<bool> give_up{false};
    std::atomic<int> tries{0};
    int client = -1;
    std::thread early([&] { client = first_client_of(port, tries, give_up); });
    while (tries == 0) std::this_thread::yield();
    auto opened = listen_on({"127.0.0.1", port, std::chrono::milliseconds(kHangGuardMs)}, 2);
    give_up = !opened.ok();
    early.join();
    Descriptors clients({client});
    ASSERT_TRUE(opened) << opened.error().message();
    Descriptors listeners(opened->fds);
    ASSERT_GE(client, 0);
    ASSERT_TRUE(is_alive(client)) << "in round " << round;
  }
}

TEST(Listener, port_that_a_program_of_one_listener_uses_is_refused_to_many) {
  auto first = listen_on({}, 1);
  ASSERT_TRUE(first);
  Descriptors listeners(first->fds);
  auto second = listen_on({"127.0.0.1", first->port}, 4);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().os_errno, EADDRINUSE);
}

TEST(Listener, port_that_was_left_can_be_taken_at_once) {
  auto first = listen_on({}, 1);
  ASSERT_TRUE(first);
  {
    Descriptors listeners(first->fds);
    Descriptors clients;
    clients.add(connected_client(first->port));
    clients.add(accept_now(first->fds.front()));
    // The server's side goes first, so that the port has a connection in TIME_WAIT.
    ::close(clients.fds.back());
    clients.fds.pop_back();
  }
  auto second = listen_on({"127.0.0.1", first->port}, 2);
  ASSERT_TRUE(second) << second.error().message();
  Descriptors listeners(second->fds);
  EXPECT_EQ(second->port, first->port);
}

TEST(Listener, address_that_is_none_is_an_invalid_argument) {
  auto opened = listen_on({"nowhere", 0}, 1);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::invalid_argument);
}

TEST(Listener, address_of_another_machine_is_an_error) {
  auto opened = listen_on({"192.0.2.1", 0}, 1);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().os_errno, EADDRNOTAVAIL);
}

}  // namespace
}  // namespace weft::net
