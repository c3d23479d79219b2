#include "http/uri.hpp"

#include <arpa/inet.h>

#include <array>

#include "http/scan.hpp"

namespace weft::http {

namespace {

// The value of a hexadecimal digit, or -1.
int hex_value(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  const int letter = digit | 0x20;
  return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

bool is_ipv6_address(std::string_view text) {
  std::array<char, INET6_ADDRSTRLEN> terminated{};
  if (text.size() >= terminated.size()) return false;
  text.copy(terminated.data(), text.size());
  in6_addr address;
  // A NUL would end the text early for inet_pton.
  return text.find('\0') == std::string_view::npos &&
         inet_pton(AF_INET6, terminated.data(), &address) == 1;
}

// Nothing, or a colon and a port number, which may be empty.
bool is_port_suffix(std::string_view text) {
  if (text.empty()) return true;
  if (text.front() != ':' || text.size() > 6) return false;
  unsigned port = 0;
  for (const char byte : text.substr(1)) {
    if (byte < '0' || byte > '9') return false;
    port = port * 10 + static_cast<unsigned>(byte - '0');
  }
  return port <= 65'535;
}

// Where a host that is no plain name ends, or npos if it is no host. As far as `end` it is plain.
[[gnu::noinline]] std::size_t odd_host_end(std::string_view bytes, std::size_t begin,
                                           std::size_t end) {
  const std::string_view text = bytes.substr(begin);
  if (text.starts_with('[')) {
    const std::size_t bracket = text.find(']');
    if (bracket == std::string_view::npos) return bracket;
    return is_ipv6_address(text.substr(1, bracket - 1)) ? begin + bracket + 1
                                                        : std::string_view::npos;
  }
  while (end < bytes.size() && bytes[end] == '%') {
    if (!has_valid_escapes(bytes.substr(end, 3))) return std::string_view::npos;
    end = scan::scalar::host_end(bytes, end + 3);
  }
  return end;
}

// Where the host that begins at `begin` ends, or npos if it is no host.
inline std::size_t host_end(std::string_view bytes, std::size_t begin) {
  const std::size_t end = scan::host_end(bytes, begin);
  if (end == bytes.size() || bytes[end] == ':') [[likely]]
    return end;
  return odd_host_end(bytes, begin, end);
}

}  // namespace

bool is_authority(std::string_view text) { return is_authority(text, 0); }

bool is_authority(std::string_view bytes, std::size_t from) {
  const std::size_t end = host_end(bytes, from);
  return end != std::string_view::npos && is_port_suffix(bytes.substr(end));
}

bool is_authority_with_port(std::string_view text) {
  const std::size_t end = host_end(text, 0);
  if (end == std::string_view::npos || end == 0) return false;
  return text.size() - end >= 2 && is_port_suffix(text.substr(end));
}

bool is_plain(std::string_view text, UriPart part) {
  // Names and values are short: a plain loop is faster than a search in the library.
  const char space = part == UriPart::query ? '+' : '%';
  for (const char byte : text) {
    if (byte == '%' || byte == space) return false;
  }
  return true;
}

bool has_valid_escapes(std::string_view text) {
  for (std::size_t at = text.find('%'); at != std::string_view::npos; at = text.find('%', at + 3)) {
    if (text.size() - at < 3 || !scan::is(text[at + 1], scan::hex_byte) ||
        !scan::is(text[at + 2], scan::hex_byte)) {
      return false;
    }
  }
  return true;
}

std::optional<std::size_t> percent_decode(std::string_view text, UriPart part, char* out) {
  std::size_t written = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char byte = text[i];
    if (byte == '%') {
      if (text.size() - i < 3) return std::nullopt;
      const int high = hex_value(text[i + 1]);
      const int low = hex_value(text[i + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      byte = static_cast<char>(high * 16 + low);
      i += 2;
    } else if (byte == '+' && part == UriPart::query) {
      byte = ' ';
    }
    out[written++] = byte;
  }
  return written;
}

std::optional<std::string> percent_decode(std::string_view text, UriPart part) {
  std::string decoded(text.size(), '\0');
  const auto length = percent_decode(text, part, decoded.data());
  if (!length) return std::nullopt;
  decoded.resize(*length);
  return decoded;
}

}  // namespace weft::http
