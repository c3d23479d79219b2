// A blocking HTTP client for tests: sends exactly the bytes it is given and reads answers back.
//
// The time-outs are guards against a test that hangs; no test measures anything with them. What the
// server fails to do in time shows as an Answer with status 0. Belongs to one thread.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "ksvc/core/kernel_order.hpp"

namespace weft::http::test {

inline constexpr std::chrono::seconds hang_guard{20};

struct Answer {
  int status = 0;  // 0: none arrived
  std::string head;
  std::map<std::string, std::string> fields;  // names in lower case
  std::string body;

  [[nodiscard]] std::string field(const std::string& name) const {
    const auto found = fields.find(name);
    return found == fields.end() ? std::string() : found->second;
  }
  [[nodiscard]] bool announces_close() const { return field("connection") == "close"; }
};

class Client {
 public:
  // `receive_bytes` limits what the kernel keeps for a client that does not read; `source` is the
  // address it comes from.
  explicit Client(std::uint16_t port, int receive_bytes = 0, std::uint32_t source = INADDR_ANY)
      : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    if (receive_bytes > 0) {
      ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof receive_bytes);
    }
    const timeval guard{hang_guard.count(), 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &guard, sizeof guard);
    ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &guard, sizeof guard);
    const int on = 1;
    ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    if (source != INADDR_ANY) {
      address.sin_addr.s_addr = htonl(source);
      ::bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address);
    }
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (!connect_to(address)) {
      const int failed = errno;
      close();
      throw std::system_error(failed, std::generic_category(), "connect");
    }
  }
  // Over a socket that is connected already, which it takes over.
  static Client over(int connected) { return Client(nullptr, connected); }
  Client(Client&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)), received_(std::move(other.received_)) {}
  Client& operator=(Client&&) = delete;
  ~Client() { close(); }

  int fd() const { return fd_; }

  // False when the server does not take all of it.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno == EINTR) continue;
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  // What fits without waiting.
  std::size_t send_some(std::string_view bytes) {
    const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    return sent > 0 ? static_cast<std::size_t>(sent) : 0;
  }
  // Each byte in a segment of its own.
  bool send_byte_by_byte(std::string_view bytes) {
    for (const char& byte : bytes) {
      if (!send({&byte, 1})) return false;
    }
    return true;
  }

  Answer ask(std::string_view request) {
    send(request);
    return read_answer();
  }
  Answer get(std::string_view target) {
    return ask("GET " + std::string(target) + " HTTP/1.1\r\nHost: a\r\n\r\n");
  }

  // Behind the question whether the client is still there, where one comes first: a client that
  // has shut its side, or sent very much, and waits is asked after a time that the test may take.
  Answer read_final_answer() {
    Answer answer = read_answer();
    while (answer.status == 100) answer = read_answer();
    return answer;
  }

  Answer read_answer(bool to_head_request = false) {
    Answer answer;
    std::size_t end = 0;
    while ((end = received_.find("\r\n\r\n")) == std::string::npos) {
      if (!receive_more()) return answer;
    }
    answer.head = received_.substr(0, end + 2);
    received_.erase(0, end + 4);
    parse_head(answer);
    std::size_t length = 0;
    const std::string text = answer.field("content-length");
    std::from_chars(text.data(), text.data() + text.size(), length);
    if (to_head_request) length = 0;
    while (received_.size() < length) {
      if (!receive_more()) {
        answer.status = 0;
        return answer;
      }
    }
    answer.body = received_.substr(0, length);
    received_.erase(0, length);
    return answer;
  }

  // Whether the server has nothing more to say and ends its side, by an end or a reset.
  bool is_ended() {
    if (!received_.empty()) return false;
    if (receive_more()) return false;
    return last_errno_ == 0 || last_errno_ == ECONNRESET || last_errno_ == EPIPE;
  }
  // Whether a reset has arrived, whatever is left to be read before it.
  bool sees_reset() const {
    pollfd one{fd_, 0, 0};
    return ::poll(&one, 1, 0) > 0 && (one.revents & POLLERR) != 0;
  }
  // Everything until the server ends its side.
  std::string read_to_end() {
    while (receive_more()) {
    }
    return std::exchange(received_, {});
  }
  // What comes next, however much that is; nothing at the end.
  std::string receive_some() {
    if (received_.empty()) receive_more();
    return std::exchange(received_, {});
  }
  bool has_input(std::chrono::milliseconds patience = std::chrono::milliseconds(0)) const {
    pollfd one{fd_, POLLIN, 0};
    return !received_.empty() || ::poll(&one, 1, static_cast<int>(patience.count())) > 0;
  }

  void shutdown_write() { ::shutdown(fd_, SHUT_WR); }
  void reset() {
    const linger at_once{1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close();
  }
  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }

 private:
  Client(std::nullptr_t, int connected) : fd_(connected) {
    const timeval guard{hang_guard.count(), 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &guard, sizeof guard);
    ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &guard, sizeof guard);
  }

  // A ring that this thread had and gave up may still interrupt its system calls.
  bool connect_to(const sockaddr_in& address) {
    if (::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0)
      return true;
    if (errno != EINTR) return errno == EISCONN;
    pollfd one{fd_, POLLOUT, 0};
    while (::poll(&one, 1, -1) < 0 && errno == EINTR) {
    }
    int failed = 0;
    socklen_t size = sizeof failed;
    ::getsockopt(fd_, SOL_SOCKET, SO_ERROR, &failed, &size);
    errno = failed;
    return failed == 0;
  }

  bool receive_more() {
    char bytes[64 * 1024];
    ssize_t got = 0;
    do {
      got = ::recv(fd_, bytes, sizeof bytes, 0);
    } while (got < 0 && errno == EINTR);
    last_errno_ = got < 0 ? errno : 0;
    if (got <= 0) return false;
    ksvc::after_data_has_come();
    received_.append(bytes, static_cast<std::size_t>(got));
    return true;
  }

  static void parse_head(Answer& answer) {
    const std::string_view head = answer.head;
    if (head.starts_with("HTTP/1.1 ")) {
      std::from_chars(head.data() + 9, head.data() + 12, answer.status);
    }
    std::size_t begin = head.find("\r\n") + 2;
    while (begin < head.size()) {
      const std::size_t end = head.find("\r\n", begin);
      const std::string_view line = head.substr(begin, end - begin);
      const std::size_t colon = line.find(": ");
      std::string name(line.substr(0, colon));
      for (char& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
      answer.fields[name] = colon == std::string_view::npos ? "" : line.substr(colon + 2);
      begin = end + 2;
    }
  }

  int fd_;
  int last_errno_ = 0;
  std::string received_;
};

}  // namespace weft::http::test
