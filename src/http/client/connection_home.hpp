// ConnectionHome: where a client's connection may be used and closed.
//
// A ring forgets a descriptor with each operation, so connections made on one may be used on all,
// and closed anywhere. So may those of OS threads that are no workers, among these. What keeps a
// record of its descriptors (epoll) must see them closed: such a connection is its OS thread's, and
// others leave it there to be closed, when a client is next used there or when the thread ends.
// Any thread.
#pragma once

#include <memory>
#include <utility>

namespace weft::http {

struct ClientConnection;

class ConnectionHome {
 public:
  // Of whoever calls, who from then on stays there if it has to.
  static ConnectionHome here();

  // Closes what others have left here.
  void tidy() const noexcept;
  // Closes the connection if `this` is where it may be done; else the peer is told at once, and the
  // descriptor is closed at home.
  void close(std::unique_ptr<ClientConnection> connection) const noexcept;

  bool operator==(const ConnectionHome&) const = default;

 private:
  enum class Kind : unsigned char { os_threads, rings, one_thread };
  struct LeftHere;
  struct ThreadsOwn;

  ConnectionHome(Kind kind, std::shared_ptr<LeftHere> thread) noexcept
      : kind_(kind), thread_(std::move(thread)) {}
  static const std::shared_ptr<LeftHere>& of_this_thread();

  Kind kind_;
  std::shared_ptr<LeftHere> thread_;  // of one_thread
};

}  // namespace weft::http
