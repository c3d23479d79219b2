// A connection that another thread shut while a part of a file was on its way ended the whole
// process: the call had sent some bytes, so it returned their number and not EPIPE, but had raised
// the signal all the same.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <string>
#include <thread>

#include "ksvc/backend/socket_calls.hpp"

namespace weft::ksvc {
namespace {

constexpr std::uint32_t kFileBytes = 16U << 20U;

struct Pair {
  Pair() {
    const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    ::bind(listener, generic, size);
    ::listen(listener, 1);
    ::getsockname(listener, generic, &size);
    client = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ::connect(client, generic, size);
    server = ::accept(listener, nullptr, nullptr);
    ::close(listener);
  }
  int client = -1;
  int server = -1;
};

// Where in its pieces the call is when the connection ends is the kernel's affair: many are tried.
TEST(SendFile, a_connection_that_ends_in_the_middle_raises_no_signal) {
  const int file = ::memfd_create("file", MFD_CLOEXEC);
  ASSERT_EQ(::ftruncate(file, kFileBytes), 0);
  int in_the_middle = 0;
  for (std::size_t megabytes = 0; megabytes < 40; ++megabytes) {
    const Pair ends;
    std::thread client([&] {
      std::string bytes((megabytes % 10 + 1) << 20U, '\0');
      EXPECT_GT(::recv(ends.client, bytes.data(), bytes.size(), MSG_WAITALL), 0);
      // By another thread than the one that sends.
      ::shutdown(ends.server, SHUT_RDWR);
      ::close(ends.client);
    });
    const auto action = std::signal(SIGPIPE, SIG_DFL);
    const std::int64_t sent = send_file(ends.server, file, 0, kFileBytes);
    sigset_t pending;
    ::sigpending(&pending);
    EXPECT_EQ(sigismember(&pending, SIGPIPE), 0);
    std::signal(SIGPIPE, action);
    client.join();
    if (sent > 0 && sent < std::int64_t{kFileBytes}) ++in_the_middle;
    ::close(ends.server);
  }
  EXPECT_GT(in_the_middle, 0);
  ::close(file);
}

}  // namespace
}  // namespace weft::ksvc
