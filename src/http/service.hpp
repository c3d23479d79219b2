// Service: HTTP on one worker: its listener, its connections, its copy of the routes.
//
// `Model` says what keeps requests that wait (http/models/).
// Made on the worker's thread before it runs, and used there only; counters may be read elsewhere.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "gvt/worker.hpp"
#include "http/answer_observer.hpp"
#include "http/buffer_budget.hpp"
#include "http/connection.hpp"
#include "http/connection_count.hpp"
#include "http/connection_pool.hpp"
#include "http/models/green.hpp"
#include "http/output_arena.hpp"
#include "http/route_feed.hpp"
#include "http/site.hpp"
#include "weft/detail/cancel_node.hpp"

namespace weft::http {

template <class Worker, class Model = models::Green>
class Service final : private gvt::TurnObserver {
 public:
  // Takes over `listener_fd`, a descriptor of the back end's or one that it can be given.
  Service(Worker& worker, const Site& site, int listener_fd, WorkerCounters& counters,
          ConnectionCount& connection_count);
  // Ends what is in flight and closes everything, through the back end.
  ~Service();
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  // Before start(). Others have descriptors of the same listener, or get it afterwards: at a drain
  // it is not made to refuse clients, and closing it here is not the end of it.
  void share_listener() noexcept { listener_is_shared_ = true; }
  void start();
  // Takes up routes from there too, before each turn. The feed must outlive the service.
  void follow(RouteFeed& feed) noexcept { feed_ = &feed; }
  void take_routes() noexcept;
  // Before start(): who is told of all answers from now on.
  void observe(AnswerObserver& observer) noexcept { observer_ = &observer; }
  AnswerObserver* observer() const noexcept { return observer_; }
  // Stops accepting once what has arrived is accepted, lets requests finish, then stops the worker,
  // at the latest after the grace period.
  void begin_drain();

  // For connections.
  Worker& worker() noexcept { return worker_; }
  auto& backend() noexcept { return worker_.backend(); }
  const Limits& limits() const noexcept { return site_.limits; }
  const Site& site() const noexcept { return site_; }
  const Router& router() const noexcept { return router_; }
  // Valid until the next turn.
  const Endpoint& endpoint(RouteId route) const noexcept { return endpoints_[route]; }
  OutputArena& arena() noexcept { return arena_; }
  const CommonFields& common_fields() const noexcept { return common_fields_; }
  WorkerCounters& counters() noexcept { return counters_; }
  void count_answer(int status) noexcept {
    counters_.answers[static_cast<unsigned>(status) / 100 % 6].add(1);
  }
  // What the kernel has been asked for, once for all that an operation brings.
  void operation_begins() noexcept { counters_.operations.add(1); }
  void operation_ends() noexcept { counters_.operations.add(UINT64_MAX); }
  bool draining() const noexcept { return draining_; }
  BufferBudget& budget() noexcept { return budget_; }
  const BufferBudget& budget() const noexcept { return budget_; }
  std::uint64_t turn() const noexcept { return turn_; }
  bool settled_since(std::uint64_t turn) const noexcept { return settled_turn_ >= turn; }
  void run_when_settled(gvt::Runnable& task) noexcept { waiting_for_settled_.push(task); }
  void release(Connection<Worker, Model>& connection);
  // The time of day when the worker's clock says that.
  gvt::TimePoint wall_time_at(gvt::TimePoint time) const noexcept { return time + wall_ahead_; }
  // The other end of a connection, which is asked once as long as it is open.
  const std::optional<weft::Endpoint>& peer_of(int fd, const BodySource& connection) noexcept;
  void log_handler_error(std::string_view target, std::string_view what);
  void log_refused_head(int status, std::string_view reason, int fd);
  // Handlers that wait: on a stack of their own, and without one.
  std::size_t handlers_waiting() const noexcept { return worker_.parked() + waiting_requests_; }
  void request_waits() noexcept { ++waiting_requests_; }
  void request_goes_on() noexcept { --waiting_requests_; }
  // Cancels what handlers are parked in, when the grace period is over.
  detail::CancelNode& handlers_cancel() noexcept { return handlers_cancel_; }

 private:
  struct ListenerTarget : ksvc::CompletionTarget {
    ListenerTarget(Service& owner, Handler completed) noexcept
        : CompletionTarget(completed), service(owner) {}
    Service& service;
  };
  struct ServiceTimer : gvt::Timer {
    ServiceTimer(Service& owner, Fire fire_function) : Timer(fire_function), service(owner) {}
    Service& service;
  };

  static void accepted(ksvc::CompletionTarget& target, unsigned tag,
                       const ksvc::Completion& completion);
  static void accept_again(gvt::Timer& timer);
  static void stop_accepting(gvt::Timer& timer);
  static void grace_ended(gvt::Timer& timer);
  static void cancel_rest_ended(gvt::Timer& timer);

  void turn_begins(bool settled) override;
  void refresh_date();
  void arm_accept();
  void adopt(int fd);
  bool let_in_from(ClientAddress address);
  void make_connection(int fd, std::optional<ClientAddress> from);
  void turn_away(int fd, std::optional<ClientAddress> from);
  void forget_peer(int fd) noexcept;
  void forget(const Connection<Worker, Model>& connection) noexcept;
  void accept_ended(std::int32_t result);
  void accept_failed(int os_errno);
  void accept_what_is_left();
  void look_for_who_waits();
  static void looked(ksvc::CompletionTarget& target, unsigned tag,
                     const ksvc::Completion& completion);
  void look_has_ended();
  void close_listener();
  void run_until_at_rest();
  bool at_rest();
  void stop_if_drained();
  // Logs a line that matters so much, or counts it when there have been too many or there is no
  // memory for it.
  template <class MakeLine>
  void complain(LogLevel level, const MakeLine& make_line) noexcept;

  Worker& worker_;
  const Site& site_;
  Router router_;
  std::vector<Endpoint> endpoints_;  // by RouteId
  RouteFeed* feed_ = nullptr;
  AnswerObserver* observer_ = nullptr;
  WorkerCounters& counters_;
  ConnectionCount& connection_count_;
  OutputArena arena_;
  CommonFields common_fields_;
  BufferBudget budget_;
  ConnectionPool<Connection<Worker, Model>> connections_;
  // Of whom there is a connection, if their number is limited.
  std::unordered_map<const Connection<Worker, Model>*, ClientAddress> addresses_;
  struct Peer {
    bool known = false;
    std::optional<weft::Endpoint> endpoint;
  };
  std::vector<Peer> peers_;  // by descriptor, once an observer has asked
  Peer last_peer_;           // of a descriptor for which there is no room
  std::size_t refused_ = 0;  // connections that are being told so
  gvt::RunQueue waiting_for_settled_;
  ListenerTarget accept_target_;
  ListenerTarget look_target_;
  ServiceTimer accept_timer_;
  ServiceTimer drain_timer_;
  ServiceTimer grace_timer_;
  ServiceTimer cancel_rest_timer_;
  detail::CancelNode handlers_cancel_;
  int listener_fd_;
  std::size_t waiting_requests_ = 0;  // without a stack
  bool listener_is_shared_ = false;
  bool accepting_ = false;
  bool stop_accepting_ = false;
  bool waits_for_nobody_ = false;  // takes those who are there already
  bool looking_ = false;           // whether there are any
  bool look_is_over_ = false;
  bool someone_waits_ = false;
  bool draining_ = false;
  bool ending_ = false;  // being destroyed
  std::uint64_t turn_ = 1;
  std::uint64_t settled_turn_ = 0;
  gvt::TimePoint next_date_{0};
  std::chrono::nanoseconds wall_ahead_{0};  // of the worker's clock
  gvt::TimePoint next_log_{0};
  std::uint64_t log_lines_dropped_ = 0;
};

}  // namespace weft::http
