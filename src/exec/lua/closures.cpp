#include "exec/lua/closures.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "exec/lua/functions.hpp"
#include "exec/lua/libraries.hpp"
#include "exec/lua/values.hpp"

namespace weft::exec::lua {

namespace {

// Leaves the stack as it found it, however that ends.
class KeptTop {
 public:
  explicit KeptTop(lua_State* state) noexcept : state_(state), top_(lua_gettop(state)) {}
  ~KeptTop() { lua_settop(state_, top_); }
  KeptTop(const KeptTop&) = delete;
  KeptTop& operator=(const KeptTop&) = delete;

 private:
  lua_State* state_;
  int top_;
};

int append_code(lua_State* /*state*/, const void* block, std::size_t size, void* into) {
  try {
    static_cast<std::string*>(into)->append(static_cast<const char*>(block), size);
    return 0;
  } catch (const std::bad_alloc&) {
    return 1;
  }
}

// The name of the entry of the table on top of the stack whose value is the one at `index`.
// Of those that `fits` takes.
template <class Fits>
std::optional<std::string> name_in_table(lua_State* state, int index, const Fits& fits) {
  const int table = lua_gettop(state);
  lua_pushnil(state);
  while (lua_next(state, table) != 0) {
    if (lua_type(state, -2) == LUA_TSTRING && lua_rawequal(state, -1, index) != 0 &&
        fits(text_at(state, -2))) {
      std::string name(text_at(state, -2));
      lua_settop(state, table);
      return name;
    }
    lua_pop(state, 1);
  }
  return std::nullopt;
}

bool is_any(std::string_view /*name*/) noexcept { return true; }

// Pushes the table of that name in the table on top of the stack, if there is one. By looking
// through it: to make the name a string of Lua's may raise an error.
bool push_table_in(lua_State* state, std::string_view name) noexcept {
  const int table = lua_gettop(state);
  lua_pushnil(state);
  while (lua_next(state, table) != 0) {
    if (lua_type(state, -2) == LUA_TSTRING && text_at(state, -2) == name &&
        lua_istable(state, -1)) {
      lua_replace(state, -2);
      return true;
    }
    lua_pop(state, 1);
  }
  return false;
}

// Whether the table at an index has a metatable that does something: those that only say what kind
// of value a table is have these two alone.
bool has_behaviour(lua_State* state, int index) noexcept {
  if (lua_getmetatable(state, index) == 0) return false;
  const int metatable = lua_gettop(state);
  bool does_something = false;
  lua_pushnil(state);
  while (!does_something && lua_next(state, metatable) != 0) {
    const std::string_view name =
        lua_type(state, -2) == LUA_TSTRING ? text_at(state, -2) : std::string_view();
    does_something = name != "__name" && name != "__metatable";
    lua_pop(state, 1);
  }
  lua_settop(state, metatable - 1);
  return does_something;
}

// Where one such is in a table that a value was made of, which is no cycle therefore: "[3].inner",
// and "" for the table itself.
std::optional<std::string> find_behaviour(lua_State* state, int index) {
  if (lua_checkstack(state, 8) == 0) throw std::bad_alloc();
  if (has_behaviour(state, index)) return std::string();
  const KeptTop kept(state);
  lua_pushnil(state);
  while (lua_next(state, index) != 0) {
    if (lua_istable(state, -1)) {
      if (auto path = find_behaviour(state, lua_gettop(state))) {
        const std::string step =
            lua_type(state, -2) == LUA_TSTRING
                ? "." + std::string(text_at(state, -2))
                : "[" + std::to_string(lua_tointegerx(state, -2, nullptr)) + "]";
        return step + *path;
      }
    }
    lua_pop(state, 1);
  }
  return std::nullopt;
}

class Reader {
 public:
  Reader(lua_State* state, const ClosureLimits& limits, FindThing find_thing) noexcept
      : state_(state), limits_(limits), find_thing_(find_thing) {}

  // The number of the function at an index; nothing: it is refused.
  std::optional<std::size_t> read(int index, std::size_t depth) {
    index = lua_absindex(state_, index);
    const void* const known = lua_topointer(state_, index);
    if (const auto found = numbers_.find(known); found != numbers_.end()) return found->second;
    if (lua_iscfunction(state_, index) != 0) {
      return refuse("is a function of C, which belongs to its state: call it by its name");
    }
    if (closure_.functions.size() >= limits_.functions) {
      return refuse("is one of more than " + std::to_string(limits_.functions) + " functions");
    }
    if (depth >= limits_.depth || lua_checkstack(state_, 12) == 0) {
      return refuse("is a function too far from the first");
    }
    const std::size_t number = closure_.functions.size();
    closure_.functions.emplace_back();
    numbers_.emplace(known, number);
    if (!read_code(index, closure_.functions[number].code)) return std::nullopt;
    for (int place = 1;; ++place) {
      const char* const name = lua_getupvalue(state_, index, place);
      if (name == nullptr) return number;
      const void* const id = lua_upvalueid(state_, index, place);
      const auto cell = read_cell(id, number, static_cast<std::size_t>(place - 1), depth);
      lua_pop(state_, 1);
      if (!cell) {
        path_ = name + (path_.empty() || path_.front() == '[' ? path_ : "." + path_);
        return std::nullopt;
      }
      closure_.functions[number].cells.push_back(*cell);
    }
  }

  SendableClosure closure() && { return std::move(closure_); }
  ValueRefusal refusal() && {
    return {path_.empty() ? "the function" : std::move(path_), std::move(reason_)};
  }

 private:
  std::nullopt_t refuse(std::string reason) {
    reason_ = std::move(reason);
    return std::nullopt;
  }

  bool read_code(int index, std::string& code) {
    const int top = lua_gettop(state_);
    lua_pushvalue(state_, index);
    // With the names and lines, for what is said when it fails.
    const int failed = lua_dump(state_, &append_code, &code, 0);
    lua_settop(state_, top);
    if (failed != 0) throw std::bad_alloc();
    code_bytes_ += code.size();
    if (code_bytes_ <= limits_.code_bytes) return true;
    refuse("has more than " + std::to_string(limits_.code_bytes) + " bytes of code");
    return false;
  }

  // What is on top of the stack.
  std::optional<std::size_t> read_cell(const void* id, std::size_t function, std::size_t place,
                                       std::size_t depth) {
    if (const auto found = cell_numbers_.find(id); found != cell_numbers_.end()) {
      return found->second;
    }
    const std::size_t number = closure_.cells.size();
    closure_.cells.push_back({{}, function, place});
    cell_numbers_.emplace(id, number);
    auto content = read_content(depth);
    if (!content) return std::nullopt;
    closure_.cells[number].content = std::move(*content);
    return number;
  }

  using Content = decltype(SendableClosure::Cell::content);

  std::optional<Content> read_content(std::size_t depth) {
    const int index = lua_gettop(state_);
    switch (lua_type(state_, index)) {
      case LUA_TFUNCTION: {
        const auto number = read(index, depth + 1);
        if (!number) return std::nullopt;
        return Content(SendableClosure::Function{*number});
      }
      case LUA_TTABLE: {
        if (is_globals(index)) return Content(SendableClosure::Globals{});
        if (auto name = module_name(index)) {
          return Content(SendableClosure::Module{std::move(*name)});
        }
        return read_value(index);
      }
      case LUA_TUSERDATA:
        if (auto thing = find_thing_ != nullptr ? find_thing_(state_, index) : nullptr) {
          return Content(std::move(thing));
        }
        return read_value(index);
      case LUA_TLIGHTUSERDATA:
        if (is_null(state_, index)) return Content(SendableClosure::Null{});
        return read_value(index);
      default: return read_value(index);
    }
  }

  std::optional<Content> read_value(int index) {
    ValueLimits left = limits_.values;
    left.bytes -= value_bytes_;
    auto read = to_value(state_, index, left);
    if (auto* const refusal = std::get_if<ValueRefusal>(&read)) {
      path_ = refusal->path.substr(1);  // without the "$" of the whole
      if (path_.starts_with('.')) path_.erase(0, 1);
      return refuse(std::move(refusal->reason));
    }
    if (lua_istable(state_, index)) {
      if (auto place = find_behaviour(state_, index)) {
        path_ = std::move(*place);
        if (path_.starts_with('.')) path_.erase(0, 1);
        return refuse("is a table with a metatable, which belongs to its state");
      }
    }
    auto& value = std::get<Value>(read);
    value_bytes_ += std::min(counted_bytes(value), left.bytes);
    return Content(std::move(value));
  }

  bool is_globals(int index) const noexcept {
    lua_rawgeti(state_, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
    const bool same = lua_rawequal(state_, -1, index) != 0;
    lua_pop(state_, 1);
    return same;
  }

  // What `require` gives by that name, a library of Lua's, or a table within a module of weft's:
  // "words", "string", "weft.client".
  std::optional<std::string> module_name(int index) const {
    const KeptTop kept(state_);
    lua_rawgetp(state_, LUA_REGISTRYINDEX, kLoadedTable);
    if (auto name = name_in_table(state_, index, &is_any)) return name;
    if (push_table_in(state_, "weft")) {
      if (auto name = name_in_table(state_, index, &is_any)) return "weft." + *name;
    }
    lua_rawgeti(state_, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
    return name_in_table(state_, index, [](std::string_view name) noexcept {
      return std::ranges::find(kLibraries, name) != kLibraries.end();
    });
  }

  static constexpr std::array<std::string_view, 7> kLibraries{"string",    "table", "math", "utf8",
                                                              "coroutine", "os",    "debug"};

  lua_State* state_;
  const ClosureLimits& limits_;
  FindThing find_thing_;
  SendableClosure closure_;
  std::map<const void*, std::size_t> numbers_;
  std::map<const void*, std::size_t> cell_numbers_;
  std::size_t code_bytes_ = 0;
  std::size_t value_bytes_ = 0;
  std::string path_;
  std::string reason_;
};

// The module that is known by that name, or one that the state loads now.
void push_module(lua_State* state, const std::string& name) {
  constexpr std::string_view kOwn = "weft.";
  lua_rawgetp(state, LUA_REGISTRYINDEX, kLoadedTable);
  push_text(state, name);
  if (lua_rawget(state, -2) != LUA_TNIL) return lua_remove(state, -2);
  lua_pop(state, 1);
  if (name.size() > kOwn.size() && name.compare(0, kOwn.size(), kOwn) == 0) {
    lua_getfield(state, -1, "weft");
    lua_getfield(state, -1, name.c_str() + kOwn.size());
    if (lua_istable(state, -1)) {
      lua_replace(state, -3);
      return lua_pop(state, 1);
    }
    lua_pop(state, 2);
  }
  lua_pop(state, 1);
  if (lua_getglobal(state, name.c_str()) == LUA_TTABLE) return;
  lua_pop(state, 1);
  lua_getglobal(state, "require");
  push_text(state, name);
  lua_call(state, 1, 1);
}

void push_content(lua_State* state, const SendableClosure::Cell& cell, int first_function) {
  if (const auto* const value = std::get_if<Value>(&cell.content)) {
    return push_value(state, *value);
  }
  if (const auto* const module = std::get_if<SendableClosure::Module>(&cell.content)) {
    return push_module(state, module->name);
  }
  if (const auto* const function = std::get_if<SendableClosure::Function>(&cell.content)) {
    return lua_pushvalue(state, first_function + static_cast<int>(function->number));
  }
  if (const auto* const thing = std::get_if<std::shared_ptr<const SendableThing>>(&cell.content)) {
    return (*thing)->push(state);
  }
  if (std::holds_alternative<SendableClosure::Null>(cell.content)) return push_null(state);
  lua_rawgeti(state, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
}

}  // namespace

std::variant<SendableClosure, ValueRefusal> to_closure(lua_State* state, int index,
                                                       const ClosureLimits& limits,
                                                       FindThing find_thing) {
  index = lua_absindex(state, index);
  const KeptTop kept(state);
  Reader reader(state, limits, find_thing);
  if (reader.read(index, 0)) return std::move(reader).closure();
  return std::move(reader).refusal();
}

void push_closure(lua_State* state, const SendableClosure& closure) {
  luaL_checkstack(state, static_cast<int>(closure.functions.size()) + 16, "too many functions");
  const int first = lua_gettop(state) + 1;
  for (const SendableClosure::Code& one : closure.functions) {
    if (luaL_loadbufferx(state, one.code.data(), one.code.size(), "=closure", "b") != LUA_OK) {
      lua_error(state);
    }
  }
  for (std::size_t i = 0; i < closure.functions.size(); ++i) {
    const auto& held = closure.functions[i].cells;
    for (std::size_t place = 0; place < held.size(); ++place) {
      const SendableClosure::Cell& cell = closure.cells[held[place]];
      const int here = first + static_cast<int>(i);
      const int at = static_cast<int>(place) + 1;
      if (cell.function == i && cell.place == place) {
        push_content(state, cell, first);
        lua_setupvalue(state, here, at);
      } else {
        lua_upvaluejoin(state, here, at, first + static_cast<int>(cell.function),
                        static_cast<int>(cell.place) + 1);
      }
    }
  }
  lua_settop(state, first);
}

}  // namespace weft::exec::lua
