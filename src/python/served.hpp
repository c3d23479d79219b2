// Served: a request that Python answers, on the stack of the green thread that serves it.
//
// The green thread is Python's servant: it hands the request in, parks, and does what it is told to
// (read a part of the body, write a part of the answer) until finish(). What Python says it says on
// the OS thread's own stack, during a visit; what the servant has done it reports, and a later
// visit tells Python. Everything of one request is on one OS thread, in turns, so that nothing is
// locked. The green side never touches an object of Python's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "http/exchange.hpp"
#include "weft/context.hpp"
#include "weft/detail/waiter.hpp"
#include "weft/green.hpp"
#include "weft/scope.hpp"

namespace weft::python {

class Host;

class Served {
 public:
  // With the interpreter's lock, during a visit. False: an exception is raised that is the loop's.
  using Step = bool (*)(Served& served);
  struct Handler {
    Step begin;                             // begins to answer
    Step report;                            // something has been reported
    void (*lost)(Served& served) noexcept;  // it is gone before Python has let go; without the lock
  };

  // So much of an answer may wait to be written before who writes it waits.
  static constexpr std::size_t kMostUnwritten = 64 * 1024;
  // A body up to this has arrived before Python is told of its request.
  static constexpr std::size_t kBodyAtOnce = 64 * 1024;

  Served(Host& host, Context& context, const Handler& handler, void* route) noexcept
      : context_(context), host_(host), handler_(&handler), route_(route) {}
  ~Served();
  Served(const Served&) = delete;
  Served& operator=(const Served&) = delete;

  // The green thread's: returns when the answer is complete, throws what the connection is to make
  // of it.
  void serve();

  // ---- Python's, until finish()

  Context& context() noexcept { return context_; }
  http::Exchange& exchange() noexcept { return context_.exchange(); }
  Host& host() noexcept { return host_; }
  void* route() noexcept { return route_; }
  const Handler& handler() const noexcept { return *handler_; }
  // Another one takes over.
  void set_handler(const Handler& handler) noexcept { handler_ = &handler; }

  // The object that answers; it is looked at no more by what is gone.
  void* caller = nullptr;

  // What has arrived and was not taken: the whole body, or the part that was asked for.
  bool has_part() const noexcept { return part_is_there_; }
  std::string_view take_part() noexcept;
  // Behind has_part(): that was the last of it. Of a body in parts an empty one is the last.
  bool body_is_over() const noexcept { return body_is_over_; }
  // Asks for the next part, of which a report comes.
  void want_part() noexcept;
  // The rest of the body in one piece.
  void want_whole() noexcept;

  // The answer is a stream from now on, of that length if it is known. Its status and fields are
  // set.
  void begin_stream(std::optional<std::uint64_t> length) noexcept;
  void write(std::string_view bytes);
  // Whether who writes is to wait, for which a report comes.
  bool is_full() noexcept;
  // The body, or the rest of it, is so many bytes of a file, sent when Python has let go. The
  // descriptor is closed then.
  void answer_file(int file, std::uint64_t offset, std::uint64_t size) noexcept;
  void finish() noexcept;
  // There will be no answer of Python's: its client has gone, or the server says why not.
  void abandon() noexcept;
  // The same, with the answer that a failed handler gets. What has been streamed is cut off.
  void fail(std::string what) noexcept;

  // What there is to report.
  bool is_gone() const noexcept { return gone_; }
  bool take_drained() noexcept { return std::exchange(drained_, false); }
  // It is to end because the server does.
  bool is_ended_by_server() const noexcept;

 private:
  friend class Host;

  void fetch_small_body();
  void serve_until_let_go();
  void step();
  void write_what_is_there();
  void start_reader();
  void read() noexcept;
  void wait();
  void wake() noexcept;
  void note_gone() noexcept;
  void settle();

  Context& context_;
  Host& host_;
  const Handler* handler_;
  void* route_;
  detail::Waiter* waiter_ = nullptr;
  Scope* scope_ = nullptr;
  std::optional<JoinHandle<void>> reader_;
  std::string_view part_;
  std::string whole_;  // of a body in parts that is wanted in one piece
  std::string unwritten_;
  std::optional<std::uint64_t> length_;
  std::optional<http::RequestAborted> aborted_;
  std::string failure_;
  int file_ = -1;
  std::uint64_t file_offset_ = 0;
  std::uint64_t file_size_ = 0;
  Served* next_ = nullptr;  // of the host's lists
  bool listed_ = false;
  bool failed_ = false;
  bool part_is_there_ = false;
  bool body_is_over_ = false;
  bool part_is_wanted_ = false;
  bool whole_is_wanted_ = false;
  bool reading_ = false;
  bool streams_ = false;
  bool stream_has_begun_ = false;
  bool head_is_due_ = false;
  bool drain_is_awaited_ = false;
  bool drained_ = false;
  bool gone_ = false;
  bool cancelled_ = false;
  bool answered_ = false;
  bool finished_ = false;
};

}  // namespace weft::python
