// Lazy reading of Cookie fields: nothing is split before it is asked for, nothing is decoded.
//
// Invariants: a view over a field's value, which must outlive it. RFC 6265 §4.2 says what clients
// should send; what they do send is read as draft-ietf-httpbis-rfc6265bis §5.7.3 has them compose
// it: pairs separated by ';', blanks around names and values cut, and every other byte kept. Quotes
// are part of a value, percent signs and "$Version" mean nothing, names have case. What has no name
// is skipped: no '=', or nothing before it.
#pragma once

#include <optional>
#include <string_view>

#include "http/head_parser.hpp"
#include "http/lazy_pairs.hpp"

namespace weft::http {

struct Cookie {
  std::string_view name;
  std::string_view value;
};

bool take_cookie(std::string_view& rest, Cookie& cookie);

class Cookies : public LazyPairs<Cookie, take_cookie> {
 public:
  using LazyPairs::LazyPairs;

  // The first of that name: a client lists those of longer paths first (RFC 6265 §5.4).
  [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const;
};

// The first cookie of that name in all Cookie fields of a head. A client sends one field; what
// has come through HTTP/2 may have several.
[[nodiscard]] std::optional<std::string_view> find_cookie(const HeadView& head,
                                                          std::string_view name);

}  // namespace weft::http
