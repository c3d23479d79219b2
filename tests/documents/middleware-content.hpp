// What the fragments of docs/middleware-content.md take for granted, so that they can be compiled.
#pragma once

#include <chrono>
#include <memory>
#include <weft/weft.hpp>

using namespace std::chrono_literals;

inline void save(weft::Context&) {}
