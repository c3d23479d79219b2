#include "ground.hpp"

#include <sys/un.h>

#include <cerrno>
#include <stdexcept>

#include "net/descriptor_call.hpp"
#include "net/outcome.hpp"

namespace weft::test {

namespace {

constexpr int kLittleRoom = 4'096;

void require(bool holds, const char* what) {
  if (!holds) throw std::runtime_error(what + std::string(": ") + std::strerror(errno));
}

}  // namespace

Result<End> Listener::accept() {
  net::DescriptorCall call(descriptor_, net::Direction::in);
  const std::int32_t taken = call.accept();
  if (taken < 0) return net::error_of(taken);
  return End(taken);
}

Result<End> Ground::connect(const Address& to) {
  detail::Descriptor socket(make_socket());
  std::int32_t result = 0;
  {
    net::DescriptorCall call(socket, net::Direction::out);
    result = call.connect(reinterpret_cast<const sockaddr*>(&to.storage), to.size);
  }
  if (result < 0) return net::error_of(result);
  return End(socket.release());
}

std::pair<End, End> RealGround::make_pair() {
  int fds[2];
  require(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0, "socketpair");
  for (const int fd : fds) {
    ::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &kLittleRoom, sizeof kLittleRoom);
  }
  return {End(fds[0]), End(fds[1])};
}

Listener RealGround::make_listener(int room) {
  const int fd = make_socket();
  // An address of the family alone: the system chooses an abstract name.
  Address address;
  address.storage.ss_family = AF_UNIX;
  address.size = sizeof(sa_family_t);
  auto* const name = reinterpret_cast<sockaddr*>(&address.storage);
  require(::bind(fd, name, address.size) == 0, "bind");
  address.size = sizeof address.storage;
  require(::getsockname(fd, name, &address.size) == 0, "getsockname");
  // A Unix listener takes one more than it is told.
  require(::listen(fd, room - 1) == 0, "listen");
  return {fd, address};
}

int RealGround::make_socket() {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  require(fd >= 0, "socket");
  return fd;
}

}  // namespace weft::test
