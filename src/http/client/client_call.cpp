#include "http/client/client_call.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "http/trailers.hpp"
#include "weft/cancel.hpp"

namespace weft::http {

namespace {

// What one read takes: a usual answer in one go.
constexpr std::size_t kReadBytes = 32 * 1024;
// A body up to this goes out with the head, before the answer is looked for: less than what the
// kernel takes without the server's reading it.
constexpr std::size_t kBodyWithHead = 64 * 1024;
// The idle timeout holds for each step of this size.
constexpr std::size_t kStepBytes = 128 * 1024;

ClientError at_deadline(const PreparedRequest& request) {
  return {ClientErrorCode::timed_out,
          "the request to " + request.peer + " took longer than " +
              std::to_string(request.timeout.count()) + " ms",
          0};
}

}  // namespace

ClientCall::ClientCall(std::shared_ptr<ClientCore> core, PreparedRequest request,
                       const Limits& limits)
    : core_(std::move(core)), request_(std::move(request)), limits_(limits) {}

std::optional<ClientError> ClientCall::open(bool kept_allowed) {
  parser_.emplace(limits_, AnswerTerms{request_.to_head, request_.text.may_upgrade,
                                       core_->options().limits.interim_answers});
  buffer_begin_ = buffer_end_ = 0;
  failure_.reset();
  write_failed_ = false;
  if (kept_allowed) connection_ = place_.take_kept();
  if (connection_ == nullptr) {
    place_.make_room();
    auto made = core_->connect(request_);
    if (!made) return made.error();
    connection_ = std::move(*made);
  }
  connection_->stream().set_timeout(core_->options().idle_timeout);
  return std::nullopt;
}

std::optional<ClientError> ClientCall::begin() {
  std::string origin = request_.unix_socket.empty()
                           ? request_.url.host + ":" + std::to_string(request_.url.port)
                           : "unix:" + request_.unix_socket;
  place_ = core_->pool().acquire(origin);
  if (!place_) {
    return ClientError{ClientErrorCode::timed_out,
                       "no connection to " + request_.peer + " was free within " +
                           std::to_string(core_->options().connection_wait.count()) +
                           " ms; raise connections or connections_per_origin",
                       0};
  }
  if (auto failed = open(core_->options().keep_alive)) return failed;
  auto failed = send_head();
  if (failed && may_send_again()) {
    sent_again_ = true;
    abandon();
    if (auto refused = open(false)) return refused;
    failed = send_head();
  }
  // The server may have answered before it stopped listening; the answer tells.
  if (failed && failed->code != ClientErrorCode::connection_lost) return failed;
  return std::nullopt;
}

std::optional<ClientError> ClientCall::send_head() {
  sent_ = true;
  if (request_.streams_body) return send({request_.text.head});
  const bool whole = request_.body.size() <= kBodyWithHead;
  auto failed = whole ? send({request_.text.head, request_.body}) : send({request_.text.head});
  request_done_ = whole && !failed;
  return failed;
}

void ClientCall::send_rest() {
  for (std::string_view rest = request_.body; !rest.empty();) {
    const std::string_view step = rest.substr(0, kStepBytes);
    if (send({step})) return;
    rest.remove_prefix(step.size());
  }
  request_done_ = true;
  release_when_done();
}

std::optional<ClientError> ClientCall::send(std::initializer_list<std::string_view> pieces) {
  if (connection_ == nullptr || write_failed_) {
    return ClientError{ClientErrorCode::connection_lost,
                       "the connection to " + request_.peer + " has been closed", 0};
  }
  ++writing_;
  const Result<void> done = connection_->stream().writev(pieces);
  --writing_;
  if (done) return std::nullopt;
  write_failed_ = true;
  return ClientCore::explain(request_, done.error(),
                             request_.peer + " took nothing for " +
                                 std::to_string(core_->options().idle_timeout.count()) + " ms");
}

ClientResult<ClientDone> ClientCall::write(std::string_view bytes) {
  if (parser_->upgraded()) {
    if (auto failed = send({bytes})) return *failed;
    return ClientDone{};
  }
  const auto refused = [](const char* why) {
    return ClientError{ClientErrorCode::refused_request, why, 0};
  };
  if (!request_.streams_body) return refused("the request has announced no body to be written");
  if (request_done_) return refused("the body has been finished");
  if (request_.text.length && bytes.size() > *request_.text.length - written_) {
    return refused("more is written than body_length has announced");
  }
  detail::DeadlineScope scope(request_.deadline_ns);
  while (!bytes.empty()) {
    const std::string_view step = bytes.substr(0, kStepBytes);
    auto failed =
        request_.text.chunked ? send({chunk_line(step.size()), step, "\r\n"}) : send({step});
    if (failed) return *failed;
    written_ += step.size();
    bytes.remove_prefix(step.size());
  }
  return ClientDone{};
}

ClientResult<ClientDone> ClientCall::trailer(std::string_view name, std::string_view value) {
  const auto refused = [](std::string why) {
    return ClientError{ClientErrorCode::refused_request, std::move(why), 0};
  };
  if (!request_.text.chunked) return refused("only a body of unknown length has trailers");
  if (request_done_) return refused("the body has been finished");
  try {
    require_trailer(name, value);
  } catch (const std::invalid_argument& why) {
    return refused(why.what());
  }
  request_trailers_.append(name).append(": ").append(value).append("\r\n");
  return ClientDone{};
}

ClientResult<ClientDone> ClientCall::finish() {
  if (request_done_) return ClientDone{};
  if (request_.text.length && written_ != *request_.text.length) {
    return ClientError{ClientErrorCode::refused_request,
                       "less was written than body_length has announced", 0};
  }
  detail::DeadlineScope scope(request_.deadline_ns);
  if (request_.text.chunked) {
    if (auto failed = send({"0\r\n", request_trailers_, "\r\n"})) return *failed;
  }
  request_done_ = true;
  release_when_done();
  return ClientDone{};
}

void ClientCall::shutdown_write() noexcept {
  if (connection_ != nullptr && parser_->upgraded()) connection_->stream().shutdown_write();
}

void ClientCall::abandon() noexcept {
  if (connection_ == nullptr) return;
  // Ends what another green thread is parked in.
  if (writing_ != 0) connection_->stream().close();
  ConnectionHome::here().close(std::move(connection_));
}

bool ClientCall::may_send_again() const noexcept {
  return connection_ != nullptr && connection_->reused && !sent_again_ && !parser_->begun() &&
         request_.idempotent && !request_.streams_body && writing_ == 0;
}

bool ClientCall::fill() {
  if (connection_ == nullptr) {
    failure_ = ClientError{ClientErrorCode::connection_lost,
                           "the connection to " + request_.peer + " has been closed", 0};
    return false;
  }
  if (buffer_.empty()) buffer_.resize(kReadBytes);
  const Result<std::size_t> got = connection_->stream().read(buffer_);
  if (!got) {
    failure_ =
        ClientCore::explain(request_, got.error(),
                            request_.peer + " sent nothing for " +
                                std::to_string(core_->options().idle_timeout.count()) + " ms");
    return false;
  }
  buffer_begin_ = 0;
  buffer_end_ = *got;
  if (*got != 0 || parser_->end() != AnswerState::error) return true;
  failure_ = parse_failure();
  return false;
}

ClientError ClientCall::parse_failure() const {
  ClientErrorCode code = ClientErrorCode::protocol_error;
  if (parser_->fault() == AnswerFault::too_large) code = ClientErrorCode::too_large;
  if (parser_->fault() == AnswerFault::cut_off) code = ClientErrorCode::connection_lost;
  return {code, "from " + request_.peer + ": " + std::string(parser_->reason()), 0};
}

ClientError ClientCall::fail(ClientError error) {
  abandon();
  place_.give_back();
  failure_ = std::move(error);
  return *failure_;
}

std::optional<ClientError> ClientCall::read_head() {
  while (parser_->state() == AnswerState::head) {
    if (buffer_begin_ == buffer_end_ && !fill()) {
      if (failure_->code != ClientErrorCode::connection_lost || !may_send_again()) return failure_;
      sent_again_ = true;
      abandon();
      if (auto failed = open(false)) return failed;
      if (auto failed = send_head()) return failed;
      // What send_head() leaves goes out here: whoever else would send it has gone by now.
      if (has_rest()) send_rest();
      continue;
    }
    const auto step = parser_->step({buffer_.data() + buffer_begin_, buffer_end_ - buffer_begin_});
    buffer_begin_ += step.consumed;
    if (step.state == AnswerState::error) return parse_failure();
  }
  return std::nullopt;
}

ClientResult<ClientHead> ClientCall::answer() {
  if (failure_) return *failure_;
  if (parser_->state() == AnswerState::head) {
    detail::DeadlineScope scope(request_.deadline_ns);
    if (detail::now_ns() >= request_.deadline_ns) return fail(at_deadline(request_));
    if (auto failed = read_head()) return fail(*failed);
    if (parser_->upgraded()) request_done_ = true;
    if (!request_.keeps_answer) request_.deadline_ns = detail::kNever;
    release_when_done();
  }
  return ClientHead(parser_->head());
}

ClientResult<std::string_view> ClientCall::read() {
  if (!rest_.empty()) return std::exchange(rest_, {});
  if (auto head = answer(); !head) return head.error();
  detail::DeadlineScope scope(request_.deadline_ns);
  while (parser_->state() == AnswerState::body) {
    if (buffer_begin_ == buffer_end_) {
      if (detail::now_ns() >= request_.deadline_ns) return fail(at_deadline(request_));
      if (!fill()) return fail(*failure_);
      if (parser_->state() == AnswerState::complete) break;
    }
    const auto step = parser_->step({buffer_.data() + buffer_begin_, buffer_end_ - buffer_begin_});
    buffer_begin_ += step.consumed;
    if (step.state == AnswerState::error) return fail(parse_failure());
    if (!step.data.empty()) {
      // The last piece may end the answer; the connection is free before its bytes are looked at.
      release_when_done();
      return step.data;
    }
  }
  release_when_done();
  return std::string_view{};
}

ClientResult<std::size_t> ClientCall::read_into(std::span<char> into) {
  if (rest_.empty()) {
    auto got = read();
    if (!got) return got.error();
    rest_ = *got;
  }
  const std::size_t size = std::min(into.size(), rest_.size());
  if (size != 0) std::memcpy(into.data(), rest_.data(), size);
  rest_.remove_prefix(size);
  return size;
}

void ClientCall::release_when_done() noexcept {
  if (connection_ == nullptr || parser_->state() != AnswerState::complete || !request_done_) return;
  if (writing_ != 0) return;  // it comes here, too, when it has ended
  const bool good = parser_->leaves_connection_open() && buffer_begin_ == buffer_end_ &&
                    !request_.text.closes && core_->options().keep_alive && !write_failed_;
  if (good) return place_.keep(std::move(connection_));
  abandon();
  place_.give_back();
}

}  // namespace weft::http
