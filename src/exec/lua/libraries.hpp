// What a script finds in a state: Lua's own libraries, without what reads or writes files, loads
// compiled code or runs programs, and with coroutines that may wait.
#pragma once

#include "exec/lua/lua_api.hpp"

namespace weft::exec::lua {

// The name, in the registry, of the metatable of errors that ask for a status.
inline constexpr char kErrorMetatable[] = "weft.error";
// The table, in the registry, of modules that `require` knows already.
inline constexpr char kLoadedTable[] = "weft.loaded";

// For Vm::protect().
int open_libraries(lua_State* state);

}  // namespace weft::exec::lua
