// weft.json, weft.null and weft.list: JSON, and what Lua has no value of its own for.
#include <array>
#include <charconv>
#include <cmath>
#include <stdexcept>
#include <string>
#include <variant>

#include "app/lua/bindings.hpp"
#include "weft/json.hpp"
#include "weft/json_document.hpp"

namespace weft::app::lua {

namespace {

// Tables within one another, as JsonLimits has it for what is read.
constexpr int kDepth = 64;
// Of one text. A table that is in itself many times over is short and its text is not.
constexpr std::size_t kMostBytes = std::size_t{64} * 1024 * 1024;

class Writer {
 public:
  Writer(lua_State* state, std::string& out) noexcept : state_(state), out_(out) {}

  void write(int index) {
    if (out_.size() > kMostBytes) {
      throw std::invalid_argument("a value has more than 64 MiB of JSON");
    }
    switch (lua_type(state_, index)) {
      case LUA_TNIL: out_ += "null"; return;
      case LUA_TBOOLEAN: out_ += lua_toboolean(state_, index) != 0 ? "true" : "false"; return;
      case LUA_TNUMBER: return write_number(index);
      case LUA_TSTRING: return write_text(text_at(state_, index));
      case LUA_TTABLE: return write_table(lua_absindex(state_, index));
      default:
        if (exec::lua::is_null(state_, index)) {
          out_ += "null";
          return;
        }
        throw std::invalid_argument(std::string("a ") + luaL_typename(state_, index) +
                                    " has no JSON");
    }
  }

 private:
  void write_number(int index) {
    std::array<char, 32> digits;
    std::to_chars_result end{};
    if (lua_isinteger(state_, index) != 0) {
      end = std::to_chars(digits.data(), digits.data() + digits.size(),
                          static_cast<std::int64_t>(lua_tointegerx(state_, index, nullptr)));
    } else {
      const double number = lua_tonumberx(state_, index, nullptr);
      // As the rest of weft has it.
      if (!std::isfinite(number)) {
        out_ += "null";
        return;
      }
      end = std::to_chars(digits.data(), digits.data() + digits.size(), number);
    }
    out_.append(digits.data(), end.ptr);
  }

  void write_text(std::string_view text) { write_json(JsonValue(text), out_); }

  void write_table(int index) {
    if (++depth_ > kDepth) {
      throw std::invalid_argument(
          "a table is deeper than 64 levels, or in itself, and has no JSON");
    }
    if (lua_checkstack(state_, 6) == 0) throw std::invalid_argument("a table is too deep");
    // Without an element 1 it is no list, unless it is said to be one: keys need not be counted.
    const bool may_be_list = lua_rawlen(state_, index) > 0;
    const lua_Integer length = may_be_list ? exec::lua::list_length(state_, index) : 0;
    if (length > 0 || (!may_be_list && exec::lua::is_marked_list(state_, index))) {
      write_list(index, length);
    } else {
      write_object(index);
    }
    --depth_;
  }

  void write_list(int index, lua_Integer length) {
    out_ += '[';
    for (lua_Integer i = 1; i <= length; ++i) {
      if (i > 1) out_ += ',';
      lua_rawgeti(state_, index, i);
      write(-1);
      lua_pop(state_, 1);
    }
    out_ += ']';
  }

  void write_object(int index) {
    out_ += '{';
    bool first = true;
    lua_pushnil(state_);
    while (lua_next(state_, index) != 0) {
      if (!first) out_ += ',';
      first = false;
      write_key();
      out_ += ':';
      write(-1);
      lua_pop(state_, 1);
    }
    out_ += '}';
  }

  // The key below the value on top. A number is not made text in its place, or its table's
  // traversal would lose its way.
  void write_key() {
    switch (lua_type(state_, -2)) {
      case LUA_TSTRING: return write_text(text_at(state_, -2));
      case LUA_TNUMBER:
        out_ += '"';
        write_number(-2);
        out_ += '"';
        return;
      default:
        throw std::invalid_argument(std::string("a key that is a ") + luaL_typename(state_, -2) +
                                    " has no JSON");
    }
  }

  lua_State* state_;
  std::string& out_;
  int depth_ = 0;
};

int encode(lua_State* state) {
  luaL_checkany(state, 1);
  std::string& text = State::of(state).text;
  text.clear();
  write_json_of(state, 1, text);
  push_text(state, text);
  return 1;
}

// The value, or nil and what is wrong with the text.
int decode(lua_State* state) {
  const std::string_view text = text_argument(state, 1);
  State& own = State::of(state);
  {
    auto parsed = JsonDocument::parse(text);
    if (const auto* const error = std::get_if<JsonError>(&parsed)) {
      own.document = nullptr;
      own.text = error->text();
    } else {
      own.document = std::make_shared<JsonDocument>(std::get<JsonDocument>(std::move(parsed)));
    }
  }
  if (own.document == nullptr) {
    lua_pushnil(state);
    push_text(state, own.text);
    return 2;
  }
  push_json(state, own.document->root());
  own.document = nullptr;
  return 1;
}

int make_list(lua_State* state) {
  if (lua_isnoneornil(state, 1)) {
    lua_settop(state, 0);
    lua_newtable(state);
  }
  luaL_checktype(state, 1, LUA_TTABLE);
  lua_settop(state, 1);
  exec::lua::mark_list(state);
  return 1;
}

void push_list(lua_State* state, const JsonNode& node) {
  lua_createtable(state, static_cast<int>(node.size()), 0);
  lua_Integer index = 0;
  for (const JsonNode element : node.elements()) {
    push_json(state, element);
    // Within a table a null is a value.
    if (lua_isnil(state, -1)) {
      lua_pop(state, 1);
      exec::lua::push_null(state);
    }
    lua_rawseti(state, -2, ++index);
  }
  exec::lua::mark_list(state);
}

void push_object(lua_State* state, const JsonNode& node) {
  lua_createtable(state, 0, static_cast<int>(node.size()));
  for (const JsonNodeMember member : node.members()) {
    push_text(state, member.name);
    push_json(state, member.value);
    if (lua_isnil(state, -1)) {
      lua_pop(state, 1);
      exec::lua::push_null(state);
    }
    lua_rawset(state, -3);
  }
}

}  // namespace

void write_json_of(lua_State* state, int index, std::string& out) {
  const int top = lua_gettop(state);
  try {
    Writer(state, out).write(index);
  } catch (...) {
    lua_settop(state, top);
    throw;
  }
}

void push_json(lua_State* state, const JsonNode& node) {
  luaL_checkstack(state, 6, "a document is too deep");
  switch (node.kind()) {
    case JsonNode::Kind::missing:
    case JsonNode::Kind::null: return lua_pushnil(state);
    case JsonNode::Kind::boolean: return lua_pushboolean(state, *node.as_bool() ? 1 : 0);
    case JsonNode::Kind::integer:
      // Beyond 63 bits it is a number, as Lua's own reader has it.
      if (const auto whole = node.as_int()) return lua_pushinteger(state, *whole);
      return lua_pushnumber(state, static_cast<lua_Number>(*node.as_uint()));
    case JsonNode::Kind::number: return lua_pushnumber(state, *node.as_double());
    case JsonNode::Kind::string: return push_text(state, *node.as_string());
    case JsonNode::Kind::array: return push_list(state, node);
    case JsonNode::Kind::object: return push_object(state, node);
  }
}

void open_json(lua_State* state) {
  static const luaL_Reg kFunctions[] = {
      {"encode", &guarded<&encode>}, {"decode", &guarded<&decode>}, {nullptr, nullptr}};
  luaL_newlib(state, kFunctions);
  lua_setfield(state, -2, "json");
  lua_pushcfunction(state, &guarded<&make_list>);
  lua_setfield(state, -2, "list");
  exec::lua::push_null(state);
  lua_setfield(state, -2, "null");
}

}  // namespace weft::app::lua
