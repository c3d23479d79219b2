// TCP streams and listeners whose calls park the green thread instead of blocking its OS thread.
//
// Used inside a worker (see green.hpp). A stream belongs to the worker it was made on. One green
// thread may read while another writes; two must not read, or write, at once. Closing a stream
// while another green thread is parked on it is a programmer error: shut it down instead.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "weft/result.hpp"

namespace weft {

class TcpStream {
 public:
  // `host` is an IPv4 or IPv6 address, or "localhost".
  static Result<TcpStream> connect(const std::string& host, std::uint16_t port);

  TcpStream(TcpStream&& other) noexcept;
  TcpStream& operator=(TcpStream&& other) noexcept;
  ~TcpStream();

  // Reads what is there, at least one byte; 0 at the end of the stream.
  // `into` must have room for one at least.
  Result<std::size_t> read(std::span<char> into);
  // Fills all of `into`; end_of_stream when the peer stops before that.
  Result<void> read_exactly(std::span<char> into);
  // Returns when the kernel has taken all bytes.
  Result<void> write(std::string_view bytes);
  // No more will be written: the peer reads the end of the stream.
  void shutdown_write() noexcept;
  // From now on reads and writes that take longer end with timed_out. Zero: no limit.
  void set_timeout(std::chrono::nanoseconds timeout) noexcept { timeout_ = timeout; }

 private:
  friend class TcpListener;
  explicit TcpStream(int fd) noexcept : fd_(fd) {}
  void close() noexcept;

  int fd_ = -1;
  std::chrono::nanoseconds timeout_{0};
};

class TcpListener {
 public:
  // Port 0: the system chooses; port() tells.
  static Result<TcpListener> bind(const std::string& host, std::uint16_t port);

  TcpListener(TcpListener&& other) noexcept;
  TcpListener& operator=(TcpListener&& other) noexcept;
  ~TcpListener();

  Result<TcpStream> accept();
  std::uint16_t port() const noexcept { return port_; }

 private:
  TcpListener(int fd, std::uint16_t port) noexcept : fd_(fd), port_(port) {}
  void close() noexcept;

  int fd_ = -1;
  std::uint16_t port_ = 0;
};

}  // namespace weft
