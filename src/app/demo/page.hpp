// The demonstration's one page: HTML with its style and script inside, nothing loaded from outside.
//
// Safe from any thread.
#pragma once

#include <string_view>

#include <weft/context.hpp>

namespace weft::demo {

// Answers with the page.
void show_page(Context& c);
// What runs in it.
std::string_view page_script() noexcept;

}  // namespace weft::demo
