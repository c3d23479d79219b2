// Functions of Lua's as closures that another state can have.
//
// What a function holds is copied: values as to_value() does it, other functions of Lua's with what
// they hold, and what two of them share is shared by the copies. Globals and modules are those of
// the state that it is pushed to, by name. Functions of C, coroutines and userdata that are no
// SendableThing are refused, with the place.
#pragma once

#include <memory>
#include <variant>

#include "exec/lua/lua_api.hpp"
#include "exec/sendable_handler.hpp"

namespace weft::exec::lua {

// The thing that the userdata at an index is; null when it is none. Raises no error.
using FindThing = std::shared_ptr<const SendableThing> (*)(lua_State* state, int index);

// The function at an index. Raises no error, and leaves the stack as it was; throws std::bad_alloc.
std::variant<SendableClosure, ValueRefusal> to_closure(lua_State* state, int index,
                                                       const ClosureLimits& limits,
                                                       FindThing find_thing);

// Pushes the function that it makes. May raise an error.
void push_closure(lua_State* state, const SendableClosure& closure);

}  // namespace weft::exec::lua
