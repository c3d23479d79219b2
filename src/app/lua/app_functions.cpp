// weft.app() and what is declared with it: routes, groups, middleware, words for errors.
#include <array>
#include <stdexcept>
#include <string>

#include "app/lua/bindings.hpp"
#include "weft/middleware/static_files.hpp"

namespace weft::app::lua {

namespace {

constexpr char kAppClass[] = "weft.app";

Group& group_at(lua_State* state) {
  return **static_cast<Group**>(luaL_checkudata(state, 1, kAppClass));
}

// Declarations are made while the script is loaded: all states must have the same.
State& loading_state(lua_State* state) {
  State& own = State::of(state);
  if (!own.loading) {
    luaL_error(state, "routes and middleware are added while the script is loaded, not later");
  }
  return own;
}

void push_group(lua_State* state, Group& group) {
  *static_cast<Group**>(lua_newuserdatauv(state, sizeof(Group*), 0)) = &group;
  luaL_setmetatable(state, kAppClass);
}

void require_link(lua_State* state, int index) {
  if (lua_isfunction(state, index) || middleware_at(state, index) != nullptr) return;
  luaL_argerror(state, index, "a function(c, next) or middleware such as weft.logger()");
}

// The number of the function at an index, which is kept.
std::size_t keep_function(lua_State* state, int index) {
  State& own = State::of(state);
  lua_pushvalue(state, index);
  const int reference = Vm::keep(state);
  own.functions.push_back(reference);
  return own.functions.size() - 1;
}

void add_links(lua_State* state, int first, int last, std::vector<Link>& links) {
  for (int i = first; i <= last; ++i) {
    if (const Middleware* const middleware = middleware_at(state, i)) {
      links.emplace_back(*middleware);
    } else {
      const std::size_t number = keep_function(state, i);
      links.emplace_back(number);
    }
  }
}

std::string whole_pattern(const Group& group, std::string_view pattern) {
  if (pattern.empty() ? group.prefix.empty() : pattern.front() != '/') {
    throw std::invalid_argument("the route \"" + std::string(pattern) +
                                "\": a pattern begins with '/'");
  }
  return group.prefix + std::string(pattern);
}

// What requests below a prefix go through that no route fits.
void note_prefix(State& own, const Group& group) {
  for (PrefixDeclaration& known : own.declared.prefixes) {
    if (known.prefix != group.prefix) continue;
    known.links = group.links;
    return;
  }
  own.declared.prefixes.push_back({group.prefix, group.links});
}

// The arguments from `first` on are middleware, and last a handler.
int add_route(lua_State* state, const char* method, int pattern_index) {
  State& own = loading_state(state);
  const Group& group = group_at(state);
  const std::string_view pattern = text_argument(state, pattern_index);
  const int last = lua_gettop(state);
  if (last <= pattern_index) return luaL_error(state, "a route needs a handler: a function(c)");
  for (int i = pattern_index + 1; i < last; ++i) require_link(state, i);
  luaL_checktype(state, last, LUA_TFUNCTION);
  {
    Declaration route;
    route.method = method;
    route.pattern = whole_pattern(group, pattern);
    route.links = group.links;
    own.declared.routes.push_back(std::move(route));
  }
  Declaration& route = own.declared.routes.back();
  add_links(state, pattern_index + 1, last - 1, route.links);
  route.handler = keep_function(state, last);
  lua_settop(state, 1);
  return 1;
}

constexpr char kGet[] = "GET";
constexpr char kHead[] = "HEAD";
constexpr char kPost[] = "POST";
constexpr char kPut[] = "PUT";
constexpr char kPatch[] = "PATCH";
constexpr char kDelete[] = "DELETE";
constexpr char kOptions[] = "OPTIONS";
constexpr char kAny[] = "";

template <const char* method>
int add_verb(lua_State* state) {
  return add_route(state, method, 2);
}

int add_named(lua_State* state) {
  static const char* const kMethods[] = {kGet,   kHead,   kPost,    kPut,
                                         kPatch, kDelete, kOptions, nullptr};
  return add_route(state, kMethods[luaL_checkoption(state, 2, nullptr, kMethods)], 3);
}

int use(lua_State* state) {
  State& own = loading_state(state);
  Group& group = group_at(state);
  const int last = lua_gettop(state);
  for (int i = 2; i <= last; ++i) require_link(state, i);
  add_links(state, 2, last, group.links);
  note_prefix(own, group);
  lua_settop(state, 1);
  return 1;
}

int add_group(lua_State* state) {
  State& own = loading_state(state);
  const Group& group = group_at(state);
  const std::string_view prefix = text_argument(state, 2);
  const int last = lua_gettop(state);
  for (int i = 3; i <= last; ++i) require_link(state, i);
  {
    std::string longer = whole_pattern(group, prefix);
    if (longer.ends_with('/')) longer.pop_back();
    if (longer.find('*') != std::string::npos) {
      throw std::invalid_argument("the group " + longer +
                                  ": '*' takes the rest of the path, so nothing can follow it");
    }
    own.groups.push_back({std::move(longer), group.links});
  }
  Group& made = own.groups.back();
  add_links(state, 3, last, made.links);
  if (last >= 3) note_prefix(own, made);
  push_group(state, made);
  return 1;
}

// app:files("/assets", "public", {index = …})
int add_files(lua_State* state) {
  State& own = loading_state(state);
  const Group& group = group_at(state);
  const std::string_view path = text_argument(state, 2);
  const std::string_view folder = text_argument(state, 3);
  exec::lua::OptionTable options(state, 4, "app:files()");
  const std::string_view index = options.text("index", "index.html");
  const std::string_view cache_control = options.text("cache_control", {});
  const std::string_view fallback = options.text("fallback", {});
  const bool listing = options.boolean("listing", false);
  const bool precompressed = options.boolean("precompressed", false);
  options.end();
  {
    StaticOptions wanted;
    wanted.index.clear();
    if (!index.empty()) wanted.index.emplace_back(index);
    wanted.cache_control = cache_control;
    wanted.fallback = fallback;
    wanted.listing = listing;
    wanted.precompressed = precompressed;
    const auto handler = file_handler(own.script.beside(folder), wanted);
    std::string base = whole_pattern(group, path);
    while (base.ends_with('/')) base.pop_back();
    const auto add = [&](const std::string& pattern) {
      own.declared.routes.push_back({kGet, pattern, group.links, Handler(handler)});
    };
    if (!base.empty()) add(base);
    add(base + "/*path");
  }
  lua_settop(state, 1);
  return 1;
}

int keep_words(lua_State* state, std::optional<std::size_t>& words) {
  loading_state(state);
  group_at(state);
  luaL_checktype(state, 2, LUA_TFUNCTION);
  words = keep_function(state, 2);
  lua_settop(state, 1);
  return 1;
}

int set_not_found(lua_State* state) {
  return keep_words(state, State::of(state).declared.not_found);
}
int set_method_not_allowed(lua_State* state) {
  return keep_words(state, State::of(state).declared.method_not_allowed);
}
int set_on_error(lua_State* state) { return keep_words(state, State::of(state).declared.on_error); }

// app:listen(8080) or app:listen{port = 8080, host = "0.0.0.0"}: what `weft serve` takes unless a
// setting says otherwise.
int set_address(lua_State* state) {
  constexpr lua_Integer kMostPort = 65'535;
  State& own = loading_state(state);
  group_at(state);
  lua_Integer port = 0;
  std::string_view host;
  if (lua_istable(state, 2)) {
    exec::lua::OptionTable options(state, 2, "app:listen()");
    port = options.integer("port", 8080, 0, kMostPort);
    host = options.text("host", {});
    options.end();
  } else {
    port = luaL_checkinteger(state, 2);
    luaL_argcheck(state, port >= 0 && port <= kMostPort, 2, "a port is a number up to 65535");
  }
  own.declared.port = static_cast<std::uint16_t>(port);
  own.declared.host = host;
  lua_settop(state, 1);
  return 1;
}

// A route that computes for long. It is answered in place until there is a pool for it.
int set_worker(lua_State* state) {
  State& own = loading_state(state);
  group_at(state);
  if (own.declared.routes.empty()) return luaL_error(state, "worker() stands behind a route");
  {
    const Declaration& route = own.declared.routes.back();
    own.script.log("the route " + route.pattern +
                   " is answered by the worker that accepts its client, since there is no pool for "
                   "scripts: what it computes holds up others there");
  }
  lua_settop(state, 1);
  return 1;
}

int make_app(lua_State* state) {
  State& own = loading_state(state);
  push_group(state, own.groups.front());
  return 1;
}

}  // namespace

void open_app(lua_State* state) {
  static const luaL_Reg kMethods[] = {
      {"get", &guarded<&add_verb<kGet>>},
      {"head", &guarded<&add_verb<kHead>>},
      {"post", &guarded<&add_verb<kPost>>},
      {"put", &guarded<&add_verb<kPut>>},
      {"patch", &guarded<&add_verb<kPatch>>},
      {"delete", &guarded<&add_verb<kDelete>>},
      {"options", &guarded<&add_verb<kOptions>>},
      {"any", &guarded<&add_verb<kAny>>},
      {"route", &guarded<&add_named>},
      {"use", &guarded<&use>},
      {"group", &guarded<&add_group>},
      {"files", &guarded<&add_files>},
      {"not_found", &guarded<&set_not_found>},
      {"method_not_allowed", &guarded<&set_method_not_allowed>},
      {"on_error", &guarded<&set_on_error>},
      {"listen", &guarded<&set_address>},
      {"worker", &guarded<&set_worker>},
      {nullptr, nullptr},
  };
  make_class(state, kAppClass, kMethods);
  lua_pushcfunction(state, &guarded<&make_app>);
  lua_setfield(state, -2, "app");
}

}  // namespace weft::app::lua
