// How errors are worded in each ErrorFormat, and how middleware answers with one.
#pragma once

#include <string_view>

#include "http/error_answer.hpp"
#include "weft/context.hpp"
#include "weft/error_format.hpp"
#include "weft/http_error.hpp"

namespace weft::app {

[[nodiscard]] http::ErrorWording wording_of(ErrorFormat format) noexcept;

// Whether an error is worded so: not one that brings a body of a type of its own.
[[nodiscard]] bool is_worded(const HttpError& error) noexcept;

// Answers with that status, in the application's format; in plain text it is `text`, which should
// end with a line feed.
void answer_error(Context& context, int status, std::string_view text);

}  // namespace weft::app
