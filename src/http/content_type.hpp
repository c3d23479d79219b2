// What kind of content a file has, by the end of its name.
//
// Invariants: the texts are static. Any thread.
#pragma once

#include <string_view>

namespace weft::http {

// "text/html; charset=utf-8" for "index.html", in any case; "application/octet-stream" for what is
// not known.
[[nodiscard]] std::string_view content_type_of(std::string_view file_name);

}  // namespace weft::http
