// A server that does what a test says, byte by byte: plain sockets on OS threads.
//
// Each connection is a call of the script on a thread of its own, with its number from 0 on. The
// server ends when it is destroyed, once all calls have returned.
#pragma once

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace weft::http::test {

class Peer {
 public:
  Peer(int fd, unsigned number) : number_(number), fd_(fd) {
    // No test hangs for ever.
    const timeval most{10, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof most);
    ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &most, sizeof most);
  }
  ~Peer() { close(); }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  unsigned number() const { return number_; }

  // Up to the end of a head, and `body_bytes` more; empty when the client has ended.
  std::string read_request(std::size_t body_bytes = 0) {
    std::size_t head_end = std::string::npos;
    while ((head_end = received_.find("\r\n\r\n")) == std::string::npos) {
      if (!receive()) return {};
    }
    const std::size_t size = head_end + 4 + body_bytes;
    while (received_.size() < size) {
      if (!receive()) return {};
    }
    std::string request = received_.substr(0, size);
    received_.erase(0, size);
    return request;
  }
  // Until this text has come; everything up to its end.
  std::string read_until(std::string_view text) {
    std::size_t at = std::string::npos;
    while ((at = received_.find(text)) == std::string::npos) {
      if (!receive()) return {};
    }
    std::string taken = received_.substr(0, at + text.size());
    received_.erase(0, at + text.size());
    return taken;
  }
  // True when the client ends its side, or breaks the connection off, and sends nothing before.
  bool client_ends() {
    char byte;
    const ssize_t got = received_.empty() ? ::recv(fd_, &byte, 1, 0) : 1;
    return got == 0 || (got < 0 && errno == ECONNRESET);
  }
  // Throws away whatever comes, until the client has gone.
  void drain() {
    do {
      received_.clear();
    } while (receive());
  }
  void send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
  }
  void shutdown_write() { ::shutdown(fd_, SHUT_WR); }
  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }
  void reset() {
    const linger at_once{1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close();
  }

 private:
  bool receive() {
    char bytes[16 * 1024];
    const ssize_t got = ::recv(fd_, bytes, sizeof bytes, 0);
    if (got > 0) received_.append(bytes, static_cast<std::size_t>(got));
    return got > 0;
  }

  unsigned number_;
  int fd_;
  std::string received_;
};

class ScriptedServer {
 public:
  using Script = std::function<void(Peer&)>;

  explicit ScriptedServer(Script script) : script_(std::move(script)) {
    fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(fd_, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(fd_, 512) != 0) {
      ADD_FAILURE() << std::strerror(errno);
    }
    ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { accept_all(); });
  }
  ~ScriptedServer() {
    ::shutdown(fd_, SHUT_RDWR);
    thread_.join();
    for (std::thread& thread : connections_) thread.join();
    ::close(fd_);
  }

  std::string url(std::string_view target = "/") const {
    return "http://127.0.0.1:" + std::to_string(port_) + std::string(target);
  }
  unsigned port() const { return port_; }
  unsigned accepted() const { return accepted_; }

 private:
  void accept_all() {
    for (;;) {
      const int fd = ::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) return;
      connections_.emplace_back([this, fd, number = accepted_++] {
        Peer peer(fd, number);
        script_(peer);
      });
    }
  }

  Script script_;
  int fd_ = -1;
  unsigned port_ = 0;
  std::atomic<unsigned> accepted_{0};
  std::thread thread_;
  std::vector<std::thread> connections_;
};

// Answers every request of a connection with the same text.
inline ScriptedServer::Script always(std::string answer) {
  return [answer = std::move(answer)](Peer& peer) {
    while (!peer.read_request().empty()) peer.send(answer);
  };
}

inline std::string answer_with(std::string_view body, std::string_view fields = {}) {
  return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" +
         std::string(fields) + "\r\n" + std::string(body);
}

}  // namespace weft::http::test
