// UpgradedStream: a connection that has been taken over from HTTP, as bytes in both directions.
//
// What the client sent behind the head of its request is read first. Calls park and can be
// cancelled, as those of a TcpStream; the connection is closed when the handler returns. Belongs to
// the handler and ends with it; one green thread may read while another writes.
#pragma once

#include <chrono>
#include <cstddef>
#include <span>
#include <string_view>

#include "weft/result.hpp"

namespace weft {

namespace http {
class Exchange;
}

class UpgradedStream {
 public:
  // For Context.
  explicit UpgradedStream(http::Exchange& exchange) noexcept : exchange_(exchange) {}

  // Reads what is there, at least one byte; 0 when the client has ended its side, which does not
  // keep us from writing. `into` must have room for one at least.
  Result<std::size_t> read(std::span<char> into);
  // The same without a copy: the view is valid until the next read, and empty at the end.
  Result<std::string_view> read();
  // Takes a copy, which is sent when the handler parks, at flush(), or when there is enough.
  // Parks while the client does not take what was written before.
  Result<void> write(std::string_view bytes);
  // Sends what is gathered, without waiting for the client.
  Result<void> flush();

  // From now on reads that take longer end with timed_out. Zero: no limit. Writes have that of the
  // server.
  void set_timeout(std::chrono::nanoseconds timeout) noexcept { timeout_ = timeout; }

 private:
  http::Exchange& exchange_;
  std::chrono::nanoseconds timeout_{0};
};

}  // namespace weft
