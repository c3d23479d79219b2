// What the conformance test of the back ends stands on: a sink that remembers, sockets on loopback,
// and waits that give up.
//
// The test plays the peer with ordinary system calls. Waits end after kHangGuard, which is no
// measurement: it only turns a hang into a failure. One thread.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ksvc/clock/monotonic_clock.hpp"
#include "ksvc/core/io_backend.hpp"

namespace weft::ksvc {

inline constexpr std::chrono::seconds kHangGuard{20};

struct Recorder {
  void complete(const Completion& completion) noexcept { seen.push_back(completion); }

  std::vector<Completion> seen;
};

// Closes its descriptor at the end of the scope, which the tests make outlive the back end's use.
class OwnedFd {
 public:
  explicit OwnedFd(int fd = -1) noexcept : fd_(fd) {}
  OwnedFd(OwnedFd&& other) noexcept : fd_(other.release()) {}
  OwnedFd& operator=(OwnedFd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~OwnedFd() { reset(); }

  int get() const noexcept { return fd_; }
  int release() noexcept { return std::exchange(fd_, -1); }
  void reset() noexcept {
    if (fd_ >= 0) ::close(release());
  }

 private:
  int fd_;
};

inline sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// A listener on a port of the system's choice; without `listening`, a port that refuses.
struct Server {
  explicit Server(bool listening = true) : fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    address = loopback(0);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(fd.get(), as_sockaddr(), size), 0);
    EXPECT_EQ(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
    if (listening) {
      EXPECT_EQ(::listen(fd.get(), 1024), 0);
    }
  }

  const sockaddr* as_sockaddr() const { return reinterpret_cast<const sockaddr*>(&address); }

  OwnedFd connect_client() const {
    OwnedFd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::connect(client.get(), as_sockaddr(), sizeof address), 0);
    return client;
  }

  OwnedFd fd;
  sockaddr_in address{};
};

// Two connected TCP sockets: `ours` for the back end, `peer` for the test.
struct SocketPair {
  explicit SocketPair(int buffer_bytes = 0) {
    Server server;
    peer = OwnedFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (buffer_bytes > 0) set(peer.get(), SO_RCVBUF, buffer_bytes);
    EXPECT_EQ(::connect(peer.get(), server.as_sockaddr(), sizeof server.address), 0);
    ours = OwnedFd(::accept4(server.fd.get(), nullptr, nullptr, SOCK_CLOEXEC));
    EXPECT_GE(ours.get(), 0);
    if (buffer_bytes > 0) set(ours.get(), SO_SNDBUF, buffer_bytes);
  }

  static void set(int fd, int option, int value) {
    EXPECT_EQ(::setsockopt(fd, SOL_SOCKET, option, &value, sizeof value), 0);
  }

  void peer_writes(const std::string& bytes) const {
    EXPECT_EQ(::send(peer.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }
  // What has arrived at the peer so far, without waiting.
  std::string peer_reads_what_is_there() const {
    std::string bytes(64 * 1024, '\0');
    const ssize_t got = ::recv(peer.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
    bytes.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return bytes;
  }
  std::string peer_reads_exactly(std::size_t size) const {
    std::string bytes(size, '\0');
    const ssize_t got = ::recv(peer.get(), bytes.data(), size, MSG_WAITALL);
    bytes.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return bytes;
  }
  // Cuts the connection so that the other side sees a reset.
  void peer_resets() {
    const linger hard{1, 0};
    EXPECT_EQ(::setsockopt(peer.get(), SOL_SOCKET, SO_LINGER, &hard, sizeof hard), 0);
    peer.reset();
  }

  OwnedFd ours;
  OwnedFd peer;
};

// Bytes in which every place can be told from its neighbours.
inline std::string patterned(std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>((i * 31 + i / 251) & 0xFF);
  return bytes;
}

template <class Backend>
class BackendTest : public testing::Test {
 protected:
  void SetUp() override {
    auto made = Backend::create({});
    if (!made) GTEST_SKIP() << Backend::name() << " is refused here: " << made.error().message();
    backend_ = std::move(made).value();
  }

  // Starts over with other options.
  void remake(const BackendOptions& options) {
    backend_.reset();
    auto made = Backend::create(options);
    ASSERT_TRUE(made) << made.error().message();
    backend_ = std::move(made).value();
  }

  Backend& backend() { return *backend_; }
  std::vector<Completion>& seen() { return recorder_.seen; }

  static TimePoint soon() { return MonotonicClock().now() + kHangGuard; }

  // One turn that does not wait.
  void turn() {
    backend().submit_and_wait(0, kNoDeadline);
    backend().drain(recorder_);
  }

  // Turns until `done` says so; false when the hang guard ran out.
  template <class Done>
  bool turn_until(Done done) {
    const TimePoint give_up = soon();
    while (!done()) {
      if (MonotonicClock().now() > give_up) return false;
      backend().submit_and_wait(1, give_up);
      backend().drain(recorder_);
    }
    return true;
  }

  // What has come for `corr_id`, in order.
  std::vector<Completion> completions_of(CorrelationId corr_id) {
    std::vector<Completion> own;
    for (const Completion& completion : seen()) {
      if (completion.corr_id == corr_id) own.push_back(completion);
    }
    return own;
  }

  // Waits until `count` completions have come for `corr_id`, and returns the last of them.
  Completion await(CorrelationId corr_id, std::size_t count = 1) {
    const bool came = turn_until([&] { return completions_of(corr_id).size() >= count; });
    EXPECT_TRUE(came) << "no completion number " << count << " of operation " << corr_id;
    return came ? completions_of(corr_id)[count - 1] : Completion{};
  }

  // Waits for the final completion of `corr_id`.
  Completion await_final(CorrelationId corr_id) {
    const bool came = turn_until([&] {
      const auto own = completions_of(corr_id);
      return !own.empty() && !own.back().more;
    });
    EXPECT_TRUE(came) << "no final completion of operation " << corr_id;
    return came ? completions_of(corr_id).back() : Completion{};
  }

  // Takes the bytes of every lease that has come, gives the leases back and forgets them.
  std::string collect_bytes() {
    std::string bytes;
    for (Completion& completion : seen()) {
      if (!completion.lease) continue;
      bytes.append(completion.lease.data, completion.lease.size);
      backend().buffers().release(completion.lease);
    }
    seen().clear();
    return bytes;
  }

 private:
  std::unique_ptr<Backend> backend_;
  Recorder recorder_;
};

}  // namespace weft::ksvc
