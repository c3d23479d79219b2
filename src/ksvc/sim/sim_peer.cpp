#include "ksvc/sim/sim_peer.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace weft::ksvc {

namespace {
constexpr std::size_t kReadBytes = 16 * 1024;
}  // namespace

SimPeer::SimPeer(SimWorld& world, std::uint16_t port)
    : wire_(world), end_(wire_.make_endpoint()), alive_(std::make_shared<bool>(true)) {
  watch();
  world.connect(end_, port, [this, alive = alive_](int os_errno) {
    if (!*alive || closed_) return;
    connected_ = os_errno == 0;
    if (on_connect) on_connect(os_errno);
    if (connected_) look();
  });
}

SimPeer::SimPeer(SimWorld& world, std::shared_ptr<SimEndpoint> end)
    : wire_(world), end_(std::move(end)), alive_(std::make_shared<bool>(true)), connected_(true) {
  watch();
}

void SimPeer::watch() {
  end_->changed = [this, alive = alive_] {
    if (*alive) look();
  };
}

void SimPeer::look() {
  if (!connected_ || closed_) return;
  send_what_fits();
  read();
}

void SimPeer::send(std::string_view bytes) {
  if (finishing_ || closed_) return;
  unsent_ += bytes;
  send_what_fits();
}

void SimPeer::finish() {
  finishing_ = true;
  send_what_fits();
}

void SimPeer::send_what_fits() {
  if (!connected_ || closed_) return;
  while (!unsent_.empty()) {
    const std::int64_t sent = wire_.send(*end_, unsent_.data(), unsent_.size());
    if (sent == -EAGAIN) return;
    if (sent < 0) {
      // What has arrived before can still be read.
      unsent_.clear();
      end_errno_ = static_cast<int>(-sent);
      break;
    }
    unsent_.erase(0, static_cast<std::size_t>(sent));
  }
  if (finishing_ && !std::exchange(finished_, true)) wire_.shut_write(*end_);
}

void SimPeer::resume() {
  paused_ = false;
  look();
}

void SimPeer::read() {
  while (on_bytes && !paused_ && !ended_ && !closed_) {
    std::string bytes(kReadBytes, '\0');
    const std::int64_t got = wire_.receive(*end_, bytes.data(), bytes.size());
    if (got == -EAGAIN) return;
    if (got <= 0) return see_end(static_cast<int>(-got));
    bytes.resize(static_cast<std::size_t>(got));
    on_bytes(bytes);
  }
}

std::string SimPeer::take(std::size_t most) {
  std::string bytes(std::min(most, end_->inbox.size()), '\0');
  if (ended_ || closed_ || !connected_ || most == 0) return {};
  const std::int64_t got = wire_.receive(*end_, bytes.data(), bytes.size());
  if (got > 0 || got == -EAGAIN) return bytes;
  see_end(static_cast<int>(-got));
  return {};
}

void SimPeer::see_end(int os_errno) {
  ended_ = true;
  // An error that a send has met before is told as the end's.
  if (os_errno != 0) end_errno_ = os_errno;
  if (on_end) on_end(end_errno_);
}

void SimPeer::leave(bool reset) {
  if (std::exchange(closed_, true)) return;
  *alive_ = false;
  unsent_.clear();
  wire_.close(*end_, reset);
}

}  // namespace weft::ksvc
