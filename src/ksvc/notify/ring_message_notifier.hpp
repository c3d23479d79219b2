// RingMessageNotifier: wakes the loop by a completion that is put into its ring from outside.
//
// The watch is a ring and an id, recorded at the first watch() and the same ever after. A wake
// sends a message there: by a call that needs no ring of the sender's (Linux 6.13), before that
// through a small ring of the notifier's own, which WakeState lets one thread use at a time. Only
// a back end that has a ring can watch this notifier. wake() from any thread, everything else on
// the owner's.
#pragma once

#include <atomic>
#include <concepts>
#include <cstdint>
#include <memory>

#include "ksvc/core/assert.hpp"
#include "ksvc/core/io_backend.hpp"
#include "ksvc/core/notifier.hpp"
#include "ksvc/notify/wake_state.hpp"

namespace weft::ksvc {

template <class B>
concept HasRing = requires(const B& backend) {
  { backend.ring_fd() } -> std::same_as<int>;
};

enum class MessageSender : std::uint8_t { kernel_call, own_ring };

class RingMessageNotifier {
 public:
  // What the kernel has, the call first. Throws std::system_error when it has neither.
  RingMessageNotifier();
  explicit RingMessageNotifier(MessageSender sender);
  ~RingMessageNotifier();
  RingMessageNotifier(const RingMessageNotifier&) = delete;
  RingMessageNotifier& operator=(const RingMessageNotifier&) = delete;

  // Whether this kernel, and what confines the process, let messages be sent this way.
  static bool supported(MessageSender sender) noexcept;

  void wake() noexcept;
  void acknowledge() noexcept { state_.acknowledge(); }

  template <HasRing Backend>
    requires Submits<Backend, Nop>
  void watch(Backend& backend, CorrelationId corr_id) {
    if (!watched_) {
      // Read by wakes only after the state says that there is something to read.
      ring_fd_ = backend.ring_fd();
      corr_id_ = corr_id;
      watched_ = true;
    }
    WEFT_ASSERT(ring_fd_ == backend.ring_fd() && corr_id_ == corr_id);
    if (state_.watch()) backend.submit(Nop{}, corr_id);
  }

  MessageSender sender() const noexcept { return sender_; }
  static const char* name() noexcept { return "ring message"; }

 private:
  struct SenderRing;

  void send() noexcept;

  WakeState<> state_;
  MessageSender sender_;
  bool watched_ = false;
  int ring_fd_ = -1;
  CorrelationId corr_id_ = 0;
  std::unique_ptr<SenderRing> ring_;
};

static_assert(Notifier<RingMessageNotifier>);

}  // namespace weft::ksvc
