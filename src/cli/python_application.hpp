// An application in Python is served by Python: `weft serve main:app` becomes the active
// environment's `python3 -m weft serve main:app`, with all other words as they are.
//
// This program has nothing of Python's in it, and does not return once the other one runs.
#pragma once

#include <string_view>

#include "cli/command.hpp"

namespace weft::cli {

// Whether one of the words names an application: `package.module:name`, or a script, `main.py` or
// `main.py:name`. What is a folder is none.
[[nodiscard]] bool names_python_application(Arguments words);
[[nodiscard]] bool is_python_application(std::string_view word);

// Replaces this program; returns the exit status only where that cannot be done, and has said why.
[[nodiscard]] int serve_with_python(Arguments words);

}  // namespace weft::cli
