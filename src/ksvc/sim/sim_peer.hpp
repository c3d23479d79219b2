// SimPeer: a client in a simulated world, or any other end of a connection, driven by callbacks.
//
// What it sends waits for room as long as it takes. What arrives goes to on_bytes; while there is
// no on_bytes, and while paused, it stays unread until take(), and the sender feels it. Callbacks
// run while the world's time goes on; they may call any member but the destructor, which closes.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "ksvc/sim/sim_world.hpp"

namespace weft::ksvc {

class SimPeer {
 public:
  // Connects to the port when on_connect and the others are set, that is not before time goes on.
  SimPeer(SimWorld& world, std::uint16_t port);
  // Of an end that is connected already.
  SimPeer(SimWorld& world, std::shared_ptr<SimEndpoint> end);
  ~SimPeer() { close(); }
  SimPeer(const SimPeer&) = delete;
  SimPeer& operator=(const SimPeer&) = delete;

  // 0, or the errno that it failed with, which is all that happens then.
  std::function<void(int os_errno)> on_connect;
  std::function<void(std::string_view bytes)> on_bytes;
  // Once: 0 when the other side has finished, else the errno. It may still send after a 0.
  std::function<void(int os_errno)> on_end;

  void send(std::string_view bytes);
  // Sends no more, once all was sent.
  void finish();
  // Closes as an ordinary program does: what was not sent is dropped, and what was not read makes
  // it a reset.
  void close() { leave(false); }
  void reset() { leave(true); }
  void pause() noexcept { paused_ = true; }
  void resume();
  // What has arrived and was not read, at most so much of it.
  std::string take(std::size_t most = SIZE_MAX);

  bool connected() const noexcept { return connected_; }
  bool ended() const noexcept { return ended_; }
  // Why it has ended: 0 for in good order.
  int end_errno() const noexcept { return end_errno_; }
  // The world did something to the connection that may lose bytes.
  bool faulted() const noexcept { return end_->faulted; }
  std::size_t unsent_bytes() const noexcept { return unsent_.size(); }

 private:
  void watch();
  void look();
  void send_what_fits();
  void read();
  void see_end(int os_errno);
  void leave(bool reset);

  SimWire wire_;
  std::shared_ptr<SimEndpoint> end_;
  std::shared_ptr<bool> alive_;
  std::string unsent_;
  bool connected_ = false;
  bool finishing_ = false;
  bool finished_ = false;
  bool paused_ = false;
  bool ended_ = false;
  bool closed_ = false;
  int end_errno_ = 0;
};

}  // namespace weft::ksvc
