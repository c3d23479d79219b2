// weft.sleep(), weft.spawn(), weft.log() and reading and writing files: what waits beside requests.
#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "app/lua/bindings.hpp"
#include "http/log_text.hpp"
#include "weft/cancel.hpp"
#include "weft/file.hpp"
#include "weft/green.hpp"

namespace weft::app::lua {

namespace {

constexpr lua_Number kNanos = 1e9;
constexpr lua_Number kMostSeconds = 1e8;

std::chrono::nanoseconds duration_at(lua_State* state, int index) {
  const lua_Number seconds = luaL_checknumber(state, index);
  luaL_argcheck(state, seconds >= 0 && seconds <= kMostSeconds, index,
                "a number of seconds, up to 1e8");
  return std::chrono::nanoseconds(static_cast<std::int64_t>(seconds * kNanos));
}

int push_nothing(Run& /*run*/, lua_State* /*state*/) { return 0; }

void perform_sleep(Run& run, lua_State* /*state*/) {
  weft::sleep(std::chrono::nanoseconds(run.integer));
}

int sleep_for(lua_State* state) {
  const auto duration = duration_at(state, 1);
  Run::require(state).integer = duration.count();
  return Run::wait(state, &perform_sleep, &push_nothing);
}

void perform_yield(Run& /*run*/, lua_State* /*state*/) { weft::yield(); }

int yield_turn(lua_State* state) { return Run::wait(state, &perform_yield, &push_nothing); }

// ---- Green threads

// Of one state at a time; each takes a stack as soon as it waits.
constexpr std::size_t kMostSpawned = 10'000;

// A function that runs beside its request. Its state stays for it.
class Spawned {
 public:
  Spawned(State& state, std::shared_ptr<Generation> generation, int function)
      : state_(state), generation_(std::move(generation)), function_(function) {
    ++state_.active;
    ++state_.spawned;
  }
  ~Spawned() {
    state_.vm.release(function_);
    --state_.spawned;
    --state_.active;
  }
  Spawned(const Spawned&) = delete;
  Spawned& operator=(const Spawned&) = delete;

  void run() {
    try {
      Call call(state_);
      Run(state_.vm, &call).call(function_);
    } catch (const std::exception& error) {
      state_.script.log(std::string("a function that weft.spawn() has started threw: ") +
                        error.what());
    }
  }

 private:
  State& state_;
  std::shared_ptr<Generation> generation_;
  int function_;
};

int spawn_function(lua_State* state) {
  luaL_checktype(state, 1, LUA_TFUNCTION);
  lua_settop(state, 1);
  State& own = State::of(state);
  if (own.loading) {
    return luaL_error(state, "weft.spawn() works in handlers, and not while a script is loaded");
  }
  require_loop(state, "weft.spawn()");
  if (own.spawned >= kMostSpawned) {
    return luaL_error(state, "%d functions that weft.spawn() has started run already",
                      static_cast<int>(kMostSpawned));
  }
  const int function = Vm::keep(state);
  {
    auto spawned = std::make_shared<Spawned>(own, own.generation.shared_from_this(), function);
    weft::spawn({.name = "a function of a script", .stack_bytes = kScriptStackBytes},
                [spawned = std::move(spawned)] { spawned->run(); });
  }
  return 0;
}

// ---- Logs

int log_line(lua_State* state) {
  const std::string_view line = text_argument(state, 1);
  State::of(state).script.log(std::string(line));
  return 0;
}

// ---- Files, below the script's folder unless a path begins with a slash

// Of a file that is read whole; larger ones are for c:file().
constexpr std::size_t kMostBytes = std::size_t{16} * 1024 * 1024;

void perform_read(Run& run, lua_State* state) {
  const std::string path = State::of(state).script.beside(text_at(state, 1));
  run.flag = false;
  run.text.clear();
  auto file = File::open(path);
  if (!file) {
    run.text = path + ": " + file.error().message();
    return;
  }
  constexpr std::size_t kBlock = 64 * 1024;
  std::string bytes;
  for (;;) {
    const std::size_t had = bytes.size();
    bytes.resize(had + kBlock);
    const auto got = (*file).read(std::span(bytes).subspan(had));
    if (!got) {
      run.text = path + ": " + got.error().message();
      return;
    }
    bytes.resize(had + *got);
    if (*got == 0) break;
    if (bytes.size() > kMostBytes) {
      run.text = path + ": it has more than 16 MiB";
      return;
    }
  }
  run.flag = true;
  run.text = std::move(bytes);
}

// The text, or nil and why not.
int push_text_or_reason(Run& run, lua_State* state) {
  if (!run.flag) lua_pushnil(state);
  push_text(state, run.text);
  return run.flag ? 1 : 2;
}

int read_file(lua_State* state) {
  text_argument(state, 1);
  return Run::wait(state, &perform_read, &push_text_or_reason);
}

void perform_write(Run& run, lua_State* state) {
  const std::string path = State::of(state).script.beside(text_at(state, 1));
  FileOptions options;
  options.read = false;
  options.write = true;
  options.create = true;
  options.append = run.flag;
  options.truncate = !run.flag;
  auto file = File::open(path, options);
  run.flag = file.ok();
  if (!file) {
    run.text = path + ": " + file.error().message();
    return;
  }
  const auto written = (*file).write(text_at(state, 2));
  run.flag = written.ok();
  if (!written) run.text = path + ": " + written.error().message();
}

// True, or nil and why not.
int push_done_or_reason(Run& run, lua_State* state) {
  if (run.flag) {
    lua_pushboolean(state, 1);
    return 1;
  }
  lua_pushnil(state);
  push_text(state, run.text);
  return 2;
}

template <bool appends>
int write_file(lua_State* state) {
  text_argument(state, 1);
  text_argument(state, 2);
  Run::require(state).flag = appends;
  return Run::wait(state, &perform_write, &push_done_or_reason);
}

}  // namespace

void open_waits(lua_State* state) {
  static const luaL_Reg kFunctions[] = {
      {"sleep", &guarded<&sleep_for>},
      {"yield", &guarded<&yield_turn>},
      {"spawn", &guarded<&spawn_function>},
      {"log", &guarded<&log_line>},
      {"read_file", &guarded<&read_file>},
      {"write_file", &guarded<&write_file<false>>},
      {"append_file", &guarded<&write_file<true>>},
      {nullptr, nullptr},
  };
  luaL_setfuncs(state, kFunctions, 0);
}

}  // namespace weft::app::lua
