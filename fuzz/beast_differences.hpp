// Where weft and Boost.Beast judge a request differently, and why: the table that
// http_differential_fuzz holds both of them to. docs/beast-differences.md says it in words, under
// the same names.
//
// Invariants: a difference that no row explains is a failure; a row looks at the message, not only
// at what either parser says about it.
#pragma once

#include <algorithm>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <cstddef>
#include <iterator>
#include <string>
#include <string_view>

#include "http/chunked_decoder.hpp"
#include "http/head_parser.hpp"
#include "http/scan.hpp"
#include "http/uri.hpp"

namespace weft::fuzz {

namespace beast = boost::beast::http;
using BeastParser = beast::request_parser<beast::string_body>;

inline std::string_view text_of(boost::beast::string_view text) {
  return {text.data(), text.size()};
}

// What both say about one message. Beast's parser has taken in what it accepted; weft's head is
// there when it is complete.
struct Verdicts {
  std::string_view bytes;
  const http::HeadParser& weft;
  const BeastParser& beast;
  boost::system::error_code beast_error;

  [[nodiscard]] http::HeadView view() const { return {weft.head(), bytes.data()}; }
  [[nodiscard]] std::string_view target() const { return text_of(beast.get().target()); }
  [[nodiscard]] std::string_view method() const { return text_of(beast.get().method_string()); }
  [[nodiscard]] bool is_http_1_0() const { return beast.get().version() == 10; }
  [[nodiscard]] std::size_t count(beast::field field) const { return beast.get().count(field); }
  [[nodiscard]] std::string_view value(beast::field field) const {
    return text_of(beast.get()[field]);
  }
  [[nodiscard]] bool refused_with(int status) const { return weft.error_status() == status; }
};

struct Difference {
  const char* name;
  bool (*explains)(const Verdicts&);
};

[[nodiscard]] inline bool is_http_uri(std::string_view target) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!http::equals_ignoring_case(target.substr(0, scheme.size()), scheme)) continue;
    const std::string_view rest = target.substr(scheme.size());
    const std::string_view authority = rest.substr(0, rest.find_first_of("/?"));
    return !authority.empty() && authority.front() != ':' && http::is_authority(authority);
  }
  return false;
}

[[nodiscard]] inline bool is_target_for(std::string_view method, std::string_view target) {
  const auto hidden = [](char byte) { return byte <= ' ' || byte > '~' || byte == '#'; };
  if (std::any_of(target.begin(), target.end(), hidden)) return false;
  if (method == "CONNECT") return http::is_authority_with_port(target);
  if (method == "OPTIONS" && target == "*") return true;
  if (!target.starts_with('/') && !is_http_uri(target)) return false;
  std::string_view path = target.substr(0, target.find('?'));
  if (!path.starts_with('/')) {
    const std::size_t slash = path.find('/', path.find("//") + 2);
    path = slash == path.npos ? std::string_view{} : path.substr(slash);
  }
  return http::has_valid_escapes(path);
}

[[nodiscard]] inline bool has_folded_line(std::string_view bytes) {
  return bytes.find("\r\n ") != bytes.npos || bytes.find("\r\n\t") != bytes.npos;
}

// Messages that weft refuses and Beast accepts.
inline constexpr Difference kRefusedByWeft[] = {
    {"unknown-method",
     [](const Verdicts& v) {
       return v.refused_with(501) && http::method_from(v.method()) == http::Method::unknown;
     }},
    {"target",
     [](const Verdicts& v) {
       return v.refused_with(400) && !is_target_for(v.method(), v.target());
     }},
    {"host",
     [](const Verdicts& v) {
       const std::size_t hosts = v.count(beast::field::host);
       if (hosts == 0) return v.refused_with(400) && !v.is_http_1_0();
       return v.refused_with(400) &&
              (hosts > 1 || !http::is_authority(v.value(beast::field::host)));
     }},
    {"folded-line",
     [](const Verdicts& v) { return v.refused_with(400) && has_folded_line(v.bytes); }},
    {"repeated-length",
     [](const Verdicts& v) {
       return v.refused_with(400) &&
              (v.count(beast::field::content_length) > 1 ||
               v.value(beast::field::content_length).find(',') != std::string_view::npos);
     }},
    {"transfer-coding",
     [](const Verdicts& v) {
       const std::size_t lines = v.count(beast::field::transfer_encoding);
       return (v.refused_with(400) || v.refused_with(501)) && lines != 0 &&
              (lines > 1 || v.is_http_1_0() ||
               !http::equals_ignoring_case(v.value(beast::field::transfer_encoding), "chunked"));
     }},
    {"expectation",
     [](const Verdicts& v) {
       const auto [first, last] = v.beast.get().equal_range(beast::field::expect);
       return v.refused_with(417) && std::any_of(first, last, [](const auto& field) {
                return !http::equals_ignoring_case(text_of(field.value()), "100-continue");
              });
     }},
    {"too-many-fields",
     [](const Verdicts& v) {
       const auto& fields = v.beast.get();
       return v.refused_with(431) && std::distance(fields.begin(), fields.end()) >
                                         std::ptrdiff_t{http::RequestHead::header_capacity};
     }},
};

// Messages that weft accepts and Beast refuses.
inline constexpr Difference kRefusedByBeast[] = {
    {"empty-line", [](const Verdicts& v) { return v.bytes.starts_with("\r\n"); }},
    {"minor-version",
     [](const Verdicts& v) {
       const std::size_t version =
           v.view().target().data() + v.view().target().size() + 1 - v.bytes.data();
       const char minor = v.bytes[version + 7];
       return v.beast_error == beast::error::bad_version && minor >= '2' && minor <= '9';
     }},
    {"connection-list",
     [](const Verdicts& v) {
       return v.beast_error == beast::error::bad_value &&
              (v.view().find("connection") || v.view().find("proxy-connection"));
     }},
};

// Messages that both accept, and read differently.
inline constexpr Difference kKeptAliveDifferently[] = {
    {"proxy-connection",
     [](const Verdicts& v) { return v.view().find("proxy-connection").has_value(); }},
    {"close-in-1.0",
     [](const Verdicts& v) {
       return v.is_http_1_0() && !v.weft.head().keep_alive && v.view().find("connection");
     }},
};

// What both say about a chunked body behind a head that both accept.
struct BodyVerdicts {
  std::string_view bytes;
  const http::ChunkedDecoder& weft;
  boost::system::error_code beast_error;

  // In whatever case, anywhere: a body may hold it too, so this explains more than it should.
  [[nodiscard]] bool mentions(std::string_view lower) const {
    for (std::size_t at = 0; at + lower.size() <= bytes.size(); ++at) {
      if (http::equals_ignoring_case(bytes.substr(at, lower.size()), lower)) return true;
    }
    return false;
  }
};

struct BodyDifference {
  const char* name;
  bool (*explains)(const BodyVerdicts&);
};

inline constexpr BodyDifference kBodiesRefusedByWeft[] = {
    {"size-digits",
     [](const BodyVerdicts& v) {
       std::size_t digits = 0;
       for (const char byte : v.bytes) {
         digits = http::scan::is(byte, http::scan::hex_byte) ? digits + 1 : 0;
         if (digits > 16) return v.weft.error_status() == 400;
       }
       return false;
     }},
    {"folded-trailer",
     [](const BodyVerdicts& v) {
       return v.weft.error_status() == 400 && has_folded_line(v.bytes);
     }},
    {"quoted-control-byte",
     [](const BodyVerdicts& v) {
       const std::size_t quote = v.bytes.find('"');
       if (v.weft.error_status() != 400 || quote == v.bytes.npos) return false;
       return http::scan::scalar::value_end(v.bytes, quote) != v.bytes.size();
     }},
};

inline constexpr BodyDifference kBodiesRefusedByBeast[] = {
    {"framing-in-trailers",
     [](const BodyVerdicts& v) {
       if (v.beast_error == beast::error::bad_content_length) return v.mentions("content-length");
       if (v.beast_error == beast::error::bad_value) return v.mentions("connection");
       return v.beast_error == beast::error::bad_transfer_encoding &&
              v.mentions("transfer-encoding");
     }},
};

template <class Row, std::size_t N, class Said>
[[nodiscard]] const char* explanation(const Row (&table)[N], const Said& verdicts) {
  for (const Row& row : table) {
    if (row.explains(verdicts)) return row.name;
  }
  return nullptr;
}

}  // namespace weft::fuzz
