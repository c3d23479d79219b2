// Which paths of files a client may name: those without a way up, hidden names, or tricks.
//
// Pure; any thread.
#pragma once

#include <string_view>

namespace weft::http {

// Of the path of a request as it came: whether an escape in it stands for what an honest client has
// no reason to hide: a dot, a slash, a backslash or a zero.
bool hides_something(std::string_view path);

// Of a path beneath a folder: whether each part of it is an ordinary name, none of them hidden or
// leading upwards.
bool is_ordinary(std::string_view path);

}  // namespace weft::http
