// weft.app() and what is declared with it: routes, groups, middleware, words for errors.
#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "app/lua/bindings.hpp"
#include "weft/middleware/static_files.hpp"

namespace weft::app::lua {

namespace {

Group& group_at(lua_State* state) {
  return **static_cast<Group**>(luaL_checkudata(state, 1, kAppClass));
}

// Declarations are made while the script is loaded: all states must have the same.
State& loading_state(lua_State* state) {
  State& own = State::of(state);
  if (!own.loading) {
    luaL_error(state,
               "groups, middleware and settings are made while the script is loaded, not later; "
               "routes can be added at any time");
  }
  return own;
}

// How requests for a worker route wait: `:worker{ executor =, concurrency =, queue_time = }`.
struct WorkerWish {
  std::string_view executor;
  lua_Integer concurrency = 0;
  lua_Number queue_time = 0;

  WorkerOptions options() const {
    constexpr lua_Number kMillis = 1000;
    WorkerOptions made;
    made.executor = executor;
    made.concurrency = static_cast<unsigned>(concurrency);
    made.queue_time = std::chrono::milliseconds(static_cast<std::int64_t>(queue_time * kMillis));
    return made;
  }
};

WorkerWish worker_wish(lua_State* state, int index) {
  constexpr lua_Integer kMostAtOnce = 1'000'000;
  constexpr lua_Number kTwoSeconds = 2;
  WorkerWish wish;
  exec::lua::OptionTable options(state, index, "worker()");
  wish.executor = options.text("executor", {});
  wish.concurrency = options.integer("concurrency", 0, 0, kMostAtOnce);
  wish.queue_time = options.seconds("queue_time", kTwoSeconds);
  options.end();
  return wish;
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

// ---- Routes that handlers add

// The number of the function at an index: one that all states have, or of a closure for them.
std::size_t send_function(lua_State* state, int index, LiveRoute& route) {
  State& own = State::of(state);
  for (std::size_t i = 0; i < own.functions.size(); ++i) {
    lua_rawgeti(state, LUA_REGISTRYINDEX, own.functions[i]);
    const bool same = lua_rawequal(state, -1, index) != 0;
    lua_pop(state, 1);
    if (same) return i;
  }
  auto made = exec::lua::to_closure(state, index, {}, &find_thing);
  if (const auto* const refusal = std::get_if<exec::ValueRefusal>(&made)) {
    throw std::invalid_argument("the function cannot be sent to other workers: " + refusal->text());
  }
  const std::size_t number = own.generation.next_function();
  route.functions.push_back({number, std::get<exec::SendableClosure>(std::move(made)), index});
  return number;
}

// A route on its way to the workers, with what this state keeps for it until it is there.
struct AddedRoute {
  explicit AddedRoute(Vm& of) noexcept : vm(of) {}
  ~AddedRoute() {
    for (const LiveFunction& one : route.functions) vm.release(one.reference);
  }
  AddedRoute(const AddedRoute&) = delete;
  AddedRoute& operator=(const AddedRoute&) = delete;

  Vm& vm;
  LiveRoute route;
};

LiveRoute& live_route(Run& run) noexcept { return static_cast<AddedRoute*>(run.kept.get())->route; }

void perform_add(Run& run, lua_State* state) {
  State& own = State::of(state);
  LiveRoute& route = live_route(run);
  std::vector<std::pair<std::size_t, int>> kept;
  kept.reserve(route.functions.size());
  for (LiveFunction& one : route.functions) {
    kept.emplace_back(one.number, std::exchange(one.reference, LUA_NOREF));
  }
  try {
    own.live_functions.reserve(own.live_functions.size() + kept.size());
    run.integer = static_cast<std::int64_t>(own.script.add_live(own.generation, std::move(route)));
  } catch (...) {
    for (const auto& [number, reference] : kept) own.vm.release(reference);
    throw;
  }
  for (const auto& one : kept) {
    // Requests that came at once may have made it already.
    if (!own.live_functions.emplace(one).second) own.vm.release(one.second);
  }
}

int push_added(Run& run, lua_State* state) {
  State::of(state).last_live = static_cast<std::size_t>(run.integer);
  lua_pushvalue(state, 1);
  return 1;
}

// As add_route(), whose arguments have been looked at, in a handler.
int add_live_route(lua_State* state, const char* method, int pattern_index) {
  Run& run = Run::require(state);
  const Group& group = group_at(state);
  const int last = lua_gettop(state);
  run.kept = std::make_shared<AddedRoute>(run.vm());
  LiveRoute& route = live_route(run);
  route.route.method = method;
  route.route.pattern = whole_pattern(group, text_at(state, pattern_index));
  route.route.links = group.links;
  for (int i = pattern_index + 1; i < last; ++i) {
    if (const Middleware* const middleware = middleware_at(state, i)) {
      route.route.links.emplace_back(*middleware);
    } else {
      route.route.links.emplace_back(send_function(state, i, route));
    }
  }
  route.route.handler = send_function(state, last, route);
  // This state has the functions themselves.
  for (LiveFunction& one : route.functions) {
    lua_pushvalue(state, one.argument);
    one.reference = Vm::keep(state);
  }
  return Run::wait(state, &perform_add, &push_added);
}

// The arguments from `first` on are middleware, and last a handler.
int add_route(lua_State* state, const char* method, int pattern_index) {
  State& own = State::of(state);
  const Group& group = group_at(state);
  const std::string_view pattern = text_argument(state, pattern_index);
  const int last = lua_gettop(state);
  if (last <= pattern_index) return luaL_error(state, "a route needs a handler: a function(c)");
  for (int i = pattern_index + 1; i < last; ++i) require_link(state, i);
  luaL_checktype(state, last, LUA_TFUNCTION);
  if (!own.loading) return add_live_route(state, method, pattern_index);
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

// app:get(...):worker{...}: its handler computes for long, and runs on the pool.
int set_worker(lua_State* state) {
  State& own = State::of(state);
  group_at(state);
  const WorkerWish wish = worker_wish(state, 2);
  if (!own.loading) {
    if (!own.last_live) return luaL_error(state, "worker() stands right behind a route");
    if (!lua_isnoneornil(state, 2)) {
      return luaL_error(state, "worker() of a route that a handler has added takes no options");
    }
    own.generation.move_to_pool(*std::exchange(own.last_live, std::nullopt));
    lua_settop(state, 1);
    return 1;
  }
  if (own.declared.routes.empty()) return luaL_error(state, "worker() stands behind a route");
  Declaration& route = own.declared.routes.back();
  if (std::holds_alternative<Handler>(route.handler)) {
    return luaL_error(state, "worker() stands behind a route with a handler, not behind files()");
  }
  route.worker = wish.options();
  lua_settop(state, 1);
  return 1;
}

// app:executor(name, {concurrency = n})
int add_executor(lua_State* state) {
  constexpr lua_Integer kMostAtOnce = 1'000'000;
  State& own = loading_state(state);
  group_at(state);
  const std::string_view name = text_argument(state, 2);
  exec::lua::OptionTable options(state, 3, "app:executor()");
  const lua_Integer concurrency = options.integer("concurrency", 0, 0, kMostAtOnce);
  options.end();
  luaL_argcheck(state, !name.empty() && name != kLuaExecutor, 2, "another name");
  own.declared.executors[std::string(name)] = {static_cast<unsigned>(concurrency)};
  lua_settop(state, 1);
  return 1;
}

// The same at each call, also in handlers.
int make_app(lua_State* state) {
  State& own = State::of(state);
  push_group(state, own.groups.front());
  return 1;
}

}  // namespace

void push_group(lua_State* state, Group& group) {
  *static_cast<Group**>(lua_newuserdatauv(state, sizeof(Group*), 0)) = &group;
  luaL_setmetatable(state, kAppClass);
}

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
      {"executor", &guarded<&add_executor>},
      {nullptr, nullptr},
  };
  make_class(state, kAppClass, kMethods);
  lua_pushcfunction(state, &guarded<&make_app>);
  lua_setfield(state, -2, "app");
}

}  // namespace weft::app::lua
