#include "python/served.hpp"

#include <unistd.h>

#include <stdexcept>
#include <utility>

#include "http/status.hpp"
#include "python/host.hpp"
#include "weft/cancel.hpp"

namespace weft::python {

Served::~Served() {
  if (file_ >= 0) ::close(file_);
  host_.forget(*this);
  if (!finished_ && caller != nullptr) handler_->lost(*this);
}

void Served::serve() {
  fetch_small_body();
  host_.hand_in(*this);
  if (body_is_over_) {
    serve_until_let_go();
  } else {
    // Whoever reads does so beside, since an answer may be written meanwhile.
    try {
      scope([this](Scope& both) {
        scope_ = &both;
        serve_until_let_go();
        if (reader_) reader_->cancel();
      });
    } catch (const Cancelled&) {
      cancelled_ = true;
    }
  }
  settle();
}

// What comes with the head, or at once, needs no further turns.
void Served::fetch_small_body() {
  const http::RequestHead& head = exchange().head().head();
  if (head.has_body()) {
    if (head.chunked || head.content_length > kBodyAtOnce || head.expect_continue) return;
    part_ = exchange().read_body();
  }
  part_is_there_ = true;
  body_is_over_ = true;
}

void Served::serve_until_let_go() {
  while (!finished_) step();
}

void Served::step() {
  if (gone_) {
    unwritten_.clear();
    return wait();
  }
  if (part_is_wanted_ && !reading_) start_reader();
  if (!unwritten_.empty() || head_is_due_) {
    try {
      return write_what_is_there();
    } catch (const http::RequestAborted& aborted) {
      aborted_ = aborted;
    } catch (const Cancelled&) {
      cancelled_ = true;
    } catch (const std::logic_error& error) {
      failed_ = true;
      failure_ = error.what();
    }
    return note_gone();
  }
  wait();
}

void Served::write_what_is_there() {
  http::BodySource& bodies = exchange().bodies();
  if (!std::exchange(stream_has_begun_, true)) bodies.begin_answer_stream(length_);
  std::string part;
  part.swap(unwritten_);
  head_is_due_ = false;
  if (http::allows_body(exchange().response().status)) bodies.write_part(part);
  // What is complete goes out with its end.
  if (unwritten_.empty() && !finished_) bodies.flush_parts();
  if (drain_is_awaited_ && unwritten_.size() <= kMostUnwritten / 2) {
    drain_is_awaited_ = false;
    drained_ = true;
    host_.report(*this);
  }
}

void Served::start_reader() {
  reading_ = true;
  part_is_wanted_ = false;
  reader_.emplace(scope_->spawn({.name = "body for Python"}, [this] { read(); }));
}

void Served::read() noexcept {
  try {
    do {
      part_ = exchange().bodies().read_part(kBodyAtOnce);
      body_is_over_ = part_.empty();
      if (whole_is_wanted_) whole_ += part_;
    } while (whole_is_wanted_ && !body_is_over_);
    if (whole_is_wanted_) part_ = whole_;
    part_is_there_ = true;
  } catch (const http::RequestAborted& aborted) {
    aborted_ = aborted;
    note_gone();
  } catch (const Cancelled&) {
    // Who serves sees that, too.
  } catch (const std::exception& error) {
    failed_ = true;
    failure_ = error.what();
    note_gone();
  }
  reading_ = false;
  host_.report(*this);
}

void Served::wait() {
  detail::Waiter waiter("an answer of Python's", route_);
  waiter_ = &waiter;
  const detail::Outcome outcome = gone_ ? waiter.wait_uncancelled() : waiter.wait();
  waiter_ = nullptr;
  if (outcome != detail::Outcome::cancelled) return;
  cancelled_ = true;
  note_gone();
}

void Served::wake() noexcept {
  detail::Waiter* const waiter = std::exchange(waiter_, nullptr);
  if (waiter != nullptr && waiter->claim(detail::Outcome::woken)) waiter->wake();
}

void Served::note_gone() noexcept {
  gone_ = true;
  host_.report(*this);
}

void Served::settle() {
  // Why the body cannot be read says more than what becomes of a handler that misses it.
  if (aborted_ && (failed_ || !answered_)) throw *aborted_;
  if (failed_) throw std::runtime_error(failure_);
  if (gone_ || cancelled_) {
    if (answered_ && !streams_) return;
    if (aborted_) throw *aborted_;
    detail::throw_cancelled();
  }
  if (!streams_) return;
  http::BodySource& bodies = exchange().bodies();
  if (!stream_has_begun_) bodies.begin_answer_stream(length_);
  if (!http::allows_body(exchange().response().status)) return;
  bodies.write_part(unwritten_);
  if (file_ >= 0) bodies.write_file(file_, file_offset_, file_size_);
}

std::string_view Served::take_part() noexcept {
  part_is_there_ = false;
  return std::exchange(part_, {});
}

void Served::want_part() noexcept {
  if (reading_ || part_is_there_ || body_is_over_ || gone_) return;
  part_is_wanted_ = true;
  wake();
}

void Served::want_whole() noexcept {
  whole_is_wanted_ = true;
  want_part();
}

void Served::begin_stream(std::optional<std::uint64_t> length) noexcept {
  streams_ = true;
  length_ = length;
  head_is_due_ = true;
}

void Served::write(std::string_view bytes) {
  if (gone_) return;
  unwritten_.append(bytes);
  wake();
}

bool Served::is_full() noexcept {
  if (gone_ || unwritten_.size() <= kMostUnwritten) return false;
  drain_is_awaited_ = true;
  return true;
}

void Served::answer_file(int file, std::uint64_t offset, std::uint64_t size) noexcept {
  if (file_ >= 0) ::close(file_);
  file_ = file;
  file_offset_ = offset;
  file_size_ = size;
}

void Served::finish() noexcept {
  answered_ = true;
  abandon();
}

void Served::abandon() noexcept {
  finished_ = true;
  caller = nullptr;
  wake();
}

void Served::fail(std::string what) noexcept {
  if (!failed_) failure_ = std::move(what);
  failed_ = true;
  finished_ = true;
  caller = nullptr;
  wake();
}

bool Served::is_ended_by_server() const noexcept {
  return cancelled_ && context_.exchange().connection().is_draining();
}

}  // namespace weft::python
