#include "http/client/url.hpp"

#include <algorithm>
#include <charconv>

#include "http/head_parser.hpp"
#include "http/letter_case.hpp"
#include "http/scan.hpp"
#include "http/uri.hpp"

namespace weft::http {

namespace {

// The scheme, or nothing for what has none.
std::string_view scheme_of(std::string_view text) {
  const std::size_t end = text.find_first_of(":/?#");
  if (end == std::string_view::npos || end == 0 || text[end] != ':') return {};
  const std::string_view scheme = text.substr(0, end);
  const bool begins_with_letter = (scheme[0] | 0x20) >= 'a' && (scheme[0] | 0x20) <= 'z';
  const bool is_scheme = std::all_of(scheme.begin(), scheme.end(), [](char byte) {
    return scan::is(byte, scan::host_byte) &&
           std::string_view("~!$&'()*,;=_").find(byte) == std::string_view::npos;
  });
  return begins_with_letter && is_scheme ? scheme : std::string_view{};
}

std::string parse_authority(std::string_view text, ClientUrl& url) {
  if (text.find('@') != std::string_view::npos) {
    return "a user name in a URL is refused; send an Authorization header";
  }
  if (!is_authority(text)) return "what stands before the path is no host with optional port";
  const bool bracketed = text.starts_with('[');
  const std::size_t host_end =
      bracketed ? text.find(']') + 1 : std::min(text.find(':'), text.size());
  std::string host = in_lower_case(std::string(text.substr(0, host_end)));
  if (host.empty()) return "there is no host in it";
  const std::string_view port = text.substr(std::min(host_end + 1, text.size()));
  url.port = 80;
  if (!port.empty()) std::from_chars(port.data(), port.data() + port.size(), url.port);
  if (url.port == 0) return "port 0 cannot be connected to";
  url.authority = url.port == 80 ? host : host + ":" + std::to_string(url.port);
  url.host = bracketed ? host.substr(1, host.size() - 2) : host;
  return {};
}

std::string parse_target(std::string_view text, ClientUrl& url) {
  const std::string_view path_and_query = text.substr(0, text.find('#'));
  url.target = path_and_query.starts_with('/') ? "" : "/";
  url.target += path_and_query;
  if (scan::target_end(url.target, 0) != url.target.size()) {
    return "it holds a blank, a control byte or one that is not ASCII; write those as %XX";
  }
  if (!has_valid_escapes(std::string_view(url.target).substr(0, url.target.find('?')))) {
    return "its path has a percent sign without two hexadecimal digits";
  }
  return {};
}

std::string parse_behind_scheme(std::string_view text, ClientUrl& url) {
  const std::size_t authority_end = std::min(text.find_first_of("/?#"), text.size());
  std::string refusal = parse_authority(text.substr(0, authority_end), url);
  return refusal.empty() ? parse_target(text.substr(authority_end), url) : refusal;
}

// RFC 3986 §5.2.4, of a path that begins with a slash.
std::string without_dot_segments(std::string_view path) {
  std::string out;
  while (!path.empty()) {
    const std::size_t end = std::min(path.find('/', 1), path.size());
    const std::string_view segment = path.substr(0, end);
    const bool last = end == path.size();
    if (segment == "/..")
      out.resize(out.find_last_of('/') == std::string::npos ? 0 : out.rfind('/'));
    if (segment != "/." && segment != "/..") {
      out += segment;
    } else if (last) {
      out += '/';
    }
    path.remove_prefix(end);
  }
  return out;
}

}  // namespace

std::string parse_url(std::string_view text, std::size_t most_bytes, ClientUrl& url) {
  if (text.size() > most_bytes) {
    return "it is longer than " + std::to_string(most_bytes) + " bytes";
  }
  const std::string_view scheme = scheme_of(text);
  if (equals_ignoring_case(scheme, "https")) return "https is not supported; use http";
  if (scheme.empty()) return "it does not begin with http://";
  if (!equals_ignoring_case(scheme, "http")) return "of the schemes only http is supported";
  text.remove_prefix(scheme.size() + 1);
  if (!text.starts_with("//")) return "it does not begin with http://";
  return parse_behind_scheme(text.substr(2), url);
}

std::string resolve_url(const ClientUrl& base, std::string_view reference, std::size_t most_bytes,
                        ClientUrl& url) {
  if (!scheme_of(reference).empty()) return parse_url(reference, most_bytes, url);
  if (reference.size() > most_bytes) {
    return "it is longer than " + std::to_string(most_bytes) + " bytes";
  }
  if (reference.starts_with("//")) return parse_behind_scheme(reference.substr(2), url);
  url = base;
  reference = reference.substr(0, reference.find('#'));
  if (reference.empty()) return {};
  const std::size_t question = std::min(reference.find('?'), reference.size());
  const std::string_view base_path = std::string_view(base.target).substr(0, base.target.find('?'));
  std::string path(reference.substr(0, question));
  if (path.empty()) {
    path = base_path;
  } else {
    if (path[0] != '/') path.insert(0, base_path.substr(0, base_path.rfind('/') + 1));
    path = without_dot_segments(path);
  }
  return parse_target(path.append(reference.substr(question)), url);
}

}  // namespace weft::http
