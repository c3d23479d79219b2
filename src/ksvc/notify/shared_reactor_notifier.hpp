// SharedReactorNotifier: wakes a worker on a shared reactor where it sleeps, without the reactor.
//
// A flag says that a wake has not been acknowledged yet; only the first wake looks whether the
// worker sleeps. No descriptor and no operation. wake() from any thread, the rest on the owner's.
#pragma once

#include <memory>

#include "ksvc/core/notifier.hpp"
#include "ksvc/reactor/woken_flag.hpp"

namespace weft::ksvc {

class SharedReactorNotifier {
 public:
  SharedReactorNotifier() : flag_(std::make_shared<WokenFlag>()) {}
  SharedReactorNotifier(const SharedReactorNotifier&) = delete;
  SharedReactorNotifier& operator=(const SharedReactorNotifier&) = delete;

  void wake() noexcept { flag_->raise(); }
  void acknowledge() noexcept { flag_->lower(); }

  // Stays armed.
  template <class Backend>
    requires requires(Backend& backend, const std::shared_ptr<WokenFlag>& flag, CorrelationId id) {
      backend.watch(flag, id);
    }
  void watch(Backend& backend, CorrelationId corr_id) {
    backend.watch(flag_, corr_id);
  }
  static const char* name() noexcept { return "shared reactor"; }

 private:
  const std::shared_ptr<WokenFlag> flag_;
};

static_assert(Notifier<SharedReactorNotifier>);

}  // namespace weft::ksvc
