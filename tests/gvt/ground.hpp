// Ground: the kernel that a test's green threads stand on, a real one or a simulated one, as far as
// it makes sockets; and the streams and listeners on them, the same for both.
//
// Everything but make_*() is what programs use, and makes no system call of its own. In a green
// thread of the worker that the sockets are used on.
#pragma once

#include <sys/socket.h>

#include <utility>

#include "weft/detail/descriptor.hpp"
#include "weft/net.hpp"

namespace weft::test {

class End : public Stream {
 public:
  explicit End(int fd) noexcept : Stream(fd) {}
};

struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;
};

class Listener {
 public:
  Listener(int fd, const Address& address) noexcept : descriptor_(fd), address_(address) {}

  Result<End> accept();
  void close() noexcept { descriptor_.close(); }
  const Address& address() const noexcept { return address_; }

 private:
  detail::Descriptor descriptor_;
  Address address_;
};

class Ground {
 public:
  virtual ~Ground() = default;

  // Two ends of one connection, which takes little before a write has to wait.
  virtual std::pair<End, End> make_pair() = 0;
  // With room for so many connections that nobody has accepted.
  virtual Listener make_listener(int room) = 0;
  // To be connected to one of the listeners.
  virtual int make_socket() = 0;

  Result<End> connect(const Address& to);
};

class RealGround final : public Ground {
 public:
  std::pair<End, End> make_pair() override;
  Listener make_listener(int room) override;
  int make_socket() override;
};

}  // namespace weft::test
