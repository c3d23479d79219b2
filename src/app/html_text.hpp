// Text within HTML.
#pragma once

#include <string>
#include <string_view>

namespace weft::app {

// Appends the text so that it is text there, also within an attribute's quotes.
void append_for_html(std::string& html, std::string_view text);

}  // namespace weft::app
