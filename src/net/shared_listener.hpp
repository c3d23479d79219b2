// One listening socket for several workers: on a path of the file system, or inherited from the
// program that started this one (a service manager, a supervisor, a shell).
//
// Such a socket has one queue, from which every worker accepts through a descriptor of its own.
// For the thread that starts a server; what is refused is told as text, with what to do about it.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace weft::net {

struct ListenPath {
  std::string path;   // of the file system; empty: none
  unsigned mode = 0;  // who may connect, as for chmod; 0: what the umask leaves
  // How long to wait, blocking the OS thread, for another program that sets up a socket beside it.
  std::chrono::milliseconds patience{0};
};

// The file of a Unix socket, which goes when this does; unless something else has taken its place.
class SocketFile {
 public:
  SocketFile() = default;
  SocketFile(std::string path, dev_t device, ino_t number) noexcept
      : path_(std::move(path)), device_(device), number_(number) {}
  SocketFile(SocketFile&& other) noexcept
      : path_(std::exchange(other.path_, {})), device_(other.device_), number_(other.number_) {}
  SocketFile& operator=(SocketFile&& other) noexcept;
  ~SocketFile() { remove(); }

  void remove() noexcept;

 private:
  std::string path_;  // empty: it is gone
  dev_t device_ = 0;
  ino_t number_ = 0;
};

struct PathListener {
  int fd;  // the caller's
  SocketFile file;
};

// Takes the place of a socket on which nobody listens any more; anything else that is there stays,
// and is a refusal.
std::variant<PathListener, std::string> listen_on(const ListenPath& where);

// Makes sure that it is a listening stream socket, and makes it fit: not inherited further, without
// Nagle's delay where it is TCP's. It stays the caller's. Its number, or why it will not do.
std::variant<int, std::string> inherited_listener(int fd);

// The variables with which a service manager hands over sockets; see sd_listen_fds(3).
struct Activation {
  std::string_view pid;    // LISTEN_PID
  std::string_view count;  // LISTEN_FDS
  std::string_view names;  // LISTEN_FDNAMES
};
// The descriptor of that name, or with no name the only one; or why there is none.
std::variant<int, std::string> activated_fd(const Activation& activation, std::string_view name,
                                            pid_t self);

// Where clients find what the socket is bound to: "http://[::1]:80", "unix:/run/weft.sock".
std::string location_of(int fd);

}  // namespace weft::net
