// What functions that Lua calls are made of.
//
// The rule of lua_api.hpp: where one may raise an error of Lua's, nothing with a destructor is
// alive; what is C++ stands in a scope of its own, whose exceptions guarded() turns into errors.
#pragma once

#include <exception>
#include <string_view>

#include "exec/lua/vm.hpp"
#include "weft/http_error.hpp"

namespace weft::exec::lua {

// A function of C that may throw: what it throws becomes an error that says where the script was.
template <lua_CFunction function>
int guarded(lua_State* state) {
  try {
    return function(state);
  } catch (const HttpError& error) {
    Vm::of(state).note(error.status(), error.what());
  } catch (const std::exception& error) {
    Vm::of(state).note(0, error.what());
  }
  return Vm::raise_noted(state);
}

// An argument that is text, or a number in its place.
inline std::string_view text_argument(lua_State* state, int index) {
  std::size_t size = 0;
  const char* const text = luaL_checklstring(state, index, &size);
  return {text, size};
}

// The same, once it is known to be one.
inline std::string_view text_at(lua_State* state, int index) noexcept {
  std::size_t size = 0;
  const char* const text = lua_tolstring(state, index, &size);
  return text != nullptr ? std::string_view(text, size) : std::string_view();
}

inline std::string_view text_argument_or(lua_State* state, int index, std::string_view fallback) {
  return lua_isnoneornil(state, index) ? fallback : text_argument(state, index);
}

inline void push_text(lua_State* state, std::string_view text) {
  lua_pushlstring(state, text.data(), text.size());
}

// Takes the members of a table of options by name. What is left over is a mistake of the script's,
// which must not pass in silence; end() raises it. May raise errors, so nothing with a destructor
// may be alive.
class OptionTable {
 public:
  // Of an argument that may be missing.
  OptionTable(lua_State* state, int index, const char* whose) noexcept;

  // Whether it has that name; then the value is on top of the stack, to be popped.
  bool push(const char* name);
  // Raises an error for a name that nobody has asked for.
  void end();
  bool boolean(const char* name, bool fallback);
  lua_Integer integer(const char* name, lua_Integer fallback, lua_Integer lowest,
                      lua_Integer highest);
  // Seconds, as everywhere in scripts.
  lua_Number seconds(const char* name, lua_Number fallback);
  // Good for as long as the table has it.
  std::string_view text(const char* name, std::string_view fallback);

 private:
  static constexpr int kMostNames = 24;

  lua_State* state_;
  int index_;
  const char* whose_;
  const char* asked_[kMostNames];
  int count_ = 0;
};

}  // namespace weft::exec::lua
