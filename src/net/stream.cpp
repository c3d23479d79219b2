#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "net/descriptor_call.hpp"
#include "net/outcome.hpp"
#include "weft/net.hpp"

namespace weft {

using net::count_of;
using net::DescriptorCall;
using net::Direction;
using net::error_of;

namespace {

Result<void> send_all(DescriptorCall& call, std::string_view bytes) {
  while (!bytes.empty()) {
    const std::int32_t sent = call.send(bytes.data(), bytes.size());
    if (sent < 0) return error_of(sent);
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return {};
}

// What is left of several buffers.
class Remaining {
 public:
  explicit Remaining(std::span<const std::string_view> buffers) noexcept : buffers_(buffers) {
    consume(0);
  }

  bool empty() const noexcept { return buffers_.empty(); }
  std::string_view first() const noexcept { return buffers_.front().substr(offset_); }

  // The beginning of it, for one call.
  std::size_t gather(std::span<iovec> into) const noexcept {
    const std::size_t count = std::min(into.size(), buffers_.size());
    for (std::size_t i = 0; i < count; ++i) {
      const std::string_view bytes = i == 0 ? first() : buffers_[i];
      into[i] = {const_cast<char*>(bytes.data()), bytes.size()};
    }
    return count;
  }

  void consume(std::size_t bytes) noexcept {
    offset_ += bytes;
    while (!buffers_.empty() && offset_ >= buffers_.front().size()) {
      offset_ -= buffers_.front().size();
      buffers_ = buffers_.subspan(1);
    }
  }

 private:
  std::span<const std::string_view> buffers_;
  std::size_t offset_ = 0;
};

}  // namespace

Result<std::size_t> Stream::read(std::span<char> into) {
  // A count of 0 means the end of the stream, so there must be room for something else.
  if (into.empty()) return Error{ErrorCode::invalid_argument, EINVAL};
  DescriptorCall call(descriptor_, Direction::in, timeout_);
  return count_of(call.receive(into.data(), into.size()));
}

Result<void> Stream::read_exactly(std::span<char> into) {
  DescriptorCall call(descriptor_, Direction::in, timeout_);
  while (!into.empty()) {
    const std::int32_t got = call.receive(into.data(), into.size());
    if (got < 0) return error_of(got);
    if (got == 0) return Error{ErrorCode::end_of_stream, 0};
    into = into.subspan(static_cast<std::size_t>(got));
  }
  return {};
}

Result<void> Stream::write(std::string_view bytes) {
  DescriptorCall call(descriptor_, Direction::out, timeout_);
  return send_all(call, bytes);
}

Result<void> Stream::writev(std::span<const std::string_view> buffers) {
  constexpr std::size_t kBuffersPerCall = 64;
  DescriptorCall call(descriptor_, Direction::out, timeout_);
  Remaining remaining(buffers);
  while (!remaining.empty()) {
    if (const std::int32_t reason = call.refusal(); reason != 0) return error_of(reason);
    std::array<iovec, kBuffersPerCall> vectors;
    msghdr message{};
    message.msg_iov = vectors.data();
    message.msg_iovlen = remaining.gather(vectors);
    const ssize_t sent = ::sendmsg(call.fd(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent >= 0) {
      remaining.consume(static_cast<std::size_t>(sent));
      call.did_not_wait();
    } else if (errno == EAGAIN) {
      // There is no room: this waits for some.
      const std::size_t size = remaining.first().size();
      if (auto waited = send_all(call, remaining.first()); !waited) return waited;
      remaining.consume(size);
    } else if (errno != EINTR) {
      return Error::from_errno(errno);
    }
  }
  return {};
}

Result<void> Stream::shutdown(ShutdownSide side) noexcept {
  int how = SHUT_RDWR;
  if (side == ShutdownSide::read) how = SHUT_RD;
  if (side == ShutdownSide::write) how = SHUT_WR;
  return net::done_or_errno(::shutdown(descriptor_.fd(), how));
}

}  // namespace weft
