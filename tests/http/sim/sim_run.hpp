// SimRun: the HTTP server as it is, on a simulated kernel, with simulated clients, from the first
// connection to the end of the drain; and the judgement of what happened.
//
// The same seed and options give the same run, to the byte. One thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "gvt/worker.hpp"
#include "http/models/model.hpp"
#include "http/service.hpp"
#include "ksvc/clock/sim_clock.hpp"
#include "ksvc/notify/sim_notifier.hpp"
#include "ksvc/sim/sim_backend.hpp"
#include "ksvc/sim/sim_world.hpp"
#include "sim_client.hpp"
#include "sim_site.hpp"

namespace weft::http::test {

struct SimRunOptions {
  ksvc::SimOptions world;
  Model model = Model::green;
  bool any_faults = false;     // what is late then is nobody's fault
  std::size_t file_bytes = 0;  // of the file that /file gives, if there is one
  ksvc::BackendOptions backend;
  std::chrono::nanoseconds drain_after = std::chrono::seconds(1);
  std::function<void(Site& site)> add_routes;  // to those that are always there
};

class SimRun {
 public:
  using Worker = gvt::Worker<ksvc::SimBackend, ksvc::SimClock, ksvc::SimNotifier>;

  SimRun(std::uint64_t seed, const SimRunOptions& options);
  ~SimRun();
  SimRun(const SimRun&) = delete;
  SimRun& operator=(const SimRun&) = delete;

  // Before run().
  SimClient& add_client(ClientPlan plan);
  SimSite& site() { return site_; }
  // For clients of other kinds, which are not judged.
  std::uint16_t port() const { return port_; }
  ksvc::SimWorld& world() { return world_; }
  ksvc::SimBackend& backend() { return worker_->backend(); }
  Worker& worker() { return *worker_; }
  const WorkerCounters& counters() const { return counters_; }

  // When the server has drained, before it is judged.
  std::function<void()> at_end;
  std::size_t buffered_bytes() const {
    return std::visit([](const auto& service) { return service->budget().held(); }, service_);
  }

  // Until the server has drained and every client has noticed; then what is wrong, line by line.
  std::string run();

  const std::deque<SimClient>& clients() const { return clients_; }
  std::uint64_t trace_hash() const { return world_.trace_hash(); }
  ksvc::TimePoint drain_began_at() const { return drain_began_at_; }
  ksvc::TimePoint drained_at() const { return drained_at_; }

 private:
  struct DrainCommand : gvt::Runnable {
    explicit DrainCommand(SimRun& owner) : Runnable(&SimRun::begin_drain), run(owner) {}
    SimRun& run;
  };

  void make_service(int listener);
  static void begin_drain(gvt::Runnable& self);
  void finish_what_is_in_flight();
  void judge_server();
  void judge_client(const SimClient& client, std::size_t number);
  std::chrono::nanoseconds margin() const;
  void complain(const std::string& what) { wrong_ += what + "\n"; }

  std::uint64_t seed_;
  SimRunOptions options_;
  ksvc::SimWorld world_;
  SimSite site_;
  WorkerCounters counters_;
  ConnectionCount count_;
  std::deque<SimClient> clients_;
  std::uint16_t port_ = 0;
  std::unique_ptr<Worker> worker_;
  template <class ConnectionModel>
  using ServiceOf = std::optional<Service<Worker, ConnectionModel>>;
  std::variant<ServiceOf<models::Green>, ServiceOf<models::Coroutine>, ServiceOf<models::Callback>>
      service_;
  DrainCommand drain_command_{*this};
  ksvc::TimePoint drain_at_;  // asked for; and when the server knew of it
  ksvc::TimePoint drain_began_at_;
  ksvc::TimePoint drained_at_;
  std::string wrong_;
};

// A whole workload from one seed: which faults there are, how many clients, what they do, when the
// server drains. Empty if nothing was wrong; else what was, and how to see it again.
struct SeedOutcome {
  std::string wrong;
  std::uint64_t trace_hash = 0;
  std::uint64_t requests = 0;
  std::uint64_t answers = 0;
  std::uint64_t connections = 0;
};
SeedOutcome run_seed(std::uint64_t seed);

}  // namespace weft::http::test
