#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "net/address.hpp"
#include "net/descriptor_call.hpp"
#include "net/outcome.hpp"
#include "weft/net.hpp"

namespace weft {

using net::DescriptorCall;
using net::Direction;

Result<UnixStream> UnixStream::connect(const std::string& path) {
  auto address = net::unix_address(path);
  if (!address) return address.error();
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return Error::from_errno(errno);
  UnixStream stream(fd);
  std::int32_t result = 0;
  {
    DescriptorCall call(stream.descriptor_, Direction::out);
    result = call.connect(address->get(), address->size);
  }
  if (result < 0) return net::error_of(result);
  return stream;
}

Result<std::pair<UnixStream, UnixStream>> UnixStream::pair() {
  int fds[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0) {
    return Error::from_errno(errno);
  }
  return std::pair(UnixStream(fds[0]), UnixStream(fds[1]));
}

Result<UnixListener> UnixListener::bind(const std::string& path, const ListenOptions& options) {
  auto address = net::unix_address(path);
  if (!address) return address.error();
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return Error::from_errno(errno);
  // Not a listener yet: a path that it did not make itself must stay.
  detail::Descriptor opened(fd);
  if (::bind(fd, address->get(), address->size) != 0) return Error::from_errno(errno);
  UnixListener listener(opened.release(), path);
  if (::listen(fd, options.backlog) != 0) return Error::from_errno(errno);
  return listener;
}

UnixListener& UnixListener::operator=(UnixListener&& other) noexcept {
  if (this != &other) {
    close();
    descriptor_ = std::move(other.descriptor_);
    timeout_ = other.timeout_;
    path_ = std::move(other.path_);
  }
  return *this;
}

void UnixListener::close() noexcept {
  if (descriptor_.fd() < 0) return;
  if (!net::is_abstract(path_)) ::unlink(path_.c_str());
  descriptor_.close();
}

Result<UnixStream> UnixListener::accept() {
  DescriptorCall call(descriptor_, Direction::in, timeout_);
  const std::int32_t result = call.accept();
  if (result < 0) return net::error_of(result);
  return UnixStream(result);
}

}  // namespace weft
