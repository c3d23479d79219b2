// refusal(): what a call throws, for tests of what makes no sense and must be refused.
#pragma once

#include <stdexcept>
#include <string>

namespace weft::app::test {

// What it says; another exception is not caught.
template <class Error = std::invalid_argument, class Call>
std::string refusal(const Call& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "(nothing was thrown)";
}

inline bool says(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace weft::app::test
