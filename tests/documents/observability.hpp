// What the fragments of docs/observability.md take for granted, so that they can be compiled.
#pragma once

#include <weft/weft.hpp>

inline void only_from_inside(weft::Context&, weft::Next& next) { next(); }
