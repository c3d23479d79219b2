#include "net/shared_listener.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstring>
#include <optional>
#include <thread>

#include "net/address.hpp"
#include "weft/detail/descriptor.hpp"
#include "weft/net.hpp"

namespace weft::net {

namespace {

using weft::detail::Descriptor;

constexpr std::chrono::milliseconds kLockPause{10};
constexpr int kFirstActivated = 3;  // SD_LISTEN_FDS_START
// More than any unit hands over; a larger count is a mistake.
constexpr int kMostActivated = 1024;

std::string error_text(int os_errno) { return std::strerror(os_errno); }

// Two servers that find the same dead socket must not take each other's new one away, so they look
// and bind one after the other. A lock on the folder leaves nothing behind.
std::optional<std::string> lock_folder(const ListenPath& where, Descriptor& folder) {
  const std::size_t slash = where.path.rfind('/');
  std::string name = slash == std::string::npos ? "." : where.path.substr(0, slash);
  if (name.empty()) name = "/";
  folder = Descriptor(::open(name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.fd() < 0) return "the folder " + name + ": " + error_text(errno);
  const auto give_up = std::chrono::steady_clock::now() + where.patience;
  while (::flock(folder.fd(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return "the folder " + name + ": " + error_text(errno);
    if (std::chrono::steady_clock::now() >= give_up) {
      return "another program holds a lock on the folder " + name + "; try again";
    }
    std::this_thread::sleep_for(kLockPause);
  }
  return std::nullopt;
}

// Removes what is at the path if it is a socket on which nobody listens.
std::optional<std::string> remove_stale(const std::string& path, const SocketAddress& address) {
  struct stat present{};
  if (::lstat(path.c_str(), &present) != 0) {
    return errno == ENOENT ? std::nullopt : std::optional(error_text(errno));
  }
  if (!S_ISSOCK(present.st_mode)) {
    return "something other than a socket is there; move it away or choose another path";
  }
  // Without blocking: one whose queue is full is alive, too.
  const Descriptor probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (probe.fd() < 0) return error_text(errno);
  if (::connect(probe.fd(), address.get(), address.size) == 0 || errno == EAGAIN) {
    return "another server listens there; stop it or choose another path";
  }
  if (errno == ENOENT) return std::nullopt;
  if (errno != ECONNREFUSED) return error_text(errno);
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
    return "cannot remove the socket that nobody listens on: " + error_text(errno);
  }
  return std::nullopt;
}

}  // namespace

SocketFile& SocketFile::operator=(SocketFile&& other) noexcept {
  if (this != &other) {
    remove();
    path_ = std::exchange(other.path_, {});
    device_ = other.device_;
    number_ = other.number_;
  }
  return *this;
}

void SocketFile::remove() noexcept {
  if (path_.empty()) return;
  struct stat present{};
  if (::lstat(path_.c_str(), &present) == 0 && present.st_dev == device_ &&
      present.st_ino == number_) {
    ::unlink(path_.c_str());
  }
  path_.clear();
}

std::variant<PathListener, std::string> listen_on(const ListenPath& where) {
  if (is_abstract(where.path)) return "give a path of the file system, without an @ before it";
  const auto address = unix_address(where.path);
  if (!address) {
    if (address.error().os_errno != ENAMETOOLONG) return address.error().message();
    return "the path is longer than the " + std::to_string(sizeof(sockaddr_un::sun_path) - 1) +
           " bytes that the system takes; choose a shorter one";
  }
  Descriptor folder;
  if (auto refusal = lock_folder(where, folder)) return *refusal;
  if (auto refusal = remove_stale(where.path, *address)) return *refusal;
  Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (socket.fd() < 0 || ::bind(socket.fd(), (*address).get(), (*address).size) != 0) {
    return error_text(errno);
  }
  struct stat made{};
  if (::lstat(where.path.c_str(), &made) != 0) return error_text(errno);
  SocketFile file(where.path, made.st_dev, made.st_ino);
  // Before anybody can connect: a socket that does not listen yet refuses.
  if (where.mode != 0 && ::chmod(where.path.c_str(), where.mode) != 0) return error_text(errno);
  if (::listen(socket.fd(), ListenOptions{}.backlog) != 0) return error_text(errno);
  return PathListener{socket.release(), std::move(file)};
}

std::variant<int, std::string> inherited_listener(int fd) {
  const std::string name = "descriptor " + std::to_string(fd);
  const auto option = [fd](int wanted) {
    int value = 0;
    socklen_t size = sizeof value;
    return ::getsockopt(fd, SOL_SOCKET, wanted, &value, &size) == 0 ? value : -1;
  };
  if (::fcntl(fd, F_GETFD) < 0) {
    return name + " is not open; whoever starts the server has to leave it open";
  }
  const int family = option(SO_DOMAIN);
  if (family < 0) return name + " is not a socket";
  if (family != AF_INET && family != AF_INET6 && family != AF_UNIX) {
    return name + " is a socket of another kind than TCP and Unix";
  }
  if (option(SO_TYPE) != SOCK_STREAM) return name + " is not a stream socket";
  if (option(SO_ACCEPTCONN) != 1) {
    return name + " does not listen; whoever opens it has to call listen()";
  }
  ::fcntl(fd, F_SETFD, FD_CLOEXEC);
  // A ring does not wait for clients of one that does not block; the other back end sets it again.
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags >= 0 && (flags & O_NONBLOCK) != 0) ::fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
  const int on = 1;
  if (family != AF_UNIX) ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

std::variant<int, std::string> activated_fd(const Activation& activation, std::string_view name,
                                            pid_t self) {
  const auto number = [](std::string_view text) {
    int value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc{} && end == text.data() + text.size() ? value : -1;
  };
  if (activation.count.empty()) {
    return "no service manager handed over a socket (LISTEN_FDS is not set)";
  }
  if (number(activation.pid) != self) {
    return "the sockets of LISTEN_FDS are for process " + std::string(activation.pid) +
           ", and this is " + std::to_string(self);
  }
  const int count = number(activation.count);
  if (count < 1 || count > kMostActivated) {
    return "LISTEN_FDS is '" + std::string(activation.count) + "', which is no number of sockets";
  }
  if (name.empty()) {
    if (count == 1) return kFirstActivated;
    return "LISTEN_FDS hands over " + std::to_string(count) +
           " sockets; name the one to listen on as systemd:NAME (FileDescriptorName= in the unit)";
  }
  std::string_view rest = activation.names;
  for (int i = 0; i < count; ++i) {
    const std::size_t colon = rest.find(':');
    if (rest.substr(0, colon) == name) return kFirstActivated + i;
    if (colon == std::string_view::npos) break;
    rest.remove_prefix(colon + 1);
  }
  return "no socket of LISTEN_FDNAMES, '" + std::string(activation.names) + "', is named '" +
         std::string(name) + "'";
}

std::string location_of(int fd) {
  SocketAddress address;
  address.size = sizeof address.storage;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address.storage), &address.size) != 0) {
    return "descriptor " + std::to_string(fd);
  }
  if (address.family() != AF_UNIX) return "http://" + endpoint_of(address).to_string();
  const auto* local = reinterpret_cast<const sockaddr_un*>(&address.storage);
  std::string path(local->sun_path, address.size - offsetof(sockaddr_un, sun_path));
  if (path.starts_with('\0')) {
    path.front() = '@';
  } else {
    path.resize(::strnlen(path.c_str(), path.size()));
  }
  return "unix:" + path;
}

}  // namespace weft::net
