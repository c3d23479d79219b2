// Values of Lua's as Values, and back.
//
// Lua has one table and one kind of string, so a metatable says what a table is where it is no
// record: list, tuple, tagged value or reference to a function. A table whose keys are 1 to n is a
// list without one; an empty table without one is a record. A string that is no UTF-8 is Bytes. A
// null is nil, and within tables the value `null`, so that it does not vanish there. With that,
// what goes there and back is the same.
#pragma once

#include <variant>

#include "exec/lua/lua_api.hpp"
#include "exec/value.hpp"

namespace weft::exec::lua {

// Makes the metatables of a new state. May raise an error.
void open_values(lua_State* state);

// The value at an index. Raises no error, so it may hold what it likes; takes stack slots as it
// goes and leaves none. Refuses functions, threads, userdata, cycles and what is beyond the limits.
std::variant<Value, ValueRefusal> to_value(lua_State* state, int index, const ValueLimits& limits);

// Pushes a value. May raise an error.
void push_value(lua_State* state, const Value& value);

// The value that stands for null in tables.
void push_null(lua_State* state);
bool is_null(lua_State* state, int index) noexcept;

// Makes the table on top of the stack a list, be it empty. May raise an error.
void mark_list(lua_State* state);
// Whether the table at an index is marked so.
bool is_marked_list(lua_State* state, int index) noexcept;
// How many elements a table has if its keys are 1 to that, or -1. Raises no error.
lua_Integer list_length(lua_State* state, int index) noexcept;

}  // namespace weft::exec::lua
