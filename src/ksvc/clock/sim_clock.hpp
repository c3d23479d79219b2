// SimClock: the time of a simulated world, which passes only as the world lets it. One thread.
#pragma once

#include "ksvc/core/clock.hpp"
#include "ksvc/sim/sim_world.hpp"

namespace weft::ksvc {

class SimClock {
 public:
  // The world must outlive the clock.
  explicit SimClock(const SimWorld& world) noexcept : world_(&world) {}

  TimePoint now() const noexcept { return world_->now(); }
  TimePoint wall() const noexcept { return now() + world_->options().wall_start; }

 private:
  const SimWorld* world_;
};

static_assert(Clock<SimClock>);

}  // namespace weft::ksvc
