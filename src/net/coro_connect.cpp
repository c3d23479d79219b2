#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "gvt/blocking_io.hpp"
#include "net/address.hpp"
#include "net/outcome.hpp"
#include "weft/coro.hpp"
#include "weft/dns.hpp"

namespace weft::coro {

using detail::IoRequest;
using detail::StreamAccess;

Task<Result<TcpStream>> connect(Endpoint peer) {
  net::SocketAddress address = net::address_of(peer);
  const int fd = ::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) co_return Error::from_errno(errno);
  auto stream = StreamAccess::make<TcpStream>(fd);
  static_cast<void>(stream.set_no_delay(true));
  detail::IoTurn connected({IoRequest::Kind::connect, StreamAccess::descriptor(stream),
                            &address.storage, address.size, std::chrono::nanoseconds(0)});
  const std::int32_t answer = co_await connected;
  if (answer < 0) co_return net::error_of(answer);
  co_return std::move(stream);
}

Task<Result<TcpStream>> connect(std::string host, std::uint16_t port) {
  if (auto address = Endpoint::parse(host, port)) co_return co_await connect(*address);
  auto resolved = blocking([&] { return resolve(host, port); });
  auto found = co_await resolved;
  if (!found) co_return found.error();
  Error last;
  for (const Endpoint& peer : *found) {
    auto stream = co_await connect(peer);
    if (stream || cancelled()) co_return std::move(stream);
    last = stream.error();
  }
  co_return last;
}

// There may be no room in the listener's queue, for which there is no operation to wait with.
Task<Result<UnixStream>> connect_unix(std::string path) {
  if (gvt::current_io() == nullptr) co_return UnixStream::connect(path);
  auto connected = green([&] { return UnixStream::connect(path); });
  co_return co_await connected;
}

}  // namespace weft::coro
