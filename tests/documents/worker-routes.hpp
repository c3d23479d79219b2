// What the fragments of docs/worker-routes.md take for granted, so that they can be compiled.
#pragma once

#include <string>
#include <weft/weft.hpp>

inline unsigned fib(unsigned n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
inline void make_report(weft::Context&) {}
inline void list_orders(weft::Context&) {}
inline void export_all(weft::Context&) {}
