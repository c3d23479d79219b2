// Connection: one client's HTTP/1 connection, served on a worker's hot stack.
//
// Invariants.
// - Idle, it owns no stack and no buffer: this record, its socket, and the kernel's receive.
// - It is freed only when nothing the kernel or the scheduler holds refers to it: no operation in
//   flight, no unsettled SendNow, no running handler.
// - It receives with one operation at a time: usually the kernel picks a block for each arrival;
//   when it had none left, what waits is received into borrowed memory, once, and then it goes on
//   as usual.
// - At most one SendNow is unsettled. What it could not send, and what is too long for it, goes to
//   `outgoing_`, and no further request is served before that is sent: back-pressure.
// - While a handler runs the input is pinned; before it parks, output is flushed and the receive
//   buffer detached from the worker's stock (before_park).
// Worker's thread only.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "gvt/scheduler.hpp"
#include "http/chunked_decoder.hpp"
#include "http/exchange.hpp"
#include "http/input.hpp"
#include "ksvc/core/operation.hpp"
#include "ksvc/sink/direct_wake_sink.hpp"

namespace weft::http {

template <class Worker>
class Service;

template <class Worker>
class Connection final : public ksvc::CompletionTarget,
                         public gvt::Runnable,
                         private gvt::Timer,
                         private gvt::ParkObserver,
                         private BodySource {
 public:
  using Buffers = typename Worker::BackendType::Buffers;

  Connection(Service<Worker>& service, int fd) noexcept;

  // Begins to receive.
  void start();
  // The server is draining: answer what comes, then close; give an idle client a moment first.
  void begin_drain();
  // The server ends without waiting: asks for the end of all that is in flight. What still arrives
  // is only for at_rest(), and once that is so, for close().
  void cut_off();
  bool at_rest() const noexcept { return !receiving_ && !sending_; }
  void close();

 private:
  enum class State : std::uint8_t {
    serving,    // reading heads and answering them
    skipping,   // dropping the rest of a body that the handler did not read
    finishing,  // the last answer is being sent
    lingering,  // all is sent and our side is shut; waiting for the client to see it
    closing,    // waiting for the kernel to let go
  };
  enum Tag : unsigned { kReceive = 1, kSendNow = 2, kSend = 3 };

  struct Outgoing {
    std::string in_flight;
    std::size_t sent = 0;
    std::string queued;
  };

  // What a request in progress has used of the input.
  struct Progress {
    const RequestHead* head = nullptr;
    std::size_t head_bytes = 0;
    std::size_t body_bytes = 0;  // of the input in front, once read
    std::string_view body;
    bool body_read = false;
    std::optional<RequestAborted> aborted;  // why it will never be read
    bool waited = false;
    gvt::GreenThread* waiter = nullptr;  // parked for more of the body
  };

  static void completed(CompletionTarget& target, unsigned tag, const ksvc::Completion& completion);
  static void take_turn(gvt::Runnable& self);
  static void expired(gvt::Timer& timer);

  void received(const ksvc::Completion& completion);
  void arrive(const ksvc::BufferLease& lease);
  void receive_ended(std::int32_t result);
  void send_fell_short(std::int32_t result);
  void sent(std::int32_t result);
  void on_turn();
  void advance();
  void on_timeout();

  void serve();
  bool serve_one();
  bool parse_and_handle(HeadParser& parser);
  void keep_partial_head(const HeadParser& parser);
  void handle(const RequestHead& head, std::size_t head_bytes);
  void call_endpoint(Exchange& exchange, bool& keep_alive);
  void answer_overloaded(Response& response);
  void answer_unrouted(Exchange& exchange, const Match& match);
  void respond(const Response& response, const Framing& framing);
  void respond_error(const HeadParser& parser, int status, std::string_view reason);
  bool next_request_can_be_found() const;
  bool more_has_arrived() const;
  void end_request(bool keep_alive);
  void skip_body();
  void linger();

  void before_park() override;
  std::string_view read_body() override;
  std::string_view body_in_front(std::string_view arrived);
  std::string_view assemble_sized_body(std::string_view arrived);
  std::string_view read_chunked_body(std::string_view arrived);
  void wait_for_body();
  void send_continue();

  void schedule();
  void flush();
  void queue_output(std::string_view bytes);
  bool flush_outgoing();
  void settle_down();
  void ensure_receiving();
  void pause_receiving();
  bool backlogged() const noexcept;
  void arm_in(std::chrono::milliseconds delay);
  void arm_for_state();
  void arm_for_idleness();
  bool unsettled() const noexcept;
  void wait_until_settled();
  void begin_linger();
  void close_now();
  void finish_close();

  Service<Worker>& service_;
  int fd_;
  State state_ = State::serving;
  bool receiving_ = false;  // into borrowed_, or with blocks that the kernel picks
  bool starved_ = false;    // the kernel had no block for what has arrived
  bool pausing_ = false;
  bool sending_ = false;
  bool queued_ = false;
  bool handling_ = false;
  bool ended_ = false;      // the client has sent its end of stream
  bool failed_ = false;     // the connection is broken
  bool timed_out_ = false;  // while a handler waited for the body
  bool sent_continue_ = false;
  bool reset_ = false;  // the close throws away what the client did not take
  std::uint32_t piece_size_ = 0;
  const char* piece_ = nullptr;  // of the SendNow that may be unsettled
  std::uint64_t send_turn_ = 0;
  std::uint64_t skip_left_ = 0;  // while skipping: bytes still to be dropped
  gvt::TimePoint deadline_ = ksvc::kNoDeadline;
  Progress* progress_ = nullptr;
  Input<Buffers> input_;
  ksvc::BufferLease borrowed_;  // while it is received into
  std::unique_ptr<Outgoing> outgoing_;
};

}  // namespace weft::http
