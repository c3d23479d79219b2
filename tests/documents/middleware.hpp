// What the fragments of docs/middleware.md take for granted, so that they can be compiled.
#pragma once

#include <chrono>
#include <stdexcept>
#include <string_view>
#include <weft/weft.hpp>

inline void record(std::string_view, int, std::chrono::nanoseconds) {}

struct DatabaseError : std::runtime_error {
  using std::runtime_error::runtime_error;
};
