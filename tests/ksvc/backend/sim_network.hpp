// Network<SimBackend>: the conformance test's sockets in a simulated world.
//
// What the peers do is carried out at once, as on the loopback of a quick system: time goes on
// until nothing of it is on its way any more.
#pragma once

#include <netinet/in.h>

#include <map>
#include <memory>
#include <string>
#include <utility>

#include "ksvc/backend/network.hpp"
#include "ksvc/sim/sim_backend.hpp"
#include "ksvc/sim/sim_peer.hpp"

namespace weft::ksvc {

template <>
class Network<SimBackend> {
 public:
  static constexpr bool kIsTheSystems = false;

  struct Connection {
    int ours;
    int peer;
  };

  template <class Backend>
  Result<std::unique_ptr<Backend>> make(const BackendOptions& options) {
    return Backend::make(world_, options);
  }
  TimePoint now() const { return world_.now(); }

  int make_listener(bool listening) {
    const int fd = world_.make_listener();
    if (listening) return fd;
    // A port that nobody listens on any more, in the name of some other descriptor.
    const std::uint16_t port = world_.port_of(fd);
    world_.close(fd, false);
    const int other = world_.make_socket();
    deserted_[other] = port;
    return other;
  }
  sockaddr_in address_of(int fd) {
    const auto deserted = deserted_.find(fd);
    return loopback(deserted != deserted_.end() ? deserted->second : world_.port_of(fd));
  }
  int make_socket() { return world_.make_socket(); }
  int accept(int listener) {
    auto& queue = world_.descriptor(listener).listener->queue;
    run_until([&] { return !queue.empty(); });
    if (queue.empty()) return -1;
    SimDescriptor taken;
    taken.kind = SimDescriptor::Kind::socket;
    taken.endpoint = queue.front();
    queue.pop_front();
    return world_.open(std::move(taken));
  }
  Connection connect(int buffer_bytes) {
    const SimWire wire(world_);
    const auto one = wire.make_endpoint();
    const auto other = wire.make_endpoint();
    if (buffer_bytes > 0) {
      one->buffer_bytes = static_cast<std::size_t>(buffer_bytes);
      other->buffer_bytes = static_cast<std::size_t>(buffer_bytes);
    }
    wire.join(one, other);
    SimDescriptor ours;
    ours.kind = SimDescriptor::Kind::socket;
    ours.endpoint = one;
    return {world_.open(std::move(ours)), add_peer(std::make_unique<SimPeer>(world_, other))};
  }
  void close(int fd) {
    deserted_.erase(fd);
    if (world_.is_open(fd)) world_.close(fd, false);
  }

  int make_event() { return world_.make_event(); }
  void signal(int event) { world_.signal(event); }
  void clear(int event) { world_.clear(event); }

  int make_file(const std::string& bytes) { return world_.make_file(bytes); }
  std::string file_contents(int fd) { return world_.contents_of(fd); }

  void cut_file(int fd, std::size_t size) { world_.descriptor(fd).file->resize(size); }

  int connect_peer(const sockaddr_in& address) {
    const int peer = begin_connect(address);
    EXPECT_TRUE(run_until([&] { return peers_[peer]->connected(); }));
    return peer;
  }
  int begin_connect(const sockaddr_in& address) {
    return add_peer(std::make_unique<SimPeer>(world_, ntohs(address.sin_port)));
  }
  bool connected(int peer) { return peers_[peer]->connected(); }
  void write(int peer, const std::string& bytes) {
    peers_[peer]->send(bytes);
    settle();
  }
  std::string read_what_is_there(int peer) { return peers_[peer]->take(64 * 1024); }
  std::string read_exactly(int peer, std::size_t size, int* why = nullptr) {
    SimPeer& reader = *peers_[peer];
    std::string bytes;
    run_until([&] {
      bytes += reader.take(size - bytes.size());
      return bytes.size() == size || reader.ended();
    });
    if (why != nullptr) *why = reader.end_errno();
    return bytes;
  }
  void finish(int peer) {
    peers_[peer]->finish();
    settle();
  }
  void reset(int peer) {
    peers_[peer]->reset();
    settle();
  }
  void close_peer(int peer) { peers_.erase(peer); }

 private:
  int add_peer(std::unique_ptr<SimPeer> peer) {
    peers_[++last_peer_] = std::move(peer);
    return last_peer_;
  }
  template <class Done>
  bool run_until(Done done) {
    const TimePoint give_up = now() + kHangGuard;
    while (!done()) {
      if (!world_.step(give_up)) return false;
    }
    return true;
  }
  void settle() { world_.run_until(now() + 50 * world_.options().latency); }

  SimWorld world_{1, {.segment_bytes = 64 * 1024, .cut = 0}};
  std::map<int, std::unique_ptr<SimPeer>> peers_;
  std::map<int, std::uint16_t> deserted_;
  int last_peer_ = 0;
};

}  // namespace weft::ksvc
