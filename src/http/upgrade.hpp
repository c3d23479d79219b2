// What a client says about changing the protocol (RFC 9110 §7.8).
#pragma once

#include <string_view>

#include "http/head_parser.hpp"

namespace weft::http {

// Whether an Upgrade field names the protocol, which is given in lower case.
[[nodiscard]] bool names_protocol(const HeadView& head, std::string_view protocol);

}  // namespace weft::http
