// InstanceThread: an instance that an OS thread of its own makes, runs and destroys.
//
// start() returns when the instance is there, or with the reason why not. The destructor stops the
// dispatcher, unless somebody has done so before, and waits for it; until then the instance is
// there. Ports must be gone by then. Used by the thread that started it.
#pragma once

#include <future>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

#include "ksvc/instance/instance_builder.hpp"

namespace weft::ksvc {

template <class Traits>
class InstanceThread {
 public:
  // `builder` has a build() as InstanceBuilder's; it is called on the new thread.
  template <class Builder>
  static Result<std::unique_ptr<InstanceThread>> start(Builder builder) {
    std::unique_ptr<InstanceThread> self(new InstanceThread);
    std::promise<std::optional<Error>> made;
    auto outcome = made.get_future();
    self->thread_ = std::thread([&self = *self, &made, builder = std::move(builder)] {
      auto built = builder.build();
      if (!built) return made.set_value(built.error());
      const auto instance = std::move(built).value();
      self.instance_ = instance.get();
      made.set_value(std::nullopt);
      dispatcher_loop(*instance);
      // Others may have told it to stop, and may still look at what it has left in its sink.
      self.not_needed_.get_future().wait();
    });
    if (const auto error = outcome.get()) return *error;
    return self;
  }
  ~InstanceThread() {
    if (instance_ != nullptr) {
      instance_->stop();
      not_needed_.set_value();
    }
    if (thread_.joinable()) thread_.join();
  }
  InstanceThread(const InstanceThread&) = delete;
  InstanceThread& operator=(const InstanceThread&) = delete;

  InstanceOf<Traits>& instance() noexcept { return *instance_; }

 private:
  InstanceThread() = default;

  InstanceOf<Traits>* instance_ = nullptr;
  std::promise<void> not_needed_;
  std::thread thread_;
};

// The thread type follows from the builder's.
template <class Traits>
Result<std::unique_ptr<InstanceThread<Traits>>> start_thread(InstanceBuilder<Traits> builder) {
  return InstanceThread<Traits>::start(std::move(builder));
}

}  // namespace weft::ksvc
