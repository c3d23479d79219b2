#include "app/lua/bindings.hpp"

#include "exec/lua/libraries.hpp"
#include "weft/version.hpp"

namespace weft::app::lua {

void make_class(lua_State* state, const char* name, const luaL_Reg* methods) {
  luaL_newmetatable(state, name);
  lua_newtable(state);
  luaL_setfuncs(state, methods, 0);
  lua_setfield(state, -2, "__index");
  // What all of a kind share is nobody's to change.
  lua_pushboolean(state, 0);
  lua_setfield(state, -2, "__metatable");
  lua_pop(state, 1);
}

void require_loop(lua_State* state, const char* what) {
  if (!State::of(state).on_pool) return;
  luaL_error(state,
             "%s needs the loop, and this handler runs on the pool: answer with c:text(), c:json() "
             "or c:bytes(), or leave out :worker()",
             what);
}

int open_bindings(lua_State* state) {
  lua_newtable(state);
  push_text(state, version());
  lua_setfield(state, -2, "version");
  open_app(state);
  open_context(state);
  open_json(state);
  open_waits(state);
  open_channels(state);
  open_client(state);
  open_shared(state);
  open_middleware(state);
  open_forms(state);
  lua_rawgetp(state, LUA_REGISTRYINDEX, exec::lua::kLoadedTable);
  lua_pushvalue(state, -2);
  lua_setfield(state, -2, "weft");
  lua_settop(state, 0);
  return 0;
}

}  // namespace weft::app::lua
