// ReactorDoor: the one way into a shared reactor, and who has gone through it.
//
// Requests of all workers stand in one bounded queue without locks. One that finds it full lets
// others run and tries again, so none is lost and those of one worker stay in order; the reactor
// never waits for a worker, so that comes to an end. Any number of requests before the reactor
// looks cost one wake. push(), try_push(), ring(), admit() and dismiss() may be called on any
// thread; the queue is emptied by the reactor's.
#pragma once

#include <atomic>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>

#include "ksvc/instance/wake_gate.hpp"
#include "ksvc/notify/event_fd_notifier.hpp"
#include "ksvc/queue/mpsc_queue.hpp"
#include "ksvc/reactor/reply_channel.hpp"
#include "ksvc/reactor/request.hpp"
#include "ksvc/reactor/sleep_word.hpp"

namespace weft::ksvc {

// What the reactor and one worker share.
struct ReactorClient : std::enable_shared_from_this<ReactorClient> {
  ReactorClient(std::uint8_t client_index, std::size_t completions)
      : index(client_index), replies(completions) {}

  const std::uint8_t index;
  ReplyChannel replies;
  SleepWord sleep;
  std::atomic<std::uint32_t> lent{0};  // numbered blocks on their way to the worker or with it
  std::atomic<bool> left{false};       // the reactor knows it no more
};

class ReactorDoor {
 public:
  static constexpr std::size_t kMostClients = 256;

  // Numbers of places, powers of two. Throws std::system_error without a descriptor to be woken by.
  ReactorDoor(std::size_t requests, std::size_t completions)
      : queue_(requests), completions_(completions) {}

  // The reactor sees it at the latest after ring().
  void push(const ReactorRequest& request) noexcept {
    if (!queue_.push(request)) [[unlikely]]
      push_when_there_is_room(request);
  }
  // False when there is no room.
  bool try_push(const ReactorRequest& request) noexcept { return queue_.push(request); }
  void ring() noexcept { gate_.ring(); }

  // A worker that the reactor knows from now on; null when there are too many.
  std::shared_ptr<ReactorClient> admit();
  // The reactor has let go of it.
  void dismiss(const ReactorClient& client) noexcept;

  // Numbered blocks of the reactor's provider that are not free, for whomever.
  std::uint32_t lent() const noexcept { return lent_.load(std::memory_order_relaxed); }

  // Reactor.
  MpscQueue<ReactorRequest>& queue() noexcept { return queue_; }
  WakeGate<EventFdNotifier>& gate() noexcept { return gate_; }
  void set_lent(std::uint32_t lent) noexcept { lent_.store(lent, std::memory_order_relaxed); }

 private:
  void push_when_there_is_room(const ReactorRequest& request) noexcept;

  MpscQueue<ReactorRequest> queue_;
  WakeGate<EventFdNotifier> gate_;
  std::atomic<std::uint32_t> lent_{0};
  const std::size_t completions_;
  std::mutex mutex_;  // guards what follows
  std::bitset<kMostClients> taken_;
};

}  // namespace weft::ksvc
