// SimNotifier: wakes a loop on a simulated back end; a world has one thread, so has this.
//
// The watch is not an operation in flight: a loop that waits for nothing but a wake, with nobody
// left to send one, is told so.
#pragma once

#include "ksvc/core/notifier.hpp"
#include "ksvc/sim/sim_backend.hpp"

namespace weft::ksvc {

class SimNotifier {
 public:
  SimNotifier() = default;
  SimNotifier(const SimNotifier&) = delete;
  SimNotifier& operator=(const SimNotifier&) = delete;

  void wake() noexcept {
    if (!woken_ && backend_ != nullptr) backend_->complete_from_outside(corr_id_, true);
    woken_ = true;
  }
  void acknowledge() noexcept { woken_ = false; }
  void watch(SimBackend& backend, CorrelationId corr_id) {
    backend_ = &backend;
    corr_id_ = corr_id;
    if (woken_) backend.complete_from_outside(corr_id, true);
  }
  static const char* name() noexcept { return "simulated"; }

 private:
  SimBackend* backend_ = nullptr;
  CorrelationId corr_id_ = 0;
  bool woken_ = false;
};

static_assert(Notifier<SimNotifier>);
static_assert(WatchedBy<SimNotifier, SimBackend>);

}  // namespace weft::ksvc
