#include "ksvc/sim/sim_network.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "ksvc/sim/sim_checksum.hpp"
#include "ksvc/sim/sim_world.hpp"

namespace weft::ksvc {

void tell_changed(SimEndpoint& end) {
  if (!end.changed) return;
  // A copy: what is called may replace it.
  const auto changed = end.changed;
  changed();
}

void break_endpoint(SimEndpoint& end, int os_errno) {
  if (end.broken) return;
  end.broken = true;
  end.error = os_errno;
  tell_changed(end);
}

std::shared_ptr<SimEndpoint> SimWire::make_endpoint() const {
  auto end = std::make_shared<SimEndpoint>();
  end->buffer_bytes = world_->options().socket_buffer_bytes;
  return end;
}

void SimWire::join(const std::shared_ptr<SimEndpoint>& one,
                   const std::shared_ptr<SimEndpoint>& two) const {
  one->other = two;
  two->other = one;
  one->connected = true;
  two->connected = true;
}

// Each thing that is sent arrives after what was sent before it.
TimePoint SimWire::arrival(SimEndpoint& to) const {
  const auto most = static_cast<std::uint64_t>(world_->options().latency.count());
  std::uint64_t delay_ns = world_->random().below(most + 1);
  if (world_->strikes(world_->options().faults.delay)) {
    delay_ns += world_->random().below(300'000'000);
  }
  const TimePoint time = world_->now() + std::chrono::nanoseconds(delay_ns);
  to.last_arrival = std::max(to.last_arrival, time);
  return to.last_arrival;
}

std::size_t SimWire::room(const SimEndpoint& from) const {
  const auto to = from.other.lock();
  if (to == nullptr) return from.buffer_bytes;
  const std::size_t used = to->inbox.size() + to->on_their_way;
  const std::size_t free = used >= to->buffer_bytes ? 0 : to->buffer_bytes - used;
  // As TCP does: rather than byte by byte, room is told of when it is worth a segment.
  const std::size_t worth =
      std::min<std::size_t>(world_->options().segment_bytes, to->buffer_bytes / 2);
  return free < worth ? 0 : free;
}

std::int64_t SimWire::send(SimEndpoint& from, const char* data, std::size_t size) const {
  if (from.error != 0) return -std::exchange(from.error, 0);
  if (from.write_shut || from.broken || !from.connected) return -EPIPE;
  const std::size_t taken = std::min(size, room(from));
  if (taken == 0 && size > 0) return -EAGAIN;
  world_->note("sent", taken, sim_checksum(data, taken));
  const auto to = from.other.lock();
  for (std::size_t at = 0; at < taken;) {
    if (world_->strikes(world_->options().faults.reset)) {
      cut(from);
      return static_cast<std::int64_t>(taken);
    }
    const std::size_t longest = std::min<std::size_t>(taken - at, world_->options().segment_bytes);
    const bool cut_early = longest > 1 && world_->strikes(world_->options().cut);
    const std::size_t segment = cut_early ? world_->random().between(1, longest - 1) : longest;
    if (to != nullptr) {
      to->on_their_way += segment;
      world_->at(arrival(*to),
                 [wire = *this, weak = std::weak_ptr(to), bytes = std::string(data + at, segment)] {
                   wire.deliver_segment(weak, bytes);
                 });
    }
    at += segment;
  }
  return static_cast<std::int64_t>(taken);
}

void SimWire::deliver_segment(const std::weak_ptr<SimEndpoint>& weak,
                              const std::string& bytes) const {
  const auto to = weak.lock();
  if (to == nullptr) return;
  to->on_their_way -= std::min(to->on_their_way, bytes.size());
  if (to->broken) return;
  if (to->closed || to->read_shut) {
    // Nobody will ever read this. A socket that is gone says so; one that is shut drops it.
    if (to->closed) send_reset(*to);
    return;
  }
  world_->note("arrived", bytes.size());
  to->inbox += bytes;
  tell_changed(*to);
}

std::int64_t SimWire::receive(SimEndpoint& to, char* data, std::size_t size) const {
  if (!to.inbox.empty()) {
    const std::size_t taken = std::min(size, to.inbox.size());
    std::copy_n(to.inbox.data(), taken, data);
    world_->note("received", taken, sim_checksum(data, taken));
    to.inbox.erase(0, taken);
    // There is room again.
    if (const auto from = to.other.lock()) tell_changed(*from);
    return static_cast<std::int64_t>(taken);
  }
  if (to.error != 0) return -std::exchange(to.error, 0);
  if (to.end_arrived || to.read_shut || to.broken) return 0;
  return -EAGAIN;
}

void SimWire::shut_write(SimEndpoint& from) const {
  if (from.write_shut || from.broken) return;
  from.write_shut = true;
  const auto to = from.other.lock();
  if (to == nullptr) return;
  world_->at(arrival(*to), [world = world_, weak = std::weak_ptr(to)] {
    const auto end = weak.lock();
    if (end == nullptr || end->broken) return;
    world->note("ended");
    end->end_arrived = true;
    tell_changed(*end);
  });
}

void SimWire::shut_read(SimEndpoint& end) const {
  end.read_shut = true;
  tell_changed(end);
}

void SimWire::send_reset(SimEndpoint& from) const {
  const auto to = from.other.lock();
  if (to == nullptr || to->broken) return;
  // It may overtake what was sent before, which is lost then.
  const auto most = static_cast<std::uint64_t>(world_->options().latency.count());
  world_->after(std::chrono::nanoseconds(world_->random().below(most + 1)),
                [world = world_, weak = std::weak_ptr(to)] {
                  const auto end = weak.lock();
                  if (end == nullptr) return;
                  world->note("reset");
                  break_endpoint(*end, ECONNRESET);
                });
}

void SimWire::close(SimEndpoint& end, bool reset) const {
  if (end.closed) return;
  end.closed = true;
  end.changed = nullptr;
  end.closed_other = nullptr;
  const auto other = end.other.lock();
  if (other != nullptr && !other->closed) other->closed_other = end.shared_from_this();
  if (reset || !end.inbox.empty()) {
    send_reset(end);
  } else {
    shut_write(end);
  }
}

void SimWire::cut(SimEndpoint& end) const {
  end.faulted = true;
  if (const auto other = end.other.lock()) {
    other->faulted = true;
    send_reset(end);
  }
  break_endpoint(end, ECONNRESET);
}

}  // namespace weft::ksvc
