// Entity tags, and what conditional requests make of them (RFC 9110 §8.8.3, §13.1).
//
// Functions of their arguments alone; nothing allocates. Any thread.
#pragma once

#include <optional>
#include <string_view>

#include "http/head_parser.hpp"

namespace weft::http {

// Takes the next tag off a list, W/ and quotes included; nothing at its end, or where it is
// malformed.
[[nodiscard]] std::optional<std::string_view> take_entity_tag(std::string_view& list);

// Whether two tags are of the same content: byte for byte, where neither is weak, or so that one
// may stand for the other.
[[nodiscard]] bool tags_match_strongly(std::string_view left, std::string_view right);
[[nodiscard]] bool tags_match_weakly(std::string_view left, std::string_view right);

// 304 or 412 as If-Match or If-None-Match of a GET or HEAD ask for, when the answer has this tag;
// nothing when it is to be given.
[[nodiscard]] std::optional<int> status_by_tag(const HeadView& head, std::string_view tag);

}  // namespace weft::http
