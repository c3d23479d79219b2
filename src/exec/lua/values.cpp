#include "exec/lua/values.hpp"

#include <array>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace weft::exec::lua {

namespace {

// Their addresses are the keys of the metatables in the registry.
const char kListKey = 0;
const char kTupleKey = 0;
const char kTaggedKey = 0;
const char kFunctionKey = 0;

constexpr std::size_t kDepthMost = 200;

void make_metatable(lua_State* state, const void* key, const char* name) {
  lua_createtable(state, 0, 2);
  lua_pushstring(state, name);
  lua_setfield(state, -2, "__name");
  // Nobody makes another table of it, or changes what all of its kind share.
  lua_pushboolean(state, 0);
  lua_setfield(state, -2, "__metatable");
  lua_rawsetp(state, LUA_REGISTRYINDEX, key);
}

void set_kind(lua_State* state, const void* key) {
  lua_rawgetp(state, LUA_REGISTRYINDEX, key);
  lua_setmetatable(state, -2);
}

bool is_kind(lua_State* state, int index, const void* key) noexcept {
  if (lua_getmetatable(state, index) == 0) return false;
  lua_rawgetp(state, LUA_REGISTRYINDEX, key);
  const bool same = lua_rawequal(state, -1, -2) != 0;
  lua_pop(state, 2);
  return same;
}

class Reader {
 public:
  Reader(lua_State* state, const ValueLimits& limits) noexcept : state_(state), limits_(limits) {}

  // Nothing: it is refused.
  std::optional<Value> read(int index) {
    if (!count(kValueNodeBytes)) return std::nullopt;
    switch (lua_type(state_, index)) {
      case LUA_TNIL: return Value();
      case LUA_TBOOLEAN: return Value(lua_toboolean(state_, index) != 0);
      case LUA_TNUMBER:
        if (lua_isinteger(state_, index) != 0) {
          return Value(static_cast<std::int64_t>(lua_tointegerx(state_, index, nullptr)));
        }
        return Value(static_cast<double>(lua_tonumberx(state_, index, nullptr)));
      case LUA_TSTRING: return read_string(index);
      case LUA_TTABLE: return read_table(lua_absindex(state_, index));
      case LUA_TLIGHTUSERDATA:
        if (is_null(state_, index)) return Value();
        return refuse("is a userdata, which belongs to its state");
      case LUA_TFUNCTION: return refuse("is a function, which belongs to its state");
      case LUA_TTHREAD: return refuse("is a coroutine, which belongs to its state");
      default: return refuse("is a userdata, which belongs to its state");
    }
  }

  ValueRefusal refusal() && { return {"$" + path_, std::move(reason_)}; }

 private:
  std::nullopt_t refuse(std::string reason) {
    reason_ = std::move(reason);
    return std::nullopt;
  }
  std::nullopt_t refused_in(const std::string& step) {
    path_ = step + path_;
    return std::nullopt;
  }

  bool count(std::size_t bytes) {
    if (bytes <= limits_.bytes - counted_) {
      counted_ += bytes;
      return true;
    }
    refuse("is beyond the " + std::to_string(limits_.bytes) + " bytes that a value may have");
    return false;
  }

  std::optional<Value> read_string(int index) {
    std::size_t size = 0;
    const char* const text = lua_tolstring(state_, index, &size);
    if (!count(size)) return std::nullopt;
    std::string copy(text, size);
    if (is_text(copy)) return Value(std::move(copy));
    return Value(Bytes{std::move(copy)});
  }

  std::optional<Value> read_table(int index) {
    const void* const table = lua_topointer(state_, index);
    for (std::size_t i = 0; i < depth_; ++i) {
      if (around_[i] == table) return refuse("is a table that it is in itself: a cycle");
    }
    if (depth_ >= limits_.depth || depth_ >= kDepthMost) {
      return refuse("is deeper than the " + std::to_string(limits_.depth) + " levels allowed");
    }
    if (lua_checkstack(state_, 8) == 0) return refuse("needs more stack than Lua has");
    around_[depth_++] = table;
    std::optional<Value> value = read_contents(index);
    --depth_;
    return value;
  }

  std::optional<Value> read_contents(int index) {
    if (is_kind(state_, index, &kTaggedKey)) return read_tagged(index);
    if (is_kind(state_, index, &kFunctionKey)) return read_function(index);
    const bool is_tuple = is_kind(state_, index, &kTupleKey);
    const lua_Integer length = list_length(state_, index);
    const bool is_list = length > 0 || is_kind(state_, index, &kListKey);
    if (!is_tuple && !is_list) return read_record(index);
    if (length < 0) return refuse("is a list with keys that are not 1 to its length");
    ValueList items;
    for (lua_Integer i = 1; i <= length; ++i) {
      lua_rawgeti(state_, index, i);
      std::optional<Value> item = read(-1);
      lua_pop(state_, 1);
      if (!item) return refused_in("[" + std::to_string(i) + "]");
      items.push_back(std::move(*item));
    }
    if (is_tuple) return Value(Tuple{std::move(items)});
    return Value(std::move(items));
  }

  std::optional<Value> read_record(int index) {
    std::vector<Record::Member> members;
    lua_pushnil(state_);
    while (lua_next(state_, index) != 0) {
      if (lua_type(state_, -2) != LUA_TSTRING) {
        lua_pop(state_, 2);
        return refuse("has keys that are neither names alone nor 1 to its length");
      }
      std::size_t size = 0;
      const char* const text = lua_tolstring(state_, -2, &size);
      std::string name(text, size);
      std::optional<Value> member;
      if (count(size)) member = read(-1);
      if (!member) {
        lua_pop(state_, 2);
        return refused_in("." + name);
      }
      lua_pop(state_, 1);
      members.emplace_back(std::move(name), std::move(*member));
    }
    return Value(Record(std::move(members)));
  }

  std::optional<Value> read_tagged(int index) {
    lua_rawgeti(state_, index, 1);
    std::optional<Value> tag = read(-1);
    lua_rawgeti(state_, index, 2);
    std::optional<Value> value = read(-1);
    lua_pop(state_, 2);
    if (!tag || !value) return refused_in("[2]");
    const auto* const text = tag->get_if<std::string>();
    if (text == nullptr) return refuse("is a tagged value whose tag is no text");
    return Value(Tagged{*text, std::make_shared<const Value>(std::move(*value))});
  }

  std::optional<Value> read_function(int index) {
    lua_rawgeti(state_, index, 1);
    std::optional<Value> name = read(-1);
    lua_pop(state_, 1);
    const auto* const text = name ? name->get_if<std::string>() : nullptr;
    if (text == nullptr) return refuse("is a reference to a function without a name");
    return Value(FunctionReference{*text});
  }

  lua_State* state_;
  const ValueLimits& limits_;
  std::size_t counted_ = 0;
  std::size_t depth_ = 0;
  std::array<const void*, kDepthMost> around_;
  std::string path_;
  std::string reason_;
};

void push_items(lua_State* state, const ValueList& items, std::size_t depth);

void push_at(lua_State* state, const Value& value, std::size_t depth) {
  if (depth > kDepthMost) luaL_error(state, "a value is too deep");
  luaL_checkstack(state, 8, "a value is too deep");
  switch (value.kind()) {
    case Value::Kind::null:
      if (depth == 0) {
        lua_pushnil(state);
      } else {
        push_null(state);
      }
      return;
    case Value::Kind::boolean: return lua_pushboolean(state, *value.get_if<bool>() ? 1 : 0);
    case Value::Kind::integer: return lua_pushinteger(state, *value.get_if<std::int64_t>());
    case Value::Kind::number: return lua_pushnumber(state, *value.get_if<double>());
    case Value::Kind::string: {
      const auto& text = *value.get_if<std::string>();
      lua_pushlstring(state, text.data(), text.size());
      return;
    }
    case Value::Kind::bytes: {
      const auto& bytes = value.get_if<Bytes>()->bytes;
      lua_pushlstring(state, bytes.data(), bytes.size());
      return;
    }
    case Value::Kind::list:
      push_items(state, *value.get_if<ValueList>(), depth);
      return set_kind(state, &kListKey);
    case Value::Kind::tuple:
      push_items(state, value.get_if<Tuple>()->items, depth);
      return set_kind(state, &kTupleKey);
    case Value::Kind::record: {
      const auto& members = value.get_if<Record>()->members();
      lua_createtable(state, 0, static_cast<int>(members.size()));
      for (const auto& [name, member] : members) {
        lua_pushlstring(state, name.data(), name.size());
        push_at(state, member, depth + 1);
        lua_rawset(state, -3);
      }
      return;
    }
    case Value::Kind::tagged: {
      const auto& tagged = *value.get_if<Tagged>();
      lua_createtable(state, 2, 0);
      lua_pushlstring(state, tagged.tag.data(), tagged.tag.size());
      lua_rawseti(state, -2, 1);
      push_at(state, *tagged.value, depth + 1);
      lua_rawseti(state, -2, 2);
      return set_kind(state, &kTaggedKey);
    }
    case Value::Kind::function: {
      const auto& name = value.get_if<FunctionReference>()->name;
      lua_createtable(state, 1, 0);
      lua_pushlstring(state, name.data(), name.size());
      lua_rawseti(state, -2, 1);
      return set_kind(state, &kFunctionKey);
    }
  }
}

void push_items(lua_State* state, const ValueList& items, std::size_t depth) {
  lua_createtable(state, static_cast<int>(items.size()), 0);
  lua_Integer index = 0;
  for (const Value& item : items) {
    push_at(state, item, depth + 1);
    lua_rawseti(state, -2, ++index);
  }
}

}  // namespace

void open_values(lua_State* state) {
  make_metatable(state, &kListKey, "list");
  make_metatable(state, &kTupleKey, "tuple");
  make_metatable(state, &kTaggedKey, "tagged");
  make_metatable(state, &kFunctionKey, "function reference");
}

std::variant<Value, ValueRefusal> to_value(lua_State* state, int index, const ValueLimits& limits) {
  if (lua_checkstack(state, 8) == 0) return ValueRefusal{"$", "needs more stack than Lua has"};
  const int top = lua_gettop(state);
  Reader reader(state, limits);
  std::optional<Value> value = reader.read(lua_absindex(state, index));
  lua_settop(state, top);
  if (value) return std::move(*value);
  return std::move(reader).refusal();
}

void push_value(lua_State* state, const Value& value) { push_at(state, value, 0); }

void push_null(lua_State* state) { lua_pushlightuserdata(state, nullptr); }

bool is_null(lua_State* state, int index) noexcept {
  return lua_islightuserdata(state, index) && lua_touserdata(state, index) == nullptr;
}

void mark_list(lua_State* state) { set_kind(state, &kListKey); }

bool is_marked_list(lua_State* state, int index) noexcept {
  return is_kind(state, index, &kListKey);
}

lua_Integer list_length(lua_State* state, int index) noexcept {
  const auto length = static_cast<lua_Integer>(lua_rawlen(state, index));
  index = lua_absindex(state, index);
  // The border is one of several where there are holes, so the keys are counted.
  lua_Integer keys = 0;
  lua_pushnil(state);
  while (lua_next(state, index) != 0) {
    lua_pop(state, 1);
    const bool fits = lua_isinteger(state, -1) != 0 && lua_tointegerx(state, -1, nullptr) >= 1 &&
                      lua_tointegerx(state, -1, nullptr) <= length;
    if (!fits) {
      lua_pop(state, 1);
      return -1;
    }
    ++keys;
  }
  return keys == length ? length : -1;
}

}  // namespace weft::exec::lua
