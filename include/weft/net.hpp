// Streams and listeners, TCP and Unix, whose calls park the green thread instead of blocking its OS
// thread.
//
// On a thread that is no worker (main() before weft::run(), a thread of the pool) the same calls
// block the OS thread. Either way cancellation and deadlines end them (see cancel.hpp).
//
// A stream belongs to the worker that its first call was made on, and is closed there; before that
// it may be handed to another. (A green thread of Placement::any may go on elsewhere and take its
// streams along where there is io_uring; where there is not, its first call on one pins it.) One
// green thread may read while another writes; two must not read, or write, at once. close(), or the
// end of the stream, ends what other green threads of the worker are parked in on it: a call that
// has moved nothing ends with `cancelled`.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "weft/detail/descriptor.hpp"
#include "weft/endpoint.hpp"
#include "weft/result.hpp"

namespace weft {

namespace detail {
struct StreamAccess;
}

// Which direction of a stream ends.
enum class ShutdownSide {
  read,   // what arrives from now on is thrown away; reads give the end of the stream
  write,  // no more will be written: the peer reads the end of the stream
  both,   // as each of them
};

// What all streams can do. Made as a TcpStream or a UnixStream.
class Stream {
 public:
  // Reads what is there, at least one byte; 0 at the end of the stream.
  // `into` must have room for one at least.
  Result<std::size_t> read(std::span<char> into);
  // Fills all of `into`; end_of_stream when the peer stops before that.
  Result<void> read_exactly(std::span<char> into);
  // Returns when the kernel has taken all bytes. After an error some may have been sent.
  Result<void> write(std::string_view bytes);
  // The same for several buffers, one behind the other, without copying them together.
  Result<void> writev(std::span<const std::string_view> buffers);
  Result<void> writev(std::initializer_list<std::string_view> buffers) {
    return writev(std::span(buffers.begin(), buffers.size()));
  }

  // Allowed while others are parked on the stream; they see it as they would see the peer do it.
  Result<void> shutdown(ShutdownSide side) noexcept;
  // The same for ShutdownSide::write, whatever comes of it.
  void shutdown_write() noexcept { static_cast<void>(shutdown(ShutdownSide::write)); }
  // Ends both directions and gives the descriptor back; once more is allowed.
  void close() noexcept { descriptor_.close(); }
  // Until close().
  bool is_open() const noexcept { return descriptor_.fd() >= 0; }

  // From now on calls that take longer end with timed_out. Zero: no limit.
  void set_timeout(std::chrono::nanoseconds timeout) noexcept { timeout_ = timeout; }
  // The system's descriptor, for options that have no call here. It stays the stream's.
  int fd() const noexcept { return descriptor_.fd(); }

 protected:
  friend struct detail::StreamAccess;
  explicit Stream(int fd) noexcept : descriptor_(fd) {}
  Stream(Stream&&) noexcept = default;
  Stream& operator=(Stream&&) noexcept = default;
  ~Stream() = default;

  detail::Descriptor descriptor_;
  std::chrono::nanoseconds timeout_{0};
};

// How a silent peer is asked whether it is still there: TCP's keep-alive.
struct KeepAlive {
  std::chrono::seconds idle{60};      // without traffic, before the peer is asked
  std::chrono::seconds interval{10};  // between questions
  unsigned questions = 6;             // that go unanswered before the connection is given up
};

// A TCP connection.
class TcpStream : public Stream {
 public:
  // `host` is an address (see Endpoint::parse) or a name, which is looked up as by resolve(); its
  // addresses are tried in turn.
  static Result<TcpStream> connect(const std::string& host, std::uint16_t port);
  static Result<TcpStream> connect(const Endpoint& peer);

  // Our end.
  Result<Endpoint> local_endpoint() const;
  // The other end.
  Result<Endpoint> peer_endpoint() const;
  // Small writes go out at once: so it is from the start.
  Result<void> set_no_delay(bool on) noexcept;
  // Notices a peer that has gone without a word.
  Result<void> set_keep_alive(const KeepAlive& options) noexcept;
  // A silent peer is left alone: so it is from the start.
  Result<void> clear_keep_alive() noexcept;

 private:
  friend class TcpListener;
  friend struct detail::StreamAccess;
  explicit TcpStream(int fd) noexcept : Stream(fd) {}
};

// How a listener waits for clients.
struct ListenOptions {
  int backlog = 4096;       // connections made by clients and not yet accepted; the system caps it
  bool reuse_port = false;  // others that set this, too, may listen on the same port
  bool ipv6_only = false;   // on "::", take no IPv4 clients
};

// Takes TCP connections that others make.
class TcpListener {
 public:
  // `host` is an address of this machine (see Endpoint::parse), or "0.0.0.0" or "::" for all.
  // Port 0: the system chooses; port() tells.
  static Result<TcpListener> bind(const std::string& host, std::uint16_t port,
                                  const ListenOptions& options = {});

  // One green thread at a time. After an error (out of descriptors, a client that left early)
  // accepting may go on.
  Result<TcpStream> accept();
  // The one it listens on, also where the system chose it.
  std::uint16_t port() const noexcept { return port_; }
  // The address and port that it listens on.
  Result<Endpoint> local_endpoint() const;

  // From now on an accept() that takes longer ends with timed_out. Zero: no limit.
  void set_timeout(std::chrono::nanoseconds timeout) noexcept { timeout_ = timeout; }
  // New clients are refused; a parked accept() ends with `cancelled`.
  void close() noexcept { descriptor_.close(); }
  // The system's descriptor. It stays the listener's.
  int fd() const noexcept { return descriptor_.fd(); }

 private:
  friend struct detail::StreamAccess;
  TcpListener(int fd, std::uint16_t port) noexcept : descriptor_(fd), port_(port) {}

  detail::Descriptor descriptor_;
  std::chrono::nanoseconds timeout_{0};
  std::uint16_t port_ = 0;
};

// A connection by a Unix socket. `path` is one of the file system, or "@" and a name in Linux's
// abstract namespace, which leaves no file behind.
class UnixStream : public Stream {
 public:
  // To a listener at that path.
  static Result<UnixStream> connect(const std::string& path);
  // Two that are connected to each other.
  static Result<std::pair<UnixStream, UnixStream>> pair();

 private:
  friend class UnixListener;
  friend struct detail::StreamAccess;
  explicit UnixStream(int fd) noexcept : Stream(fd) {}
};

// Takes connections that others make to a Unix socket.
class UnixListener {
 public:
  // The file must not be there yet. It is removed when the listener is closed.
  static Result<UnixListener> bind(const std::string& path, const ListenOptions& options = {});

  UnixListener(UnixListener&&) noexcept = default;
  UnixListener& operator=(UnixListener&& other) noexcept;
  ~UnixListener() { close(); }

  // As TcpListener's.
  Result<UnixStream> accept();
  // The one it listens on.
  const std::string& path() const noexcept { return path_; }

  // From now on an accept() that takes longer ends with timed_out. Zero: no limit.
  void set_timeout(std::chrono::nanoseconds timeout) noexcept { timeout_ = timeout; }
  // As TcpListener's; the file goes, too.
  void close() noexcept;
  // The system's descriptor. It stays the listener's.
  int fd() const noexcept { return descriptor_.fd(); }

 private:
  friend struct detail::StreamAccess;
  UnixListener(int fd, std::string path) noexcept : descriptor_(fd), path_(std::move(path)) {}

  detail::Descriptor descriptor_;
  std::chrono::nanoseconds timeout_{0};
  std::string path_;
};

}  // namespace weft
