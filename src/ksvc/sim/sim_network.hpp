// The simulated network's parts: an end of a connection, a listener, and what a descriptor stands
// for; and SimWire, which is what the ends do to one another.
//
// A connection is two ends that hold each other weakly; bytes on their way are events of the world.
// One thread.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "ksvc/core/clock.hpp"

namespace weft::ksvc {

struct SimEndpoint : std::enable_shared_from_this<SimEndpoint> {
  std::string inbox;             // arrived and not read
  std::size_t on_their_way = 0;  // bytes sent to this end and not arrived
  TimePoint last_arrival{0};     // of what was sent to this end so far
  std::size_t buffer_bytes = 0;  // inbox and on_their_way together, at most
  int error = 0;                 // of the connection, to be told once
  bool connected = false;
  bool end_arrived = false;  // the other end has shut its side
  bool read_shut = false;
  bool write_shut = false;
  bool broken = false;   // by a reset, in either direction
  bool closed = false;   // nobody has it any more
  bool faulted = false;  // the world has done something to it that may lose bytes
  std::weak_ptr<SimEndpoint> other;
  // The other end once that is closed: what is still sent to it is answered with a reset.
  std::shared_ptr<SimEndpoint> closed_other;
  // Called when there may be something to read, room to write, or an end.
  std::function<void()> changed;

  bool readable() const noexcept {
    return !inbox.empty() || end_arrived || read_shut || error != 0 || broken;
  }
};

struct SimListener {
  std::uint16_t port = 0;
  std::size_t backlog = 0;
  bool refusing = false;  // makes no new connections
  bool closed = false;
  std::deque<std::shared_ptr<SimEndpoint>> queue;
  std::function<void()> changed;
};

struct SimDescriptor {
  enum class Kind : std::uint8_t { free, listener, socket, file, event };

  Kind kind = Kind::free;
  std::uint16_t port = 0;
  std::shared_ptr<SimListener> listener;
  std::shared_ptr<SimEndpoint> endpoint;
  std::shared_ptr<std::string> file;
  bool signalled = false;         // an event
  std::function<void()> changed;  // an event's
  std::uint64_t serial = 0;       // no other descriptor of the world has had it
};

class SimWorld;

class SimWire {
 public:
  explicit SimWire(SimWorld& world) noexcept : world_(&world) {}

  std::shared_ptr<SimEndpoint> make_endpoint() const;
  void join(const std::shared_ptr<SimEndpoint>& one, const std::shared_ptr<SimEndpoint>& two) const;
  // How many bytes may be sent now.
  std::size_t room(const SimEndpoint& from) const;
  // Sends what there is room for, in segments that arrive one after another; negative errno when
  // the connection does not take any.
  std::int64_t send(SimEndpoint& from, const char* data, std::size_t size) const;
  // Takes up to `size` bytes; 0 at the end, -EAGAIN when there is nothing yet.
  std::int64_t receive(SimEndpoint& to, char* data, std::size_t size) const;
  void shut_write(SimEndpoint& from) const;
  void shut_read(SimEndpoint& end) const;
  // Ends the connection for this end; unread bytes make it a reset.
  void close(SimEndpoint& end, bool reset) const;
  // Cuts the connection in the middle: both ends see a reset.
  void cut(SimEndpoint& end) const;

 private:
  TimePoint arrival(SimEndpoint& to) const;
  void deliver_segment(const std::weak_ptr<SimEndpoint>& to, const std::string& bytes) const;
  void send_reset(SimEndpoint& from) const;

  SimWorld* world_;
};

// The end breaks, now.
void break_endpoint(SimEndpoint& end, int os_errno);
void tell_changed(SimEndpoint& end);

}  // namespace weft::ksvc
