// What the fragments of docs/routing.md take for granted, so that they can be compiled.
#pragma once

#include <vector>
#include <weft/weft.hpp>

inline void create(weft::Context&) {}
inline void file(weft::Context&) {}
inline void hook(weft::Context&) {}
inline void me(weft::Context&) {}
inline void by_id(weft::Context&) {}
inline void by_name(weft::Context&) {}
inline void other(weft::Context&) {}
inline void list(weft::Context&) {}
inline void drop(weft::Context&) {}
inline void require_key(weft::Context&, weft::Next& next) { next(); }

inline std::vector<weft::Respond> queue;
