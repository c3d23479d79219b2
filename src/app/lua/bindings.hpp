// What a script finds under the name of weft, a file for each part.
//
// All of it follows the rule of exec/lua/functions.hpp.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "app/lua/script.hpp"
#include "exec/lua/closures.hpp"
#include "exec/lua/functions.hpp"
#include "exec/lua/values.hpp"

namespace weft::app::lua {

class Schema;

using exec::lua::guarded;
using exec::lua::push_text;
using exec::lua::text_argument;
using exec::lua::text_argument_or;
using exec::lua::text_at;

// For Vm::protect(): the module `weft`.
int open_bindings(lua_State* state);

// Each puts its functions into the table on top of the stack, which is `weft`, and makes its
// metatables.
void open_app(lua_State* state);
void open_context(lua_State* state);
void open_json(lua_State* state);
void open_waits(lua_State* state);
void open_channels(lua_State* state);
void open_client(lua_State* state);
void open_shared(lua_State* state);
void open_middleware(lua_State* state);
void open_forms(lua_State* state);

// Of the classes that `c` makes.
void open_streams(lua_State* state);
void open_sessions(lua_State* state);

// Makes a metatable with these methods, and leaves the stack as it was.
void make_class(lua_State* state, const char* name, const luaL_Reg* methods);

// ---- For calls that belong to a request

inline constexpr char kContextClass[] = "weft.context";

// Pushes `c`, and what else a function is called with.
int push_context(Run& run, lua_State* state);
// The call whose `c` is at an index; raises an error when it has ended.
Call& call_at(lua_State* state, int index);
// The request whose `c` is the first argument.
inline Request& request_at(lua_State* state) { return *call_at(state, 1).request; }

// For what waits: the request must be that of the run, which alone ends with it.
inline void require_own(lua_State* state, const Request* request) {
  const Run& run = Run::require(state);
  if (static_cast<Call*>(run.object())->request != request) {
    luaL_error(state,
               "only the request's own handler can wait for it: hand values over by a channel");
  }
}
// Raises an error in a state of the pool, where nothing of the kind can be had.
void require_loop(lua_State* state, const char* what);
inline void own_request_at(lua_State* state) { require_own(state, &request_at(state)); }

// The methods of `c` that make something of a class of its own.
void add_form_methods(lua_State* state);  // to the table on top of the stack
int answer_stream(lua_State* state);
int answer_events(lua_State* state);
int get_session(lua_State* state);

// ---- What functions that are sent to other states may hold

inline constexpr char kAppClass[] = "weft.app";
inline constexpr char kSharedClass[] = "weft.shared";
inline constexpr char kChannelClass[] = "weft.channel";
inline constexpr char kSchemaClass[] = "weft.schema";
void push_group(lua_State* state, Group& group);
// The schema that the userdata at an index holds, or null.
const std::shared_ptr<const Schema>* schema_at(lua_State* state, int index);

// As exec::lua::FindThing.
std::shared_ptr<const exec::SendableThing> find_thing(lua_State* state, int index);

// ---- Middleware in the box

inline constexpr char kMiddlewareClass[] = "weft.middleware";
// The middleware that the userdata at an index holds, or null.
const Middleware* middleware_at(lua_State* state, int index);

// ---- JSON

// Appends the text of the value at an index. Raises no error of Lua's; throws
// std::invalid_argument.
void write_json_of(lua_State* state, int index, std::string& out);
// Pushes what a document says; may raise an error.
void push_json(lua_State* state, const JsonNode& node);

}  // namespace weft::app::lua
