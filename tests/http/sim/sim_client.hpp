// SimClient: a client in a simulated world: sends its requests as its plan says, and checks every
// byte that comes back.
//
// It must outlive the world's events.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "answer_checker.hpp"
#include "client_plan.hpp"
#include "ksvc/sim/sim_world.hpp"
#include "random.hpp"

namespace weft::http::test {

class SimClient {
 public:
  // Connects to `port` when its time has come.
  SimClient(ksvc::SimWorld& world, std::uint16_t port, ClientPlan plan, std::uint64_t seed);
  SimClient(const SimClient&) = delete;
  SimClient& operator=(const SimClient&) = delete;

  // From now on answers may announce that the connection ends.
  void server_drains();

  const ClientPlan& plan() const { return plan_; }
  const AnswerChecker& checker() const { return checker_; }
  // The world did something to its connection after which nothing can be asked of the server.
  bool was_faulted() const { return end_ != nullptr && end_->faulted; }
  std::size_t sent_bytes() const { return sent_; }
  // Whether a reset has arrived, even where nobody has read of it.
  bool is_reset() const { return end_ != nullptr && end_->broken; }
  bool was_refused() const { return connect_error_ != 0; }
  bool saw_reset() const { return reset_ || write_failed_; }
  bool is_over() const { return over_; }
  ksvc::TimePoint started_at() const { return started_at_; }
  ksvc::TimePoint left_at() const { return left_at_; }
  ksvc::TimePoint last_sent_at() const { return last_sent_at_; }
  // How many requests it has sent whole, and when it had done so with each.
  const std::vector<ksvc::TimePoint>& sent_at() const { return sent_at_; }

  // What it has missed, given that nothing was done to its connection: empty if nothing. What was
  // sent whole by `deadline` must be answered, and so must what was sent longer than `margin`
  // before an answer began that announced the end.
  std::string missed(ksvc::TimePoint deadline, std::chrono::nanoseconds margin) const;
  // How long it let the server end what that had announced to.
  std::chrono::nanoseconds waited_for_end() const;

 private:
  void start();
  void look();
  void send_later(std::chrono::nanoseconds most);
  void read();
  void send();
  std::size_t piece_size();
  void sent(std::size_t size);
  bool has_its_answers() const;
  void end();
  void do_as_planned();
  void shut_writing();
  void leave(bool reset);
  std::string unanswered(const char* why) const;

  ksvc::SimWorld& world_;
  ksvc::SimWire wire_;
  ClientPlan plan_;
  Random random_;
  AnswerChecker checker_;
  std::uint16_t port_;
  std::string bytes_;              // of all requests
  std::vector<std::size_t> ends_;  // of each among them
  std::vector<ksvc::TimePoint> sent_at_;
  std::size_t limit_;  // so many of the bytes it sends
  std::size_t sent_ = 0;
  std::size_t received_ = 0;
  std::shared_ptr<ksvc::SimEndpoint> end_;
  ksvc::TimePoint started_at_;
  ksvc::TimePoint left_at_;
  ksvc::TimePoint last_sent_at_;
  ksvc::TimePoint answer_began_at_;
  ksvc::TimePoint announced_at_;
  ksvc::TimePoint connected_at_ = ksvc::kNoDeadline;
  int connect_error_ = 0;
  bool waits_to_send_ = false;
  bool waits_to_read_ = false;
  bool writing_shut_ = false;
  bool write_failed_ = false;
  bool ended_ = false;  // the server has
  bool reset_ = false;
  bool gone_ = false;  // takes no notice of anything any more
  bool over_ = false;  // and has closed
};

}  // namespace weft::http::test
