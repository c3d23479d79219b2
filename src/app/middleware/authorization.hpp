// What the middleware that authenticates has in common: reading Authorization, and refusing.
//
// Invariants: views into the request's head. Any thread.
#pragma once

#include <string>
#include <string_view>

namespace weft {
class Context;
}

namespace weft::app {

struct Authorization {
  enum class Found : unsigned char {
    nothing,      // no such field, or of another scheme
    several,      // more than one field: which of them counts would be a guess
    credentials,  // of that scheme
  };
  Found found = Found::nothing;
  std::string_view credentials;
};

// Of a scheme, given in lower case.
[[nodiscard]] Authorization read_authorization(Context& context, std::string_view scheme);

// How many fields of that name, in lower case, there are.
[[nodiscard]] std::size_t count_fields(Context& context, std::string_view name);

// `scheme realm="..."`. Throws std::invalid_argument in the name of `whose` for what cannot be
// quoted.
[[nodiscard]] std::string challenge(std::string_view scheme, std::string_view realm,
                                    std::string_view whose);

// Answers; the text should end with a line feed.
void refuse(Context& context, int status, std::string_view challenge, std::string_view text);

}  // namespace weft::app
