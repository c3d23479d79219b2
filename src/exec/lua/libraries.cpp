#include "exec/lua/libraries.hpp"

#include <cstring>
#include <string>

#include "exec/lua/functions.hpp"
#include "exec/lua/values.hpp"
#include "exec/lua/vm.hpp"

namespace weft::exec::lua {

// ---- coroutine: resume() and wrap() pass on what is waited for within a coroutine

struct CoroutineFunctions {
  static int resume(lua_State* state) {
    lua_State* const inner = checked(state);
    return start(state, inner, lua_gettop(state) - 1);
  }
  static int wrap(lua_State* state) {
    luaL_checktype(state, 1, LUA_TFUNCTION);
    lua_State* const inner = lua_newthread(state);
    lua_pushvalue(state, 1);
    lua_xmove(state, inner, 1);
    lua_pushcclosure(state, &call_wrapped, 1);
    return 1;
  }
  static int yield(lua_State* state) {
    const Run* const run = Vm::of(state).run();
    if (run == nullptr || run->coroutine_.state == state) {
      return luaL_error(state, "attempt to yield from outside a coroutine");
    }
    return lua_yield(state, lua_gettop(state));
  }

  // Lua's own would neither be ended when what it closes runs away, nor bound how many coroutines
  // close each other.
  static int close(lua_State* state) {
    lua_State* const inner = checked(state);
    lua_Debug top = {};
    if (inner == state || (lua_status(inner) == LUA_OK && lua_getstack(inner, 0, &top) != 0)) {
      return luaL_error(state, "cannot close a running coroutine");
    }
    require_not_waiting(state, inner);
    const int status = reset(state, inner);
    if (Vm::of(state).expired_) {
      return luaL_error(state, "it has computed for too long without waiting");
    }
    lua_pushboolean(state, status == LUA_OK ? 1 : 0);
    if (status == LUA_OK) return 1;
    lua_xmove(inner, state, 1);
    return 2;
  }

 private:
  // Each takes a good part of a kilobyte of the stack.
  static constexpr unsigned kMostClosing = 50;

  static int reset(lua_State* state, lua_State* inner) {
    Vm& vm = Vm::of(state);
    if (vm.closing_ >= kMostClosing) {
      return luaL_error(state, "too many coroutines are closed within one another");
    }
    ++vm.closing_;
    vm.current_ = inner;
    const int status = lua_resetthread(inner);
    vm.current_ = state;
    --vm.closing_;
    return status;
  }

  // The context of a continuation: what the results are for.
  enum : lua_KContext { kForResume, kForWrap };

  static lua_State* checked(lua_State* state) {
    luaL_checktype(state, 1, LUA_TTHREAD);
    return lua_tothread(state, 1);
  }
  static int call_wrapped(lua_State* state) {
    lua_State* const inner = lua_tothread(state, lua_upvalueindex(1));
    lua_pushvalue(state, lua_upvalueindex(1));
    lua_insert(state, 1);
    return start(state, inner, lua_gettop(state) - 1, kForWrap);
  }
  // One that waits is its run's: nobody else may go on with it or close it. Where a coroutine has
  // yielded by itself, that is where it stands.
  static void require_not_waiting(lua_State* state, lua_State* inner) {
    lua_Debug top = {};
    if (lua_status(inner) != LUA_YIELD || lua_getstack(inner, 0, &top) == 0) return;
    if (lua_checkstack(inner, 2) == 0) luaL_error(state, "not enough stack");
    lua_getinfo(inner, "f", &top);
    const bool yielded = lua_tocfunction(inner, -1) == &yield;
    lua_pop(inner, 1);
    if (!yielded) luaL_error(state, "the coroutine waits for something in another call");
  }
  static int start(lua_State* state, lua_State* inner, int given, lua_KContext kind = kForResume) {
    require_not_waiting(state, inner);
    if (lua_checkstack(inner, given) == 0) return luaL_error(state, "too many arguments");
    lua_xmove(state, inner, given);
    return step(state, inner, given, kind);
  }
  static int waited(lua_State* state, int /*status*/, lua_KContext kind) {
    return step(state, lua_tothread(state, 1), 0, kind);
  }

  // The coroutine is at 1 of `state`, and nothing else.
  static int step(lua_State* state, lua_State* inner, int given, lua_KContext kind) {
    Vm& vm = Vm::of(state);
    const bool cannot_wait = lua_isyieldable(state) == 0;
    vm.without_wait_ += cannot_wait ? 1 : 0;
    lua_sethook(inner, nullptr, 0, 0);
    vm.current_ = inner;
    int count = 0;
    const int status = lua_resume(inner, state, given, &count);
    vm.current_ = state;
    vm.without_wait_ -= cannot_wait ? 1 : 0;
    if (vm.expired_) return luaL_error(state, "it has computed for too long without waiting");
    const Run* const run = vm.run();
    if (status == LUA_YIELD && run != nullptr && run->perform_ != nullptr) {
      return lua_yieldk(state, 0, kind, &waited);
    }
    if (status == LUA_OK || status == LUA_YIELD) return give_results(state, inner, count, kind);
    lua_xmove(inner, state, 1);
    if (kind == kForWrap) return fail_wrapped(state, inner);
    lua_pushboolean(state, 0);
    lua_insert(state, -2);
    return 2;
  }
  static int give_results(lua_State* state, lua_State* inner, int count, lua_KContext kind) {
    if (lua_checkstack(state, count + 1) == 0) {
      lua_pop(inner, count);
      return luaL_error(state, "too many results");
    }
    if (kind == kForResume) lua_pushboolean(state, 1);
    lua_xmove(inner, state, count);
    return count + (kind == kForResume ? 1 : 0);
  }
  static int fail_wrapped(lua_State* state, lua_State* inner) {
    const int status = lua_status(inner);
    // What it has to close is closed; an error in that is the one that counts then.
    if (status != LUA_OK && status != LUA_YIELD) {
      if (reset(state, inner) != LUA_OK && lua_gettop(inner) > 0) lua_xmove(inner, state, 1);
    }
    return lua_error(state);
  }
};

namespace {

// ---- Text alone is compiled

// load(chunk, name, mode, env): Lua's own, told that it is text, which is the first upvalue.
int load_text(lua_State* state) {
  const int given = lua_gettop(state);
  if (given < 3) lua_settop(state, 3);
  lua_pushliteral(state, "t");
  lua_replace(state, 3);
  lua_pushvalue(state, lua_upvalueindex(1));
  lua_insert(state, 1);
  lua_call(state, lua_gettop(state) - 1, LUA_MULTRET);
  return lua_gettop(state);
}

// setmetatable(table, metatable): Lua's own is the first upvalue. Finalizers run in the middle of
// anything, where nothing ends them.
int set_metatable(lua_State* state) {
  if (lua_istable(state, 2)) {
    lua_pushliteral(state, "__gc");
    if (lua_rawget(state, 2) != LUA_TNIL) {
      return luaL_error(state, "there is no __gc here: use a <close> variable");
    }
    lua_pop(state, 1);
  }
  return lua_tocfunction(state, lua_upvalueindex(1))(state);
}

// The handler of an error is called where nothing ends it, so one for what has run for too long is
// not called.
int handle_error(lua_State* state) {
  lua_settop(state, 1);
  if (Vm::of(state).expired()) return 1;
  lua_pushvalue(state, lua_upvalueindex(1));
  lua_insert(state, 1);
  lua_call(state, 1, 1);
  return 1;
}

// xpcall(function, handler, ...): Lua's own is the first upvalue.
int call_protected(lua_State* state) {
  luaL_checktype(state, 2, LUA_TFUNCTION);
  lua_pushvalue(state, 2);
  lua_pushcclosure(state, &handle_error, 1);
  lua_replace(state, 2);
  return lua_tocfunction(state, lua_upvalueindex(1))(state);
}

int collect_garbage(lua_State* state) {
  static const char* const kWishes[] = {"collect", "count", "step", nullptr};
  switch (luaL_checkoption(state, 1, "collect", kWishes)) {
    case 0: lua_gc(state, LUA_GCCOLLECT); return 0;
    case 1: {
      constexpr lua_Number kKilo = 1024;
      lua_pushnumber(state, static_cast<lua_Number>(Vm::of(state).memory_bytes()) / kKilo);
      return 1;
    }
    default: lua_pushboolean(state, lua_gc(state, LUA_GCSTEP, 0)); return 1;
  }
}

int say(lua_State* state) {
  std::string_view line = text_at(state, -1);
  const Vm& vm = Vm::of(state);
  if (vm.options().print) vm.options().print(std::string(line));
  return 0;
}

int print(lua_State* state) {
  const int count = lua_gettop(state);
  luaL_Buffer line;
  luaL_buffinit(state, &line);
  for (int i = 1; i <= count; ++i) {
    if (i > 1) luaL_addchar(&line, '\t');
    luaL_tolstring(state, i, nullptr);
    luaL_addvalue(&line);
  }
  luaL_pushresult(&line);
  return guarded<&say>(state);
}

// ---- require

// Pushes the text of the module at 1 and its path, or what is wrong as the last of three.
int push_module(lua_State* state) {
  Vm& vm = Vm::of(state);
  std::string refusal = "there are no modules here";
  const std::string* text = nullptr;
  std::string path;
  if (vm.options().sources != nullptr) {
    path = vm.options().sources->find_module(text_at(state, 1), refusal);
    if (!path.empty()) text = vm.options().sources->read(path, refusal);
  }
  if (text == nullptr) throw std::runtime_error(refusal);
  // It stays where it is as long as the sources do; the path is kept by the state.
  vm.note(0, path.substr(vm.options().sources->folder().size() + 1));
  lua_pushlightuserdata(state, const_cast<std::string*>(text));
  return 1;
}

int require_module(lua_State* state) {
  text_argument(state, 1);
  lua_settop(state, 1);
  lua_rawgetp(state, LUA_REGISTRYINDEX, kLoadedTable);
  lua_pushvalue(state, 1);
  if (lua_rawget(state, 2) != LUA_TNIL) {
    if (is_null(state, 3)) {
      return luaL_error(state, "module '%s' requires itself", lua_tostring(state, 1));
    }
    return 1;
  }
  lua_settop(state, 2);
  guarded<&push_module>(state);
  const auto& text = *static_cast<const std::string*>(lua_touserdata(state, 3));
  lua_pushfstring(state, "@%s", Vm::of(state).noted().c_str());
  if (luaL_loadbufferx(state, text.data(), text.size(), lua_tostring(state, 4), "t") != LUA_OK) {
    return lua_error(state);
  }
  lua_pushvalue(state, 1);
  push_null(state);
  lua_rawset(state, 2);
  lua_pushvalue(state, 1);
  const int status = lua_pcall(state, 1, 1, 0);
  if (status == LUA_OK && lua_isnil(state, -1)) {
    lua_pop(state, 1);
    lua_pushboolean(state, 1);
  }
  lua_pushvalue(state, 1);
  if (status == LUA_OK) {
    lua_pushvalue(state, -2);
  } else {
    lua_pushnil(state);
  }
  lua_rawset(state, 2);
  return status == LUA_OK ? 1 : lua_error(state);
}

// ---- What is there

void remove(lua_State* state, const char* name) {
  lua_pushnil(state);
  lua_setfield(state, -2, name);
}

void open(lua_State* state, const char* name, lua_CFunction function) {
  luaL_requiref(state, name, function, 1);
}

// A table of those functions of the library on top of the stack that are named; replaces it.
void choose(lua_State* state, const char* const* names) {
  lua_newtable(state);
  for (; *names != nullptr; ++names) {
    lua_getfield(state, -2, *names);
    lua_setfield(state, -2, *names);
  }
  lua_remove(state, -2);
}

void open_coroutines(lua_State* state) {
  open(state, "coroutine", luaopen_coroutine);
  static const luaL_Reg kOwn[] = {{"resume", &CoroutineFunctions::resume},
                                  {"wrap", &CoroutineFunctions::wrap},
                                  {"yield", &CoroutineFunctions::yield},
                                  {"close", &CoroutineFunctions::close},
                                  {nullptr, nullptr}};
  luaL_setfuncs(state, kOwn, 0);
  lua_pop(state, 1);
}

int describe_error(lua_State* state) {
  lua_getfield(state, 1, "message");
  return 1;
}

}  // namespace

int open_libraries(lua_State* state) {
  lua_settop(state, 0);
  open(state, "_G", luaopen_base);
  for (const char* name : {"dofile", "loadfile", "warn"}) remove(state, name);
  static const luaL_Reg kAround[] = {
      {"load", &load_text}, {"setmetatable", &set_metatable}, {"xpcall", &call_protected}};
  for (const luaL_Reg& own : kAround) {
    lua_getfield(state, -1, own.name);
    lua_pushcclosure(state, own.func, 1);
    lua_setfield(state, -2, own.name);
  }
  static const luaL_Reg kOwn[] = {{"collectgarbage", &collect_garbage},
                                  {"print", &print},
                                  {"require", &require_module},
                                  {nullptr, nullptr}};
  luaL_setfuncs(state, kOwn, 0);
  open(state, "table", luaopen_table);
  open(state, "math", luaopen_math);
  open(state, "utf8", luaopen_utf8);
  open(state, "string", luaopen_string);
  remove(state, "dump");
  open_coroutines(state);

  static const char* const kOfOs[] = {"clock", "date", "difftime", "getenv", "time", nullptr};
  open(state, "os", luaopen_os);
  choose(state, kOfOs);
  lua_setglobal(state, "os");
  static const char* const kOfDebug[] = {"traceback", nullptr};
  open(state, "debug", luaopen_debug);
  choose(state, kOfDebug);
  lua_setglobal(state, "debug");

  lua_newtable(state);
  lua_rawsetp(state, LUA_REGISTRYINDEX, kLoadedTable);
  luaL_newmetatable(state, kErrorMetatable);
  lua_pushcfunction(state, &describe_error);
  lua_setfield(state, -2, "__tostring");
  lua_pushboolean(state, 0);
  lua_setfield(state, -2, "__metatable");
  open_values(state);
  lua_settop(state, 0);
  return 0;
}

}  // namespace weft::exec::lua
