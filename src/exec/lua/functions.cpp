#include "exec/lua/functions.hpp"

#include <cstring>

#include "ksvc/core/assert.hpp"

namespace weft::exec::lua {

OptionTable::OptionTable(lua_State* state, int index, const char* whose) noexcept
    : state_(state), index_(0), whose_(whose) {
  if (lua_isnoneornil(state, index)) return;
  luaL_checktype(state, index, LUA_TTABLE);
  index_ = lua_absindex(state, index);
}

bool OptionTable::push(const char* name) {
  WEFT_ASSERT(count_ < kMostNames);
  asked_[count_++] = name;
  if (index_ == 0) return false;
  // Not by __index: what a function gives is nobody's when it is off the stack.
  lua_pushstring(state_, name);
  lua_rawget(state_, index_);
  if (!lua_isnil(state_, -1)) return true;
  lua_pop(state_, 1);
  return false;
}

void OptionTable::end() {
  if (index_ == 0) return;
  lua_pushnil(state_);
  while (lua_next(state_, index_) != 0) {
    lua_pop(state_, 1);
    const char* const name = lua_type(state_, -1) == LUA_TSTRING ? lua_tostring(state_, -1) : "?";
    bool known = false;
    for (int i = 0; i < count_; ++i) known = known || std::strcmp(asked_[i], name) == 0;
    if (!known) luaL_error(state_, "%s has no option '%s'", whose_, name);
  }
}

bool OptionTable::boolean(const char* name, bool fallback) {
  if (!push(name)) return fallback;
  if (!lua_isboolean(state_, -1)) luaL_error(state_, "%s: '%s' is true or false", whose_, name);
  const bool value = lua_toboolean(state_, -1) != 0;
  lua_pop(state_, 1);
  return value;
}

lua_Integer OptionTable::integer(const char* name, lua_Integer fallback, lua_Integer lowest,
                                 lua_Integer highest) {
  if (!push(name)) return fallback;
  int is_integer = 0;
  const lua_Integer value = lua_tointegerx(state_, -1, &is_integer);
  if (is_integer == 0 || value < lowest || value > highest) {
    luaL_error(state_, "%s: '%s' is a whole number from %I to %I", whose_, name,
               static_cast<LUAI_UACINT>(lowest), static_cast<LUAI_UACINT>(highest));
  }
  lua_pop(state_, 1);
  return value;
}

lua_Number OptionTable::seconds(const char* name, lua_Number fallback) {
  if (!push(name)) return fallback;
  int is_number = 0;
  const lua_Number value = lua_tonumberx(state_, -1, &is_number);
  constexpr lua_Number kMost = 1e9;
  if (is_number == 0 || !(value >= 0 && value <= kMost)) {
    luaL_error(state_, "%s: '%s' is a number of seconds", whose_, name);
  }
  lua_pop(state_, 1);
  return value;
}

std::string_view OptionTable::text(const char* name, std::string_view fallback) {
  if (!push(name)) return fallback;
  if (lua_type(state_, -1) != LUA_TSTRING) luaL_error(state_, "%s: '%s' is a text", whose_, name);
  const std::string_view value = text_at(state_, -1);
  lua_pop(state_, 1);
  return value;
}

}  // namespace weft::exec::lua
