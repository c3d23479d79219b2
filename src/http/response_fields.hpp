// What middleware asks of the fields of an answer, and changes in them, before its head is sent.
//
// Names are given in lower case. Nothing here allocates unless a field is taken out or the fields
// outgrow their place. The worker's thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "http/response.hpp"

namespace weft::http {

// Throws std::logic_error when the head is out, so that nothing in it can be changed any more.
void require_head_to_come(const Response& response);

// Calls `see(whole line with its end, name, value)` for each field that is set, until it is false.
template <class See>
void for_each_field(std::string_view lines, const See& see) {
  while (!lines.empty()) {
    const std::size_t end = lines.find("\r\n");
    const std::string_view line = lines.substr(0, end + 2);
    const std::size_t colon = line.find(':');
    if (!see(line, line.substr(0, colon), line.substr(colon + 2, end - colon - 2))) return;
    lines.remove_prefix(line.size());
  }
}

// The first of that name.
[[nodiscard]] std::optional<std::string_view> find_field(const Response& response,
                                                         std::string_view name);
// Whether a field of that name has the element in its list, in any case and whatever parameter or
// argument it has.
[[nodiscard]] bool lists_element(const Response& response, std::string_view name,
                                 std::string_view element);
// Whether one that lasts was among them.
bool remove_fields(Response& response, std::string_view name);
// Adds a field in place of all of that name, given in any case; it lasts if one of those did. But a
// Vary that lasts stays beside it.
// Throws as Response::add_field() does, and has changed nothing then.
void set_field(Response& response, std::string_view name, std::string_view value);

// `Vary: NAME`, unless that or `*` is there already; `name` as it is to be written.
void add_vary(Response& response, std::string_view name, std::string_view lower_name);
// Of another representation that means the same: W/ in front of a strong one (RFC 9110 §8.8.1).
void weaken_etag(Response& response);

}  // namespace weft::http
