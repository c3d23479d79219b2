#include "sim_run.hpp"

#include <algorithm>
#include <utility>

#include "http/models/callback.hpp"
#include "http/models/coroutine.hpp"
#include "http/models/green.hpp"
#include "http/service_impl.hpp"

namespace weft::http::test {

namespace {

using std::chrono::milliseconds;

// What a request may take from its client to where the server has it.
constexpr std::chrono::nanoseconds kMargin = milliseconds(1);
// Well below what the server waits for a client to see its end.
constexpr milliseconds kMostForAnEnd{500};
constexpr std::chrono::nanoseconds kMarginOfFaults = milliseconds(50);
constexpr milliseconds kLongestDelay{300};
// By then everybody has noticed everything, whatever was lost.
constexpr std::chrono::seconds kAftermath{120};

gvt::WorkerOptions worker_options() {
  gvt::WorkerOptions options;
#if defined(WEFT_ASAN) || defined(WEFT_TSAN)
  options.scheduler.stack_bytes = 256 * 1024;
#endif
  return options;
}

}  // namespace

SimRun::SimRun(std::uint64_t seed, const SimRunOptions& options)
    : seed_(seed), options_(options), world_(seed, options.world), site_(options.model) {
  const int listener = world_.make_listener();
  if (options.file_bytes > 0) site_.file = world_.make_file(big_body(options.file_bytes));
  port_ = world_.port_of(listener);
  worker_ = Worker::assemble(worker_options(), ksvc::SimBackend::make(world_, options_.backend),
                             ksvc::SimClock(world_));
  if (options_.add_routes) options_.add_routes(site_.site);
  make_service(listener);
  drain_at_ = world_.now() + options_.drain_after;
  world_.at(drain_at_, [this] {
    for (SimClient& client : clients_) client.server_drains();
    worker_->post(drain_command_);
  });
}

SimRun::~SimRun() = default;

void SimRun::make_service(int listener) {
  const auto make = [&]<class ConnectionModel>() {
    service_.emplace<ServiceOf<ConnectionModel>>().emplace(*worker_, site_.site, listener,
                                                           counters_, count_);
  };
  switch (options_.model) {
    case Model::green: return make.operator()<models::Green>();
    case Model::coroutine: return make.operator()<models::Coroutine>();
    case Model::callback: return make.operator()<models::Callback>();
  }
}

SimClient& SimRun::add_client(ClientPlan plan) {
  const std::uint64_t seed = seed_ * 1'000 + clients_.size();
  return clients_.emplace_back(world_, port_, std::move(plan), seed);
}

void SimRun::begin_drain(gvt::Runnable& self) {
  SimRun& run = static_cast<DrainCommand&>(self).run;
  run.drain_began_at_ = run.worker_->turn_time();
  std::visit([](auto& service) { service->begin_drain(); }, run.service_);
}

std::string SimRun::run() {
  std::visit([](auto& service) { service->start(); }, service_);
  worker_->run();
  drained_at_ = world_.now();
  const bool left = counters_.accepted.value() != counters_.closed.value();
  if (left) complain("not every connection was closed when the drain ended");
  if (!left && buffered_bytes() != 0) complain("bytes are counted that nobody has buffered");
  if (at_end) at_end();
  std::visit([](auto& service) { service.reset(); }, service_);
  finish_what_is_in_flight();
  if (options_.file_bytes > 0) world_.close(site_.file, false);
  judge_server();
  worker_.reset();
  const ksvc::TimePoint end = world_.now() + kAftermath;
  while (world_.step(end)) {
  }
  for (std::size_t i = 0; i < clients_.size(); ++i) judge_client(clients_[i], i);
  return wrong_;
}

// Answers to cancels that nobody waits for, above all.
void SimRun::finish_what_is_in_flight() {
  ksvc::DirectWakeSink sink;
  ksvc::SimBackend& backend = worker_->backend();
  const ksvc::TimePoint give_up = world_.now() + std::chrono::seconds(1);
  while (backend.in_flight() > 0 && world_.now() < give_up) {
    backend.submit_and_wait(1, give_up);
    backend.drain(sink);
  }
}

void SimRun::judge_server() {
  const auto none = [this](const char* what, std::uint64_t count) {
    if (count > 0) complain(std::to_string(count) + " " + what + " are left");
  };
  none("counted connections", count_.total());
  // What its callbacks spawned may outlive a request whose client has gone: nobody waits for it.
  if (options_.model != Model::callback) none("parked handlers", worker_->parked());
  none("operations", worker_->backend().in_flight());
  none("leases", worker_->backend().buffers().lent());
  none("detached leases", worker_->backend().buffers().detached());
  none("descriptors", world_.open_descriptors());
  // The wheel forgets lazily where timers were. One that is left would fire now, and into nothing.
  worker_->timers().advance(world_.now() + std::chrono::hours(24));
  if (worker_->timers().next_due() != ksvc::kNoDeadline) complain("a timer is left");
  if (drained_at_ > drain_at_ + site_.site.limits.drain_grace) complain("the drain took too long");
  for (const std::string& line : site_.complaints) {
    if (line.find("grace") != std::string::npos) complain("the server said: " + line);
  }
}

void SimRun::judge_client(const SimClient& client, std::size_t number) {
  const auto complain_of = [&](const std::string& what) {
    const auto left_after = client.left_at() - drain_at_;
    complain("client " + std::to_string(number) + ": " + what + "; it left " +
             std::to_string(left_after.count() / 1'000) + " us after the drain began");
  };
  if (!client.checker().wrong().empty()) complain_of(client.checker().wrong());
  if (client.was_faulted()) return;
  const std::chrono::nanoseconds margin = this->margin();
  // What arrived long before its connection was accepted may be told of bit by bit.
  const bool accepts_late =
      options_.world.faults.accept_error > 0 || options_.world.most_descriptors < clients_.size();
  const ksvc::TimePoint in_time = drain_began_at_ + (site_.site.limits.drain_quiet - margin);
  const std::string missed =
      client.missed(in_time, accepts_late ? kAftermath : 2 * margin + 3 * options_.world.turn_time);
  if (!missed.empty()) complain_of(missed);
  if (!client.plan().is_fair()) return;
  if (!client.is_over()) complain_of("still waits for the server");
  if (client.was_refused()) {
    if (client.started_at() + margin < drain_at_) complain_of("was refused before the drain");
    return;
  }
  if (client.checker().amid_an_answer()) complain_of("got half an answer");
  // What is sent when the server has just closed is answered by a reset.
  const bool may_be_reset = client.checker().announced_close() || client.last_sent_at() > in_time;
  if (client.saw_reset() && !may_be_reset) complain_of("saw a reset");
  if (client.waited_for_end() > margin + kMostForAnEnd)
    complain_of("was left waiting for the announced end");
}

// How long a request may take from its client to where the server has it, and knows of it.
std::chrono::nanoseconds SimRun::margin() const {
  const ksvc::SimFaults& faults = options_.world.faults;
  std::chrono::nanoseconds margin = options_.any_faults ? kMarginOfFaults : kMargin;
  if (options_.any_faults) margin += 10 * options_.world.turn_time;
  if (faults.delay > 0) margin += kLongestDelay;
  return margin;
}

}  // namespace weft::http::test
