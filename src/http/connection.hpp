// Connection: one client's HTTP/1 connection, served on a worker's hot stack. `Model`
// says what keeps a request whose handler waits (http/models/).
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

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "gvt/scheduler.hpp"
#include "http/active_request.hpp"
#include "http/answer_observer.hpp"
#include "http/chunked_decoder.hpp"
#include "http/endpoint.hpp"
#include "http/input.hpp"
#include "ksvc/core/operation.hpp"
#include "ksvc/sink/direct_wake_sink.hpp"

namespace weft::http {

template <class Worker, class Model>
class Service;

template <class Worker, class Model>
class Connection final : public ksvc::CompletionTarget,
                         public gvt::Runnable,
                         private gvt::Timer,
                         private gvt::ParkObserver,
                         private BodySource {
 public:
  using Buffers = typename Worker::BackendType::Buffers;

  Connection(Service<Worker, Model>& service, int fd) noexcept;

  // Begins to receive.
  void start();
  // Instead: answers 503 to whatever comes, and closes.
  void refuse();
  bool refused() const noexcept { return refused_; }
  // The server is draining: answer what comes, then close; give an idle client a moment first.
  void begin_drain();
  // No more of a body that is waited for will come.
  void give_up_body() noexcept;
  // The server ends without waiting: asks for the end of all that is in flight. What still arrives
  // is only for at_rest(), and once that is so, for close().
  void cut_off();
  bool at_rest() const noexcept { return !receiving_ && !sending_; }
  void close();
  // The worker will not run again: what a request keeps is left where it is.
  void leave_request() const noexcept;

  // ---- For the model, which serves a request after the other

  bool may_serve() const noexcept { return batch_left_ > 0 && has_something_to_serve(); }
  const Limits& limits() const noexcept { return service_.limits(); }
  const char* bytes_in_front() const noexcept { return input_.front().data(); }
  BodySource& body_source() noexcept { return *this; }
  // Who has parsed a complete head: `fresh`, or what a head that began to arrive earlier has been
  // kept by. Null when nothing can be served for now.
  HeadParser* parse(HeadParser& fresh);
  // From here on it is the one in progress.
  void begin(ActiveRequest& request);
  // The same request, which stands elsewhere now; its handler has not been called.
  void move_to(ActiveRequest& request) noexcept;
  // True when the handler has ended. Otherwise the request is told when it has; then comes
  // settle().
  bool call_endpoint(ActiveRequest& request);
  void settle(ActiveRequest& request);
  // Writes the answer; the request may go.
  void finish(ActiveRequest& request);
  // Before a wait: lets go of what others need.
  void let_go() noexcept;
  // Waits for the end without a stack: the model's resume() is called then. `kept_at` holds the
  // request.
  void wait_in(void* kept_at, ActiveRequest& request) noexcept;
  Worker& worker() noexcept { return service_.worker(); }
  static Connection& of(ActiveRequest& request) noexcept {
    return static_cast<Connection&>(request.exchange.connection());
  }

 private:
  enum class State : std::uint8_t {
    serving,    // reading heads and answering them
    skipping,   // dropping the rest of a body that the handler did not read
    finishing,  // the last answer is being sent
    lingering,  // all is sent and our side is shut; waiting for the client to see it
    closing,    // waiting for the kernel to let go
  };
  enum Tag : unsigned { kReceive = 1, kSendNow = 2, kSend = 3, kSendFile = 4 };

  struct Outgoing {
    explicit Outgoing(BufferBudget& budget) noexcept : share(budget) {}

    // Behind what has made it grow or shrink.
    void count() noexcept {
      share.set(sizeof(Outgoing) + in_flight.capacity() + queued.capacity());
    }

    std::string in_flight;
    std::size_t sent = 0;
    std::string queued;
    BufferBudget::Share share;
  };

  static void completed(CompletionTarget& target, unsigned tag, const ksvc::Completion& completion);
  static void take_turn(gvt::Runnable& self);
  static void expired(gvt::Timer& timer);

  void received(const ksvc::Completion& completion);
  void arrive(const ksvc::BufferLease& lease);
  void receive_ended(std::int32_t result);
  void send_fell_short(std::int32_t result);
  void sent(std::int32_t result);
  void file_sent(std::int32_t result);
  void on_turn();
  void advance();

  // ---- Time
  void on_timeout();
  void on_request_timeout();
  void wake_body_waiter() noexcept;
  void lose_client() noexcept;
  void request_begins_to_wait();
  void begin_to_probe() noexcept;
  void probe_client();
  void arm_for_request() noexcept;
  void arm_at(gvt::TimePoint deadline) noexcept;
  void arm_in(std::chrono::milliseconds delay) noexcept;
  void arm_for_state();
  void arm_for_idleness();

  // What was put into a head and behind it.
  struct SentAnswer {
    int status = 0;
    std::size_t body_bytes = 0;
  };

  template <class Serve>
  void observed(const Serve& serve);
  bool may_resume() const noexcept {
    return handling() && request_->ended && request_->waits_at != nullptr &&
           (!Model::kOnStacks || request_->in_record);
  }
  static void resume_later(ActiveRequest& request);
  template <class Step>
  bool run_handler(ActiveRequest& request, const Step& step);
  void fail_with(ActiveRequest& request, const std::exception& error);
  bool begin_coroutine(ActiveRequest& request, const Endpoint& endpoint);
  bool ask_for_answer(ActiveRequest& request, const Endpoint& endpoint);
  bool hand_over(ActiveRequest& request, const Endpoint& endpoint);
  void keep_partial_head(const HeadParser& parser);
  void refuse_with(std::string_view text) noexcept;
  void answer_overloaded(Response& response, std::string_view text);
  SentAnswer respond(const Response& response, const Framing& framing);
  SentAnswer put_answer(const Response& response, const Framing& framing, std::string_view body);
  SentAnswer put_long_answer(const Response& response, const Framing& framing,
                             std::string_view body, std::size_t bound);
  // Not a part of what everybody runs through who is not watched.
  [[gnu::noinline]] void tell_end(ActiveRequest& request, SentAnswer sent,
                                  bool keep_alive) noexcept;
  void tell_end_of_stream(const AnswerStream& answer, int status, EndedAnswer& ended) noexcept;
  void tell_refusal(SentAnswer sent, gvt::TimePoint began) noexcept;
  void respond_error(const HeadParser& parser, int status, std::string_view reason);
  bool next_request_can_be_found() const;
  bool more_has_arrived() const;
  void end_request(bool keep_alive);
  void skip_body();
  void linger();

  void assert_own_turn() const noexcept;
  void before_park() override;
  bool is_observed() const noexcept { return service_.worker().running().observer == this; }
  void let_go_unobserved();
  std::string_view read_body() override;
  std::string_view read_part(std::size_t most) override;
  void begin_answer_stream(std::optional<std::uint64_t> length) override;
  void write_part(std::string_view bytes) override;
  void write_file(int file, std::uint64_t offset, std::uint64_t size) override;
  void flush_parts() override;
  void add_trailer(std::string_view name, std::string_view value) override;
  void change_protocol(std::string_view protocol) override;
  bool answer_is_streamed() const noexcept override { return request_->outgoing.has_value(); }
  std::uint64_t written() const noexcept override;
  const Site& site() const noexcept override { return service_.site(); }
  std::optional<weft::Endpoint> peer() const noexcept override;
  bool is_draining() const noexcept override { return service_.draining(); }

  // Before a body is read that the head announces, or that comes in chunks.
  void require_readable(ActiveRequest& request) const {
    if (request.head.content_length > request.exchange.body_limit()) throw body_too_long();
    if (request.head.encoded_body) [[unlikely]]
      require_unpacked(request.exchange);
  }
  std::uint64_t body_limit(const ActiveRequest& request) const noexcept {
    return std::min(service_.limits().body_bytes, request.exchange.body_limit());
  }
  auto& need_body_spill();
  std::string_view next_part(BodyStream& body, std::size_t most);
  std::string_view unread_body() noexcept;
  void drop_read(std::size_t bytes);
  bool refill_window();
  void return_window();
  void wait_for_part(BodyStream& body);
  std::uint64_t body_left() const noexcept;
  void begin_answer();
  template <class Write>
  void write_answer(std::uint64_t size, const Write& write);
  void gather_all(std::string_view bytes);
  std::size_t gather(std::string_view bytes);
  bool gather_file(int file, std::uint64_t offset, std::uint64_t size);
  bool may_send_at_once() const noexcept;
  bool send_at_once(bool more);
  std::uint64_t send_file_at_once(int file, std::uint64_t offset, std::uint64_t size) noexcept;
  std::optional<std::size_t> send_file_step(int file, std::uint64_t offset, std::uint64_t size);
  detail::Outcome await_file_step(detail::Waiter& waiter);
  void copy_file(int file, std::uint64_t offset, std::uint64_t size);
  void close_chunk();
  void push_parts();
  void wait_for_room(std::size_t most_unsent);
  void let_others_go_first();
  void wake_streams() noexcept;
  std::size_t unsent() const noexcept;
  AnswerStream& answer_to_write();
  bool end_answer_stream(bool keep_alive);
  void note_progress() noexcept;
  std::string_view body_in_front(std::string_view arrived);
  std::string_view assemble_sized_body(std::string_view arrived);
  std::string_view read_chunked_body(std::string_view arrived);
  void wait_for_body(std::uint64_t arrived);
  void send_continue();

  bool handling() const noexcept { return request_ != nullptr; }
  bool has_something_to_serve() const noexcept {
    return state_ == State::serving && !failed_ && outgoing_ == nullptr && !input_.empty();
  }
  void schedule();
  void flush();
  void send_now(std::string_view bytes);
  void queue_output(std::string_view bytes);
  void need_outgoing(std::size_t bytes);
  bool flush_outgoing();
  void settle_down();
  void ensure_receiving();
  void pause_receiving();
  bool backlogged() const noexcept;
  bool hides_its_end() const noexcept;
  bool unsettled() const noexcept;
  void wait_until_settled();
  void begin_linger();
  void close_now();
  void finish_close();

  Service<Worker, Model>& service_;
  int fd_;
  State state_ = State::serving;
  bool receiving_ = false;  // into borrowed_, or with blocks that the kernel picks
  bool starved_ = false;    // the kernel had no block for what has arrived
  bool pausing_ = false;
  bool sending_ = false;
  bool queued_ = false;
  bool ended_ = false;   // the client has sent its end of stream
  bool failed_ = false;  // the connection is broken
  bool reset_ = false;   // the close throws away what the client did not take
  bool refused_ = false;
  bool last_request_ = false;     // the client has said so, and sent nothing behind its head
  bool told_ = false;             // the observer has heard of the end of the request in progress
  std::uint16_t batch_left_ = 0;  // requests that may still be answered before others' turn
  bool received_before_ = false;
  std::uint32_t requests_ = 0;  // so far, if their number is limited
  std::uint32_t piece_size_ = 0;
  const char* piece_ = nullptr;  // of the SendNow that may be unsettled
  std::uint64_t send_turn_ = 0;
  std::uint64_t skip_left_ = 0;  // while skipping: bytes still to be dropped
  gvt::TimePoint deadline_ = ksvc::kNoDeadline;
  ActiveRequest* request_ = nullptr;  // in progress
  Input<Buffers> input_;
  ksvc::BufferLease borrowed_;  // while it is received into
  std::unique_ptr<Outgoing> outgoing_;
};

}  // namespace weft::http
