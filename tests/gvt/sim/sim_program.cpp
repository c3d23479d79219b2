#include "sim_program.hpp"

#include <netinet/in.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "gvt/sanitizer.hpp"
#include "gvt/schedule_policy.hpp"
#include "gvt/worker.hpp"
#include "ksvc/clock/sim_clock.hpp"
#include "ksvc/notify/sim_notifier.hpp"
#include "ksvc/sim/sim_backend.hpp"
#include "ksvc/sim/sim_network.hpp"
#include "ksvc/sink/direct_wake_sink.hpp"
#include "weft/detail/spawned_task.hpp"

namespace weft::test {

namespace {

using SimWorker = gvt::Worker<ksvc::SimBackend, ksvc::SimClock, ksvc::SimNotifier>;

// Each of those that are ready has the same chance, each time.
class DrawnSchedule final : public gvt::SchedulePolicy {
 public:
  explicit DrawnSchedule(ksvc::SimWorld& world) noexcept : world_(world) {}

  int choose(gvt::RunQueue& ready) noexcept override {
    order_.clear();
    while (gvt::Runnable* task = ready.pop()) order_.push_back(task);
    for (std::size_t left = order_.size(); left > 1; --left) {
      const auto drawn = static_cast<std::size_t>(world_.random().below(left));
      std::swap(order_[left - 1], order_[drawn]);
      world_.note("chosen", left, drawn);
    }
    for (gvt::Runnable* task : order_) ready.push(*task);
    return world_.strikes(kSomeInARow) ? static_cast<int>(world_.random().between(2, kMost)) : 1;
  }

 private:
  // In a thousand; so that the kernel is not always asked in between.
  static constexpr unsigned kSomeInARow = 200;
  static constexpr std::uint64_t kMost = 6;

  ksvc::SimWorld& world_;
  std::vector<gvt::Runnable*> order_;
};

// Answers to cancels that nobody waits for, and closes.
void finish_what_is_in_flight(SimWorker& worker, ksvc::SimWorld& world) {
  ksvc::DirectWakeSink sink;
  ksvc::SimBackend& backend = worker.backend();
  const ksvc::TimePoint give_up = world.now() + std::chrono::seconds(1);
  while (backend.in_flight() > 0 && world.now() < give_up) {
    backend.submit_and_wait(1, give_up);
    backend.drain(sink);
  }
}

void check_nothing_left(SimWorker& worker, ksvc::SimWorld& world) {
  worker.backend().check_nothing_left();
  world.check_nothing_left();
  if (worker.parked() > 0) world.fail("green threads are left parked");
  if (worker.external_waits() > 0) world.fail("waits for the kernel are still counted");
  // The wheel forgets lazily where timers were, as far as it reaches. One that is left would fire
  // now, and into nothing.
  worker.timers().advance(world.now() + std::chrono::hours(24 * 365 * 3));
  if (worker.timers().next_due() != ksvc::kNoDeadline) world.fail("a timer is left");
}

int required(ksvc::SimWorld& world, int fd) {
  if (fd < 0) world.fail("out of descriptors");
  return fd;
}

}  // namespace

std::pair<End, End> SimGround::make_pair() {
  const int one = make_socket();
  const int other = make_socket();
  ksvc::SimWire(world_).join(world_.descriptor(one).endpoint, world_.descriptor(other).endpoint);
  return {End(one), End(other)};
}

Listener SimGround::make_listener(int room) {
  const int fd = required(world_, world_.make_listener(static_cast<unsigned>(room)));
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_port = htons(world_.port_of(fd));
  Address address;
  std::memcpy(&address.storage, &name, sizeof name);
  address.size = sizeof name;
  return {fd, address};
}

int SimGround::make_socket() { return required(world_, world_.make_socket()); }

SimProgramOutcome run_simulated(std::uint64_t seed, const SimProgramOptions& options,
                                const std::function<void(Ground&)>& main) {
  ksvc::SimWorld world(seed, options.world);
  SimGround ground(world);
  DrawnSchedule drawn(world);
  gvt::WorkerOptions worker_options;
  if (gvt::sanitizer::kEnabled) worker_options.scheduler.stack_bytes = 256 * 1024;
  if (!options.keeps_order) worker_options.schedule = &drawn;
  const auto worker =
      SimWorker::assemble(worker_options, ksvc::SimBackend::make(world), ksvc::SimClock(world));
  SimProgramOutcome outcome;
  worker->stop_when_all_tasks_ended();
  std::function<void()> watched = [&] {
    main(ground);
    outcome.ended = true;
  };
  auto* first = new detail::SpawnedTask<std::function<void()>>(std::move(watched));
  first->let_go();
  first->start_on(*worker, {.name = "main"});
  worker->run();
  finish_what_is_in_flight(*worker, world);
  check_nothing_left(*worker, world);
  outcome.trace_hash = world.trace_hash();
  outcome.turns = worker->backend().entries();
  if (options.world.keep_trace) std::fputs(world.trace().c_str(), stderr);
  return outcome;
}

}  // namespace weft::test
