// The member functions of Connection that write a file into an answer.
//
// What is short and in memory is read into the worker's output arena and goes out with the head.
// What is long is sent by the back end, once all that was written before is out; where it cannot do
// that, the file is read and written like any other bytes. So is what is short on a file system
// that does not say what is in memory, for the worker must not wait for a disk or a network. But
// where nothing of the connection's is on its way, and its socket is the system's, both begin with
// ordinary calls: so many bytes are not to leave the processor's cache, or to wait for a turn,
// before they are sent.
#pragma once

#include <sys/syscall.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <stdexcept>
#include <string>

#include "http/connection.hpp"
#include "http/connection_stream_impl.hpp"
#include "http/service.hpp"
#include "ksvc/backend/socket_calls.hpp"
#include "ksvc/core/assert.hpp"
#include "weft/cancel.hpp"
#include "weft/system_call.hpp"

namespace weft::http {

template <class Worker, class Model>
void Connection<Worker, Model>::write_file(int file, std::uint64_t offset, std::uint64_t size) {
  write_answer(size, [&] {
    WEFT_ASSERT(request_->outgoing->framing == BodyFraming::sized);
    if (gather_file(file, offset, size)) return;
    if (may_send_at_once() && send_at_once(true)) {
      const std::uint64_t sent = send_file_at_once(file, offset, size);
      offset += sent;
      size -= sent;
      request_->outgoing->left -= sent;
    }
    if (size == 0) return;
    push_parts();
    wait_for_room(0);
    while (size > 0) {
      const auto sent = send_file_step(file, offset, size);
      if (!sent) return copy_file(file, offset, size);
      offset += *sent;
      size -= *sent;
      request_->outgoing->left -= *sent;
      note_progress();
    }
  });
}

// False when it is too long for that, or not to be had at once.
template <class Worker, class Model>
bool Connection<Worker, Model>::gather_file(int file, std::uint64_t offset, std::uint64_t size) {
  if (size > service_.limits().file_gather_bytes) return false;
  wait_for_room(service_.limits().stream_unsent_bytes);
  OutputArena& arena = service_.arena();
  const auto bytes = static_cast<std::size_t>(size);
  if (arena.piece_size() + bytes > OutputArena::kMaxPiece) push_parts();
  const iovec into{arena.reserve(bytes), bytes};
  const auto at = static_cast<off_t>(offset);
  ssize_t got = ::preadv2(file, &into, 1, at, RWF_NOWAIT);
  if (got < 0 && errno == EOPNOTSUPP) {
    // Nobody can say whether it would wait.
    if (!ksvc::is_kept_in_memory(file)) {
      copy_file(file, offset, size);
      return true;
    }
    got = ::preadv(file, &into, 1, at);
  }
  if (got != static_cast<ssize_t>(bytes)) return false;
  arena.commit(static_cast<char*>(into.iov_base) + bytes);
  if (arena.piece_size() >= service_.limits().file_at_once_bytes && may_send_at_once()) {
    send_at_once(false);
  } else if (arena.piece_size() >= service_.limits().stream_gather_bytes) {
    push_parts();
  }
  return true;
}

// Whether a call would overtake nothing.
template <class Worker, class Model>
bool Connection<Worker, Model>::may_send_at_once() const noexcept {
  return !ksvc::made_by_backend(fd_) && outgoing_ == nullptr && !sending_ && !failed_ &&
         !unsettled();
}

// Sends what is gathered. False when that is not all out: it goes on like any other output, and
// meets again there what may have gone wrong.
template <class Worker, class Model>
bool Connection<Worker, Model>::send_at_once(bool more) {
  const std::string_view piece = service_.arena().take_piece();
  if (piece.empty()) return true;
  const std::int64_t sent = ksvc::send_at_once(fd_, piece, more);
  const auto done = static_cast<std::size_t>(std::max<std::int64_t>(sent, 0));
  if (done < piece.size()) queue_output(piece.substr(done));
  service_.arena().give_back(piece);
  return done == piece.size();
}

// How much of it was sent: what is in memory, and has room. What goes wrong, the next step tells.
template <class Worker, class Model>
std::uint64_t Connection<Worker, Model>::send_file_at_once(int file, std::uint64_t offset,
                                                           std::uint64_t size) noexcept {
  constexpr std::uint64_t kPart = 256 * 1024;
  const std::uint64_t most = std::min<std::uint64_t>(size, service_.limits().file_step_bytes);
  ksvc::make_nonblocking(fd_);
  const ksvc::PipeSignalHeld held;
  std::uint64_t sent = 0;
  while (sent < most) {
    const auto part = static_cast<std::uint32_t>(std::min(most - sent, kPart));
    if (!ksvc::is_in_memory(file, offset + sent, part)) break;
    const std::int64_t done = ksvc::send_file(fd_, file, offset + sent, part, held);
    if (done <= 0) break;
    sent += static_cast<std::uint64_t>(done);
  }
  return sent;
}

// How much of it was sent; nothing where the back end cannot do that.
template <class Worker, class Model>
std::optional<std::size_t> Connection<Worker, Model>::send_file_step(int file, std::uint64_t offset,
                                                                     std::uint64_t size) {
  if (failed_) throw client_gone();
  const Limits& limits = service_.limits();
  const std::size_t step = std::min<std::uint64_t>(size, limits.file_step_bytes);
  let_go_unobserved();
  detail::Waiter waiter("for a file to be sent", this);
  service_.backend().submit(ksvc::SendFile{fd_, file, offset, static_cast<std::uint32_t>(step)},
                            corr_id(kSendFile));
  sending_ = true;
  service_.operation_begins();
  const detail::Outcome outcome = await_file_step(waiter);
  const std::int32_t result = request_->outgoing->file_result;
  if (!failed_ && outcome == detail::Outcome::cancelled) throw detail::own_cancellation();
  const auto least = static_cast<std::int32_t>(std::min(step, limits.send_step_bytes));
  if (outcome == detail::Outcome::timed_out && result < least) {
    failed_ = true;
    reset_ = true;
  }
  if (failed_) throw client_gone();
  if (result > 0) return static_cast<std::size_t>(result);
  if (result == -EINVAL || result == -EOPNOTSUPP) return std::nullopt;
  if (result == 0) throw std::runtime_error("the file has become shorter while it was sent");
  if (result == -EIO) throw std::runtime_error("the file cannot be read");
  failed_ = true;
  throw client_gone();
}

// Until it has ended, however that came: the file is not to be closed before.
template <class Worker, class Model>
detail::Outcome Connection<Worker, Model>::await_file_step(detail::Waiter& waiter) {
  ActiveRequest& request = *request_;
  // A step has the write timeout, and not the time of a request.
  if (request.times) request.times->answer = ksvc::kNoDeadline;
  request.outgoing->sender = &waiter;
  const detail::Outcome outcome = waiter.wait(
      detail::deadline_after(std::chrono::nanoseconds(service_.limits().write_timeout).count()));
  request.outgoing->sender = nullptr;
  if (!sending_) return outcome;
  detail::Waiter ended("for the end of a file's sending", this);
  service_.backend().submit(ksvc::Cancel{fd_, corr_id(kSendFile)}, 0);
  request.outgoing->sender = &ended;
  ended.wait_uncancelled();
  return outcome;
}

template <class Worker, class Model>
void Connection<Worker, Model>::file_sent(std::int32_t result) {
  sending_ = false;
  service_.operation_ends();
  // Gone only when the worker ends.
  if (!handling() || !request_->outgoing) return;
  request_->outgoing->file_result = result;
  wake(request_->outgoing->sender);
}

template <class Worker, class Model>
void Connection<Worker, Model>::copy_file(int file, std::uint64_t offset, std::uint64_t size) {
  std::string bytes;
  while (size > 0) {
    bytes.resize(std::min<std::uint64_t>(size, service_.limits().file_gather_bytes));
    // What was gathered must not lie in the arena meanwhile.
    let_go_unobserved();
    const auto got = system_call(SYS_pread64, file, bytes.data(), bytes.size(), offset);
    if (!got && got.error().os_errno == EINTR) continue;
    if (!got) check_cancelled();
    if (!got) throw std::runtime_error("reading the file: " + got.error().message());
    if (*got == 0) throw std::runtime_error("the file has become shorter while it was sent");
    bytes.resize(static_cast<std::size_t>(*got));
    gather_all(bytes);
    offset += bytes.size();
    size -= bytes.size();
    note_progress();
  }
}

}  // namespace weft::http
