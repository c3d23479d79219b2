// What tests of streamed bodies need beside a Client: requests, and answers put together again.
#pragma once

#include <charconv>
#include <map>
#include <string>
#include <string_view>

#include "client.hpp"

namespace weft::http::test {

inline std::string announce(std::string_view target, std::size_t length,
                            std::string_view fields = {}) {
  return "POST " + std::string(target) + " HTTP/1.1\r\nHost: a\r\n" + std::string(fields) +
         "Content-Length: " + std::to_string(length) + "\r\n\r\n";
}

inline std::string announce_chunks(std::string_view target, std::string_view fields = {}) {
  return "POST " + std::string(target) + " HTTP/1.1\r\nHost: a\r\n" + std::string(fields) +
         "Transfer-Encoding: chunked\r\n\r\n";
}

inline std::string chunk(std::string_view bytes) {
  char size[20];
  const auto end = std::to_chars(size, size + sizeof size, bytes.size(), 16).ptr;
  return std::string(size, end) + "\r\n" + std::string(bytes) + "\r\n";
}

inline std::string pattern(std::size_t size) {
  std::string text(size, ' ');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>('!' + i * 7 % 90);
  return text;
}

// The body of a chunked answer as far as it came.
struct Chunks {
  std::string body;
  std::size_t count = 0;
  std::string trailers;
  bool is_whole = false;  // with its last chunk
  std::string behind;
};

inline Chunks take_chunks(std::string_view bytes) {
  Chunks out;
  for (;;) {
    const std::size_t line = bytes.find("\r\n");
    std::size_t size = 0;
    if (line == std::string_view::npos ||
        std::from_chars(bytes.data(), bytes.data() + line, size, 16).ptr != bytes.data() + line) {
      return out;
    }
    bytes.remove_prefix(line + 2);
    if (size == 0) break;
    out.body += bytes.substr(0, size);
    if (bytes.size() < size + 2 || bytes.substr(size, 2) != "\r\n") return out;
    bytes.remove_prefix(size + 2);
    ++out.count;
  }
  std::size_t end = 0;
  while (!bytes.substr(end).starts_with("\r\n")) {
    const std::size_t next = bytes.find("\r\n", end);
    if (next == std::string_view::npos) return out;
    end = next + 2;
  }
  out.trailers = bytes.substr(0, end);
  out.behind = bytes.substr(end + 2);
  out.is_whole = true;
  return out;
}

}  // namespace weft::http::test
