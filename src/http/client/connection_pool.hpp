// ConnectionPool: the connections of one client, in use and kept.
//
// Who wants one acquires a place first, in the order of asking; with it comes the kept connection
// that was used last, or leave to make a new one. Invariant: connections in use and kept together
// are no more than the bounds, for each origin and in all; a kept one gives way to a new one. What
// has been kept for too long is closed when the pool is next used. Any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "http/client/connection_home.hpp"
#include "weft/client.hpp"
#include "weft/net.hpp"
#include "weft/sync.hpp"

namespace weft::http {

struct ClientConnection {
  template <class Socket>
  ClientConnection(Socket connected, ConnectionHome made_at)
      : socket(std::move(connected)), home(std::move(made_at)) {}

  Stream& stream() {
    if (auto* tcp = std::get_if<TcpStream>(&socket)) return *tcp;
    return std::get<UnixStream>(socket);
  }

  std::variant<TcpStream, UnixStream> socket;
  ConnectionHome home;
  std::int64_t kept_since_ns = 0;
  bool reused = false;
  std::unique_ptr<ClientConnection> next;  // in what has been left at a home
};

class ConnectionPool {
 public:
  explicit ConnectionPool(const ClientOptions& options) noexcept
      : options_(options), free_(options.connections) {}
  ~ConnectionPool() { close_kept(); }

  class Place;

  // Empty when that took longer than connection_wait. Throws Cancelled.
  Place acquire(const std::string& origin);
  void close_kept() noexcept;
  // Nothing is kept from now on.
  void close_for_good() noexcept;
  ClientStats stats() const;

 private:
  using Connections = std::vector<std::unique_ptr<ClientConnection>>;

  struct Origin {
    explicit Origin(std::size_t connections) noexcept : free(connections) {}

    Semaphore free;
    std::size_t users = 0;  // who waits here or has a place
    std::size_t in_use = 0;
    Connections kept;  // the one used last at the end
  };
  using Origins = std::map<std::string, Origin>;

  void leave(Origins::iterator origin) noexcept;
  void release(Origins::iterator origin) noexcept;
  std::unique_ptr<ClientConnection> take_kept(Origins::iterator origin);
  void make_room(Origins::iterator origin);
  void keep(Origins::iterator origin, std::unique_ptr<ClientConnection> connection);
  void move_expired(std::int64_t now_ns, Connections& into);

  const ClientOptions& options_;
  Semaphore free_;
  mutable std::mutex mutex_;  // guards what follows; nobody parks with it
  Origins origins_;
  std::size_t in_use_ = 0;
  std::size_t kept_ = 0;
  std::int64_t look_again_ns_ = 0;
  bool keeps_ = true;
  std::uint64_t made_ = 0;
  std::uint64_t reused_ = 0;
};

// The right to one connection. The pool must outlive it.
class ConnectionPool::Place {
 public:
  Place() noexcept = default;
  Place(Place&& other) noexcept
      : pool_(std::exchange(other.pool_, nullptr)), origin_(other.origin_) {}
  Place& operator=(Place&& other) noexcept {
    if (this != &other) {
      give_back();
      pool_ = std::exchange(other.pool_, nullptr);
      origin_ = other.origin_;
    }
    return *this;
  }
  ~Place() { give_back(); }

  explicit operator bool() const noexcept { return pool_ != nullptr; }
  // The kept connection that was used last and is still alive; or null.
  std::unique_ptr<ClientConnection> take_kept() { return pool_->take_kept(origin_); }
  // Before another connection is made: closes kept ones that it would be too many with.
  void make_room() { pool_->make_room(origin_); }
  // For the next one who comes; gives the place back.
  void keep(std::unique_ptr<ClientConnection> connection) {
    pool_->keep(origin_, std::move(connection));
    give_back();
  }
  void give_back() noexcept {
    if (pool_ != nullptr) std::exchange(pool_, nullptr)->release(origin_);
  }

 private:
  friend class ConnectionPool;
  Place(ConnectionPool& pool, Origins::iterator origin) noexcept : pool_(&pool), origin_(origin) {}

  ConnectionPool* pool_ = nullptr;
  Origins::iterator origin_;
};

}  // namespace weft::http
