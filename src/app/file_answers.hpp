// Files as answers: what Context::file() and static_files() have in common.
//
// Belongs to its request.
#pragma once

#include <string_view>

#include "http/exchange.hpp"
#include "http/served_file.hpp"
#include "weft/result.hpp"

namespace weft::app {

// The status for a file that cannot be opened.
[[nodiscard]] int status_of_file(const Error& error);
// Answers with that status and its words; false.
bool refuse_file(http::Exchange& exchange, int status);
// Answers with the file, or what the request makes of it; true. The type must live as long as the
// request. `coding` is the name of the one its content is in; empty: none.
bool answer_with_file(http::Exchange& exchange, const http::ServedFile& file,
                      std::string_view content_type, std::string_view coding = {});

}  // namespace weft::app
