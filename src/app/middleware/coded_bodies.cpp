#include "app/middleware/coded_bodies.hpp"

#include <sys/syscall.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <new>
#include <stdexcept>
#include <string>
#include <utility>

#include "http/method.hpp"
#include "http/response_fields.hpp"
#include "weft/cancel.hpp"
#include "weft/system_call.hpp"

namespace weft::app {

namespace {

bool is_head(const http::Exchange& exchange) {
  return exchange.head().head().method == http::Method::head;
}

}  // namespace

void CodedBodies::finish() {
  if (state_ != State::none) return finish_stream();
  if (!behind().answer_is_streamed() && !exchange().response().head_is_out) finish_whole();
}

void CodedBodies::finish_whole() {
  http::Response& response = exchange().response();
  const Compression::Choice choice = compression_.choose(response, accepted_);
  coding_ = choice.coding;
  if (response.status == 304) {
    // What it says of the answer that the client has must fit that (RFC 9110 §15.4.5). Its type
    // need not be told, but one that was packed is known by a weak tag.
    if (!response.content_type.empty() && !compression_.is_worth_it(response.content_type)) return;
    http::add_vary(response, "Accept-Encoding", "accept-encoding");
    const auto known = exchange().head().find("if-none-match");
    if (known && known->find("W/") != std::string_view::npos) http::weaken_etag(response);
    return;
  }
  if (choice.varies) http::add_vary(response, "Accept-Encoding", "accept-encoding");
  if (coding_ == http::ContentCoding::identity || response.body.size() == 0 ||
      compression_.is_too_short(response.body.size(), accepted_)) {
    return;
  }
  if (encode_whole(response, coding_, compression_, !accepted_.takes_identity())) mark_packed();
}

void CodedBodies::mark_packed() {
  http::Response& response = exchange().response();
  response.add_field("Content-Encoding", http::name_of(coding_));
  http::weaken_etag(response);
  // Parts would be those of the body as it was.
  http::remove_fields(response, "accept-ranges");
}

// ---- Streams

void CodedBodies::begin_answer_stream(std::optional<std::uint64_t> length) {
  if (answer_is_streamed()) throw std::logic_error("the answer is a stream already");
  state_ = State::waiting;
  length_ = length;
}

void CodedBodies::decide() {
  if (state_ != State::waiting) return;
  http::Response& response = exchange().response();
  const Compression::Choice choice = compression_.choose(response, accepted_);
  if (choice.varies) http::add_vary(response, "Accept-Encoding", "accept-encoding");
  coding_ = choice.coding;
  if (coding_ == http::ContentCoding::identity ||
      (length_ && compression_.is_too_short(*length_, accepted_)) ||
      streams_under_way() >= compression_.streams_per_worker()) {
    return pass_on();
  }
  try {
    if (!is_head(exchange())) {
      block_ = std::make_unique<std::array<char, kBlockBytes>>();
      encoder_ = take_encoder({coding_, compression_.level(coding_), std::nullopt});
    }
  } catch (const std::bad_alloc&) {
    // Without the memory for it the answer goes out as it is.
    return pass_on();
  }
  state_ = State::packing;
}

void CodedBodies::pass_on() {
  behind().begin_answer_stream(length_);
  state_ = State::passed;
}

void CodedBodies::begin_packed() {
  if (state_ != State::packing) return;
  mark_packed();
  behind().begin_answer_stream(std::nullopt);
  state_ = State::packed;
}

// What the one behind cannot know: how much was announced.
void CodedBodies::count(std::uint64_t bytes) {
  if (length_ && bytes > *length_ - written_) {
    throw std::logic_error("more is written than was announced: " + std::to_string(*length_) +
                           " bytes");
  }
  written_ += bytes;
}

void CodedBodies::write_part(std::string_view bytes) {
  if (state_ == State::none) return behind().write_part(bytes);
  if (bytes.empty()) return;
  decide();
  if (state_ == State::passed) {
    behind().write_part(bytes);
    written_ += bytes.size();
    return;
  }
  count(bytes.size());
  if (encoder_ == nullptr) {
    begin_packed();
    return behind().write_part(bytes);
  }
  unflushed_ = true;
  encode(bytes, Encoder::Until::input_taken);
}

// What is made is given on a block at a time, or when nothing may be held back.
void CodedBodies::encode(std::string_view bytes, Encoder::Until until) {
  CodingStep step{bytes};
  for (bool done = false; !done;) {
    step.out = block_->data() + filled_;
    step.room = block_->size() - filled_;
    done = encoder_->step(step, until);
    filled_ = block_->size() - step.room;
    if (filled_ == 0 || (step.room > 0 && until == Encoder::Until::input_taken)) continue;
    begin_packed();
    behind().write_part({block_->data(), std::exchange(filled_, 0)});
  }
}

void CodedBodies::write_file(int file, std::uint64_t offset, std::uint64_t size) {
  if (state_ == State::none) return behind().write_file(file, offset, size);
  if (size == 0) return;
  decide();
  if (state_ == State::passed) {
    behind().write_file(file, offset, size);
    written_ += size;
    return;
  }
  count(size);
  unflushed_ = true;
  while (size > 0) {
    const std::string_view part = read_file(file, offset, size);
    if (encoder_ == nullptr) {
      begin_packed();
      behind().write_part(part);
    } else {
      encode(part, Encoder::Until::input_taken);
    }
    offset += part.size();
    size -= part.size();
  }
}

// What is in memory is read at once, and the rest where it holds up nobody.
std::string_view CodedBodies::read_file(int file, std::uint64_t offset, std::uint64_t size) {
  if (read_block_ == nullptr) read_block_ = std::make_unique<std::array<char, kBlockBytes>>();
  const iovec into{read_block_->data(), std::min<std::uint64_t>(size, read_block_->size())};
  const ssize_t got = ::preadv2(file, &into, 1, static_cast<off_t>(offset), RWF_NOWAIT);
  if (got > 0) return {read_block_->data(), static_cast<std::size_t>(got)};
  for (;;) {
    const auto read = system_call(SYS_pread64, file, into.iov_base, into.iov_len, offset);
    if (!read && read.error().os_errno == EINTR) continue;
    if (!read) check_cancelled();
    if (!read) throw std::runtime_error("reading the file: " + read.error().message());
    if (*read == 0) throw std::runtime_error("the file has become shorter while it was sent");
    return {read_block_->data(), static_cast<std::size_t>(*read)};
  }
}

void CodedBodies::flush_parts() {
  decide();
  if (state_ == State::packing || state_ == State::packed) {
    if (encoder_ != nullptr && unflushed_) encode({}, Encoder::Until::flushed);
    unflushed_ = false;
    begin_packed();
  }
  behind().flush_parts();
}

void CodedBodies::add_trailer(std::string_view name, std::string_view value) {
  decide();
  if (state_ == State::packing || state_ == State::packed) {
    if (length_) throw std::logic_error("only an answer of unknown length has trailers");
    begin_packed();
  }
  behind().add_trailer(name, value);
}

void CodedBodies::change_protocol(std::string_view protocol) {
  if (state_ != State::none) throw std::logic_error("the answer is a stream already");
  behind().change_protocol(protocol);
}

void CodedBodies::finish_stream() {
  // A HEAD has the fields of the answer to GET, though nothing is written.
  if (written_ == 0 && state_ == State::waiting && !is_head(exchange())) pass_on();
  decide();
  if (state_ == State::passed) return;
  if (encoder_ != nullptr) {
    if (length_ && written_ < *length_) {
      throw std::runtime_error("it wrote " + std::to_string(written_) + " bytes of " +
                               std::to_string(*length_) + " that it had announced");
    }
    encode({}, Encoder::Until::finished);
  }
  begin_packed();
}

}  // namespace weft::app
