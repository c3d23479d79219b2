#include "app/lua/carried_values.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "app/lua/bindings.hpp"

namespace weft::app::lua {

namespace {

const CarriedValue* find(const CarriedValues& values, std::string_view name) noexcept {
  const auto found = std::ranges::find(values, name, &CarriedValue::name);
  return found != values.end() ? &*found : nullptr;
}

struct Keeping {
  Request& request;
  const CarriedValues& values;
};

int keep_all(lua_State* state) {
  const Keeping& keeping = *static_cast<const Keeping*>(lua_touserdata(state, 1));
  Request& request = keeping.request;
  if (request.values == LUA_NOREF) {
    lua_newtable(state);
    request.values = Vm::keep(state);
  }
  lua_rawgeti(state, LUA_REGISTRYINDEX, request.values);
  for (const CarriedValue& one : keeping.values) {
    const auto* const value = std::get_if<exec::Value>(&one.value);
    if (value == nullptr) continue;
    push_text(state, one.name);
    exec::lua::push_value(state, *value);
    lua_rawset(state, -3);
  }
  return 0;
}

}  // namespace

CarriedValues read_values(const Request& request) {
  CarriedValues all;
  if (request.values == LUA_NOREF) return all;
  lua_State* const state = request.state.vm.main();
  const struct Top {
    ~Top() { lua_settop(state, top); }
    lua_State* state;
    int top;
  } kept{state, lua_gettop(state)};
  if (lua_checkstack(state, 8) == 0) throw std::bad_alloc();
  lua_rawgeti(state, LUA_REGISTRYINDEX, request.values);
  const int table = lua_gettop(state);
  lua_pushnil(state);
  while (lua_next(state, table) != 0) {
    if (lua_type(state, -2) == LUA_TSTRING) {
      all.push_back({std::string(text_at(state, -2)),
                     exec::lua::to_value(state, -1, request.state.vm.options().values)});
    }
    lua_pop(state, 1);
  }
  return all;
}

void keep_values(Request& request, const CarriedValues& values) {
  if (values.empty()) return;
  Keeping keeping{request, values};
  if (auto failure = request.state.vm.protect(&keep_all, &keeping)) {
    throw exec::lua::ScriptError(std::move(*failure));
  }
}

CarriedValues changes(const CarriedValues& before, CarriedValues after) {
  CarriedValues changed;
  for (const CarriedValue& old : before) {
    const bool was_carried = std::holds_alternative<exec::Value>(old.value);
    if (was_carried && find(after, old.name) == nullptr) changed.push_back({old.name, {}});
  }
  for (CarriedValue& one : after) {
    if (const auto* const refusal = std::get_if<exec::ValueRefusal>(&one.value)) {
      throw std::runtime_error("what c:set(\"" + one.name +
                               "\", ...) keeps cannot come back from the pool: " + refusal->text());
    }
    const CarriedValue* const old = find(before, one.name);
    const auto* const value = old != nullptr ? std::get_if<exec::Value>(&old->value) : nullptr;
    if (value != nullptr && *value == std::get<exec::Value>(one.value)) continue;
    changed.push_back(std::move(one));
  }
  return changed;
}

const exec::ValueRefusal* find_refusal(const CarriedValues& values,
                                       std::string_view name) noexcept {
  const CarriedValue* const found = find(values, name);
  return found != nullptr ? std::get_if<exec::ValueRefusal>(&found->value) : nullptr;
}

}  // namespace weft::app::lua
