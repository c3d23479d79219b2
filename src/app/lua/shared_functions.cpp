// weft.shared(): dictionaries that all workers share.
#include <algorithm>
#include <chrono>
#include <optional>
#include <stdexcept>
#include <variant>

#include "app/lua/bindings.hpp"

namespace weft::app::lua {

namespace {

using exec::SharedDictionary;
using Outcome = SharedDictionary::Outcome;

SharedDictionary& dictionary_at(lua_State* state) {
  return **static_cast<SharedDictionary**>(luaL_checkudata(state, 1, kSharedClass));
}

int get_dictionary(lua_State* state) {
  const std::string_view name = text_argument(state, 1);
  SharedDictionary* const found = &State::of(state).script.shared().dictionary(name);
  *static_cast<SharedDictionary**>(lua_newuserdatauv(state, sizeof found, 0)) = found;
  luaL_setmetatable(state, kSharedClass);
  return 1;
}

// Seconds that a value lasts; none: for good.
SharedDictionary::Clock::duration lasting_at(lua_State* state, int index) {
  if (lua_isnoneornil(state, index)) return {};
  const lua_Number seconds = luaL_checknumber(state, index);
  constexpr lua_Number kMost = 1e9;
  constexpr lua_Number kNanos = 1e9;
  luaL_argcheck(state, seconds > 0 && seconds <= kMost, index, "a number of seconds above 0");
  return std::chrono::duration_cast<SharedDictionary::Clock::duration>(std::chrono::nanoseconds(
      std::max<std::int64_t>(1, static_cast<std::int64_t>(seconds * kNanos))));
}

exec::Value value_at(lua_State* state, int index) {
  auto read = exec::lua::to_value(state, index, Vm::of(state).options().values);
  if (const auto* const refusal = std::get_if<exec::ValueRefusal>(&read)) {
    throw std::invalid_argument("the value cannot be kept: " + refusal->text());
  }
  return std::get<exec::Value>(std::move(read));
}

// True; or nil and why not.
int push_outcome(lua_State* state, Outcome outcome) {
  if (outcome == Outcome::done) {
    lua_pushboolean(state, 1);
    return 1;
  }
  lua_pushnil(state);
  switch (outcome) {
    case Outcome::no_room: lua_pushliteral(state, "no room"); break;
    case Outcome::there: lua_pushliteral(state, "exists"); break;
    case Outcome::no_integer: lua_pushliteral(state, "not an integer"); break;
    case Outcome::not_there:
    case Outcome::done: lua_pushliteral(state, "not found"); break;
  }
  return 2;
}

int get(lua_State* state) {
  SharedDictionary& dictionary = dictionary_at(state);
  const std::string_view name = text_argument(state, 2);
  exec::Value& found = State::of(state).value;
  bool there = false;
  {
    auto value = dictionary.get(name);
    there = value.has_value();
    if (there) found = std::move(*value);
  }
  if (!there) return 0;
  exec::lua::push_value(state, found);
  return 1;
}

int set(lua_State* state) {
  SharedDictionary& dictionary = dictionary_at(state);
  const std::string_view name = text_argument(state, 2);
  luaL_checkany(state, 3);
  const auto lasts = lasting_at(state, 4);
  if (lua_isnil(state, 3)) {
    dictionary.erase(name);
    return push_outcome(state, Outcome::done);
  }
  const Outcome outcome = dictionary.set(name, value_at(state, 3), lasts);
  return push_outcome(state, outcome);
}

int add(lua_State* state) {
  SharedDictionary& dictionary = dictionary_at(state);
  const std::string_view name = text_argument(state, 2);
  luaL_argcheck(state, !lua_isnoneornil(state, 3), 3, "a value that is not nil");
  const auto lasts = lasting_at(state, 4);
  const Outcome outcome = dictionary.add(name, value_at(state, 3), lasts);
  return push_outcome(state, outcome);
}

// shared:incr(name, [by], [from], [seconds]): the sum; or nil and why not.
int increase(lua_State* state) {
  SharedDictionary& dictionary = dictionary_at(state);
  const std::string_view name = text_argument(state, 2);
  const lua_Integer by = luaL_optinteger(state, 3, 1);
  std::optional<std::int64_t> from;
  if (!lua_isnoneornil(state, 4)) from = luaL_checkinteger(state, 4);
  const auto lasts = lasting_at(state, 5);
  std::int64_t sum = 0;
  const Outcome outcome = dictionary.increase(name, by, from, lasts, sum);
  if (outcome != Outcome::done) return push_outcome(state, outcome);
  lua_pushinteger(state, sum);
  return 1;
}

int expire(lua_State* state) {
  SharedDictionary& dictionary = dictionary_at(state);
  const std::string_view name = text_argument(state, 2);
  const auto lasts = lasting_at(state, 3);
  return push_outcome(state, dictionary.expire(name, lasts));
}

int erase(lua_State* state) {
  lua_pushboolean(state, dictionary_at(state).erase(text_argument(state, 2)) ? 1 : 0);
  return 1;
}

int clear(lua_State* state) {
  dictionary_at(state).clear();
  return 0;
}

int size(lua_State* state) {
  lua_pushinteger(state, static_cast<lua_Integer>(dictionary_at(state).size()));
  return 1;
}

}  // namespace

void open_shared(lua_State* state) {
  static const luaL_Reg kMethods[] = {
      {"get", &guarded<&get>},       {"set", &guarded<&set>},       {"add", &guarded<&add>},
      {"incr", &guarded<&increase>}, {"expire", &guarded<&expire>}, {"delete", &guarded<&erase>},
      {"clear", &guarded<&clear>},   {"size", &guarded<&size>},     {nullptr, nullptr},
  };
  make_class(state, kSharedClass, kMethods);
  lua_pushcfunction(state, &guarded<&get_dictionary>);
  lua_setfield(state, -2, "shared");
}

}  // namespace weft::app::lua
