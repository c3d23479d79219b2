// What the fragments of docs/middleware-basics.md take for granted, so that they can be compiled.
#pragma once

#include <chrono>
#include <string_view>
#include <weft/weft.hpp>

using namespace std::chrono_literals;

inline void log(std::string_view) {}
inline void store(weft::Context&) {}
inline void make_report(weft::Context&) {}

struct Database {
  bool ping() { return true; }
};
inline Database database;
