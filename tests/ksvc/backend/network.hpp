// Network<Backend>: where the conformance test's sockets come from, and who plays their peers.
//
// A back end that lives in the system's network takes LoopbackNetwork as it is. One with a network
// of its own specialises Network with the same members; kIsTheSystems is then false, and tests that
// need real files, processes or limits leave it out. Descriptors are the back end's, peers are
// handles of the policy's. What waits here gives up after kHangGuard at the latest. One thread.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "ksvc/clock/monotonic_clock.hpp"
#include "ksvc/core/io_backend.hpp"
#include "weft/result.hpp"

namespace weft::ksvc {

inline constexpr std::chrono::seconds kHangGuard{20};

inline sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

class LoopbackNetwork {
 public:
  static constexpr bool kIsTheSystems = true;

  // `ours` is for the back end. With `buffer_bytes` little fits between the two.
  struct Connection {
    int ours;
    int peer;
  };

  template <class Backend>
  Result<std::unique_ptr<Backend>> make(const BackendOptions& options) {
    return Backend::create(options);
  }
  TimePoint now() const { return MonotonicClock().now(); }

  // A listener on a port of the network's choice; without `listening`, a port that refuses.
  int make_listener(bool listening) {
    const int fd = make_socket();
    const sockaddr_in address = loopback(0);
    EXPECT_EQ(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    if (listening) {
      EXPECT_EQ(::listen(fd, 1024), 0);
    }
    return fd;
  }
  sockaddr_in address_of(int fd) const {
    sockaddr_in address{};
    socklen_t size = sizeof address;
    EXPECT_EQ(::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size), 0);
    return address;
  }
  // A socket to be connected.
  int make_socket() { return ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); }
  // Takes a connection without the back end; negative when there is none.
  int accept(int listener) {
    pollfd entry{listener, POLLIN, 0};
    EXPECT_EQ(::poll(&entry, 1, kPatienceMs), 1);
    return ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
  }
  Connection connect(int buffer_bytes) {
    const int listener = make_listener(true);
    const sockaddr_in address = address_of(listener);
    const int peer = make_socket();
    if (buffer_bytes > 0) set(peer, SO_RCVBUF, buffer_bytes);
    EXPECT_EQ(::connect(peer, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    const int ours = accept(listener);
    EXPECT_GE(ours, 0);
    if (buffer_bytes > 0) set(ours, SO_SNDBUF, buffer_bytes);
    ::close(listener);
    return {ours, peer};
  }
  // Ends a descriptor without the back end.
  void close(int fd) {
    if (!made_by_backend(fd)) ::close(fd);
  }

  // A descriptor that is readable from signal() until clear().
  int make_event() { return ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); }
  void signal(int event) {
    const std::uint64_t one = 1;
    ASSERT_EQ(::write(event, &one, sizeof one), static_cast<ssize_t>(sizeof one));
  }
  void clear(int event) {
    std::uint64_t count = 0;
    ASSERT_EQ(::read(event, &count, sizeof count), static_cast<ssize_t>(sizeof count));
  }

  // A file that holds these bytes, and what it holds now.
  int make_file(const std::string& bytes) {
    const int fd = ::memfd_create("conformance", MFD_CLOEXEC);
    EXPECT_EQ(::pwrite(fd, bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
    return fd;
  }
  std::string file_contents(int fd) {
    std::string bytes(static_cast<std::size_t>(::lseek(fd, 0, SEEK_END)), '\0');
    EXPECT_EQ(::pread(fd, bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
    return bytes;
  }

  void cut_file(int fd, std::size_t size) {
    EXPECT_EQ(::ftruncate(fd, static_cast<off_t>(size)), 0);
  }

  // Whether sent bytes are on their way, whose arrival will make room in the socket again.
  static bool on_their_way(int fd) {
    int not_acknowledged = 0;
    int not_sent = 0;
    ::ioctl(fd, SIOCOUTQ, &not_acknowledged);
    // An emulator may know only the first of the two.
    if (::ioctl(fd, SIOCOUTQNSD, &not_sent) != 0) return false;
    return not_acknowledged > not_sent;
  }

  // The peer's doings.
  int connect_peer(const sockaddr_in& address) {
    const int peer = make_socket();
    EXPECT_EQ(::connect(peer, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    return peer;
  }
  // Only begins to connect: whether it can be is for connected() to say.
  int begin_connect(const sockaddr_in& address) {
    const int peer = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    ::connect(peer, reinterpret_cast<const sockaddr*>(&address), sizeof address);
    return peer;
  }
  bool connected(int peer) const {
    sockaddr_in address{};
    socklen_t size = sizeof address;
    return ::getpeername(peer, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  }
  void write(int peer, const std::string& bytes) {
    EXPECT_EQ(::send(peer, bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }
  std::string read_what_is_there(int peer) {
    std::string bytes(64 * 1024, '\0');
    const ssize_t got = ::recv(peer, bytes.data(), bytes.size(), MSG_DONTWAIT);
    bytes.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return bytes;
  }
  // Less only when the stream has ended before; then `why` is 0 or the errno.
  std::string read_exactly(int peer, std::size_t size, int* why = nullptr) {
    std::string bytes(size, '\0');
    std::size_t got = 0;
    int ended = 0;
    while (got < size) {
      pollfd entry{peer, POLLIN, 0};
      if (::poll(&entry, 1, kPatienceMs) != 1) break;
      const ssize_t more = ::recv(peer, bytes.data() + got, size - got, MSG_DONTWAIT);
      if (more < 0 && errno == EAGAIN) continue;
      if (more < 0) ended = errno;
      if (more <= 0) break;
      got += static_cast<std::size_t>(more);
    }
    bytes.resize(got);
    if (why != nullptr) *why = ended;
    return bytes;
  }
  // No more will be written.
  void finish(int peer) { EXPECT_EQ(::shutdown(peer, SHUT_WR), 0); }
  // Cuts the connection so that the other side sees a reset.
  void reset(int peer) {
    const linger hard{1, 0};
    EXPECT_EQ(::setsockopt(peer, SOL_SOCKET, SO_LINGER, &hard, sizeof hard), 0);
    ::close(peer);
  }
  void close_peer(int peer) { ::close(peer); }

 private:
  static constexpr int kPatienceMs =
      static_cast<int>(std::chrono::milliseconds(kHangGuard).count());

  static void set(int fd, int option, int value) {
    EXPECT_EQ(::setsockopt(fd, SOL_SOCKET, option, &value, sizeof value), 0);
  }
};

template <class Backend>
class Network : public LoopbackNetwork {};

}  // namespace weft::ksvc
