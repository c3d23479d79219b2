// What Lua's own headers declare, in one place.
//
// Lua is C: its errors are longjmp(), which calls no destructor. So a function that Lua calls holds
// nothing with a destructor while it calls what may raise an error, and lets no exception out; see
// guarded() in functions.hpp.
#pragma once

#include <lua.hpp>
