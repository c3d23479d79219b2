// run_seed(): the workload of one seed.
#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "sim_run.hpp"

namespace weft::http::test {

namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

// Off for most seeds, so that each fault is seen alone and in all company; else rare or frequent.
unsigned maybe(Random& random, unsigned rare, unsigned frequent) {
  const std::uint64_t draw = random.below(10);
  if (draw < 6) return 0;
  return draw < 9 ? rare : frequent;
}

ksvc::SimFaults random_faults(Random& random) {
  ksvc::SimFaults faults;
  faults.reorder = maybe(random, 50, 500);
  faults.error = maybe(random, 3, 40);
  faults.early_end = maybe(random, 30, 500);
  faults.spurious_wake = maybe(random, 30, 500);
  faults.late_cancel = maybe(random, 300, 1'000);
  faults.late_notice = maybe(random, 300, 1'000);
  faults.busy = maybe(random, 50, 500);
  faults.short_read = maybe(random, 50, 900);
  faults.short_write = maybe(random, 50, 700);
  faults.no_buffers = maybe(random, 30, 900);
  faults.delay = maybe(random, 3, 30);
  faults.reset = maybe(random, 2, 20);
  faults.accept_error = maybe(random, 50, 700);
  faults.interrupt = maybe(random, 50, 500);
  faults.partial_drain = maybe(random, 50, 500);
  faults.already = maybe(random, 300, 1'000);
  faults.again = maybe(random, 50, 500);
  return faults;
}

SimRunOptions random_options(Random& random) {
  SimRunOptions options;
  // One in eight has none: everything else must be right too.
  options.any_faults = !random.chance(12);
  if (options.any_faults) options.world.faults = random_faults(random);
  options.backend.buffers = {1'024, 4'096};
  options.file_bytes = 300'000;
  if (options.any_faults) {
    if (random.chance(20)) options.backend.buffers = {2, 512};
    if (random.chance(20)) options.backend.completion_entries = 8;
    if (random.chance(10)) options.world.most_descriptors = 5;
  }
  if (random.chance(30)) options.world.socket_buffer_bytes = 4'096;
  options.world.cut = static_cast<unsigned>(random.below(1'000));
  // A program that is busy: much happens before it looks again.
  if (random.chance(20)) options.world.turn_time = milliseconds(random.between(1, 20));
  options.drain_after = microseconds(random.below(random.chance(70) ? 300'000 : 3'000'000));
  return options;
}

// What a seed has turned on, for whoever reads of its failure.
std::string described(const SimRunOptions& options) {
  const ksvc::SimFaults& faults = options.world.faults;
  std::string text;
  const auto tell = [&text](const char* name, std::uint64_t value) {
    if (value > 0)
      text += std::string(text.empty() ? "" : ", ") + name + " " + std::to_string(value);
  };
  if (options.model != Model::green) {
    text = options.model == Model::coroutine ? "coroutines" : "callbacks";
  }
  tell("reorder", faults.reorder);
  tell("error", faults.error);
  tell("early_end", faults.early_end);
  tell("spurious_wake", faults.spurious_wake);
  tell("late_cancel", faults.late_cancel);
  tell("late_notice", faults.late_notice);
  tell("busy", faults.busy);
  tell("short_read", faults.short_read);
  tell("short_write", faults.short_write);
  tell("no_buffers", faults.no_buffers);
  tell("delay", faults.delay);
  tell("reset", faults.reset);
  tell("accept_error", faults.accept_error);
  tell("interrupt", faults.interrupt);
  tell("partial_drain", faults.partial_drain);
  tell("already", faults.already);
  tell("again", faults.again);
  tell("blocks", options.backend.buffers.blocks);
  tell("completion_entries", options.backend.completion_entries);
  tell("most_descriptors", options.world.most_descriptors);
  tell("socket_buffer_bytes", options.world.socket_buffer_bytes);
  tell("turn_time", static_cast<std::uint64_t>(options.world.turn_time.count()));
  tell("drain after us", static_cast<std::uint64_t>(options.drain_after.count()) / 1'000);
  return text;
}

}  // namespace

SeedOutcome run_seed(std::uint64_t seed) {
  Random random(seed);
  SimRunOptions options = random_options(random);
  options.model = std::array{Model::green, Model::coroutine, Model::callback}[seed % 3];
  const std::string replay = "WEFT_SIM_SEED=" + std::to_string(seed) +
                             " weft_http_test --gtest_filter=Simulation.one_seed";
  options.world.replay = replay;
  options.world.keep_trace = std::getenv("WEFT_SIM_TRACE") != nullptr;
  SimRun run(seed, options);
  Limits& limits = run.site().site.limits;
  if (random.chance(30)) limits.pipelined_bytes = random.between(100, 5'000);
  if (random.chance(30)) limits.send_step_bytes = random.between(1'000, 10'000);
  for (ClientPlan& plan : random_plans(random, {})) run.add_client(std::move(plan));
  SeedOutcome outcome;
  outcome.wrong = run.run();
  if (!outcome.wrong.empty()) outcome.wrong += replay + "\n(" + described(options) + ")";
  if (options.world.keep_trace) std::fputs(run.world().trace().c_str(), stderr);
  outcome.trace_hash = run.trace_hash();
  outcome.requests = run.counters().requests.value();
  outcome.connections = run.counters().accepted.value();
  for (const SimClient& client : run.clients()) outcome.answers += client.checker().answered();
  return outcome;
}

}  // namespace weft::http::test
