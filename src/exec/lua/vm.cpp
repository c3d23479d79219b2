#include "exec/lua/vm.hpp"

#include <algorithm>
#include <cstdlib>
#include <new>

#include "exec/lua/functions.hpp"
#include "exec/lua/libraries.hpp"
#include "exec/lua/run_watch.hpp"
#include "exec/lua/values.hpp"
#include "gvt/no_park.hpp"
#include "gvt/scheduler.hpp"
#include "http/log_text.hpp"
#include "ksvc/core/assert.hpp"
#include "weft/cancel.hpp"
#include "weft/detail/cancel_node.hpp"
#include "weft/detail/task_state.hpp"
#include "weft/http_error.hpp"

namespace weft::exec::lua {

namespace {

// Lua has called what it calls before it ends the process: an error nobody has protected.
int panic(lua_State* state) {
  const char* const text = lua_tostring(state, -1);
  http::log_to_stderr(std::string("an unprotected error of Lua's: ") +
                      (text != nullptr ? text : ""));
  return 0;
}

// Who called, the innermost first: "(at app.lua:7 in fib, app.lua:12)".
std::string callers(lua_State* state) {
  constexpr int kMostLevels = 12;
  std::string text;
  lua_Debug entry = {};
  for (int level = 0; level < kMostLevels && lua_getstack(state, level, &entry) != 0; ++level) {
    lua_getinfo(state, "Sln", &entry);
    if (entry.currentline < 0 && entry.name == nullptr) continue;
    text += text.empty() ? " (at " : ", ";
    if (entry.currentline < 0) {
      text += entry.name;
      continue;
    }
    text += entry.short_src;
    text += ':' + std::to_string(entry.currentline);
    if (entry.name != nullptr) text += std::string(" in ") + entry.name;
  }
  return text.empty() ? text : text + ")";
}

// A table that says what to answer.
void read_table(lua_State* state, ScriptFailure& failure) {
  constexpr int kMostMembers = 16;
  bool has_status = false;
  lua_pushnil(state);
  for (int seen = 0; lua_next(state, -2) != 0; ++seen) {
    if (seen == kMostMembers) {
      lua_pop(state, 2);
      break;
    }
    const std::string_view name =
        lua_type(state, -2) == LUA_TSTRING ? text_at(state, -2) : std::string_view();
    if (name == "status" && lua_isinteger(state, -1) != 0) {
      const lua_Integer status = lua_tointegerx(state, -1, nullptr);
      has_status = status >= 400 && status <= 599;
      if (has_status) failure.status = static_cast<int>(status);
    } else if (name == "message" && lua_type(state, -1) == LUA_TSTRING) {
      failure.text = text_at(state, -1);
    }
    lua_pop(state, 1);
  }
  if (!has_status) failure.status = 0;
}

void tell_hook(lua_State* state, lua_Debug* /*entry*/) {
  lua_sethook(state, nullptr, 0, 0);
  const Vm& vm = Vm::of(state);
  // Without a scheduler it is no worker that is held up: a script is read there, at the start or
  // anew.
  if (!vm.options().print || gvt::current_scheduler() == nullptr) return;
  try {
    vm.options().print("a script computes for half a second already, and holds up its worker" +
                       callers(state) + ": let the route run on the pool, by :worker()");
  } catch (...) {
    // It could not be said; nothing may be thrown through Lua, which is below.
  }
}

bool task_is_cancelled() noexcept {
  const auto* const task = weft::detail::current_task().cancel;
  return task != nullptr && task->reason() != weft::detail::CancelReason::none;
}

void stop_hook(lua_State* state, lua_Debug* /*entry*/) {
  luaL_where(state, 0);
  if (task_is_cancelled()) {
    lua_pushliteral(state, "nobody waits for it any more");
  } else {
    lua_pushfstring(state, "it has computed for more than %d ms without waiting",
                    static_cast<int>(Vm::of(state).options().run_time.count()));
  }
  lua_concat(state, 2);
  lua_error(state);
}

}  // namespace

// While Lua is on the stack.
class Vm::Inside {
 public:
  Inside(Vm& vm, Run* run, lua_State* state) noexcept
      : vm_(vm), run_(vm.run_), current_(vm.current_) {
    vm.run_ = run;
    vm.current_ = state;
    vm.expired_ = false;
    // Also without a limit: what holds its worker up is told of.
    watch_ = RunWatch::of_this_thread();
    if (watch_ == nullptr) return;
    watch_->begin(vm, vm.options_.run_time,
                  vm.ends_with_task_ ? weft::detail::current_task().cancel : nullptr);
  }
  ~Inside() {
    if (watch_ != nullptr) watch_->end();
    // Coroutines begin with the hook of the state that makes them.
    if (vm_.main_ != nullptr && vm_.current_ == vm_.main_) lua_sethook(vm_.main_, nullptr, 0, 0);
    vm_.run_ = run_;
    vm_.current_ = current_;
  }
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;

 private:
  gvt::NoPark no_park_;
  Vm& vm_;
  Run* run_;
  lua_State* current_;
  RunWatch* watch_ = nullptr;
};

Vm::Vm(VmOptions options) : options_(std::move(options)), bound_bytes_(options_.memory_bytes) {
  main_ = lua_newstate(&Vm::allocate, this);
  if (main_ == nullptr) {
    throw ScriptError({ScriptFailure::Kind::out_of_memory, "no memory for a state of Lua's"});
  }
  *static_cast<Vm**>(lua_getextraspace(main_)) = this;
  lua_atpanic(main_, &panic);
  std::optional<ScriptFailure> failure = protect(&open_libraries, nullptr);
  if (!failure) return;
  lua_close(main_);
  throw ScriptError(std::move(*failure));
}

Vm::~Vm() {
  WEFT_ASSERT(runs_ == 0 && "a state ends when nothing runs in it");
  const Inside inside(*this, nullptr, main_);
  lua_close(main_);
  main_ = nullptr;
}

void* Vm::allocate(void* self, void* block, std::size_t had, std::size_t wanted) noexcept {
  Vm& vm = *static_cast<Vm*>(self);
  if (block == nullptr) had = 0;  // then it is the kind of what is to be made
  if (wanted == 0) {
    std::free(block);
    vm.used_bytes_ -= had;
    return nullptr;
  }
  if (wanted > had && wanted - had > vm.bound_bytes_ - std::min(vm.used_bytes_, vm.bound_bytes_)) {
    return nullptr;
  }
  void* const made = std::realloc(block, wanted);
  // What becomes smaller must not fail.
  if (made == nullptr) return wanted <= had ? block : nullptr;
  vm.used_bytes_ += wanted - had;
  return made;
}

std::optional<ScriptFailure> Vm::protect(lua_CFunction function, void* argument) {
  int status = LUA_OK;
  {
    const Inside inside(*this, nullptr, main_);
    lua_pushcfunction(main_, function);
    lua_pushlightuserdata(main_, argument);
    status = lua_pcall(main_, 1, 0, 0);
  }
  if (status == LUA_OK) return std::nullopt;
  ScriptFailure failure = failure_of(main_, status);
  lua_settop(main_, 0);
  return failure;
}

int Vm::make_coroutine(lua_State* state) {
  Vm& vm = of(state);
  vm.made_.state = lua_newthread(state);
  vm.made_.reference = keep(state);
  return 0;
}

Vm::Coroutine Vm::take_coroutine() {
  if (!idle_.empty()) {
    const Coroutine last = idle_.back();
    idle_.pop_back();
    return last;
  }
  // Where there is none of these there is room for one more, when it is given back.
  if (idle_.capacity() == 0) idle_.reserve(options_.idle_coroutines);
  if (auto failure = protect(&Vm::make_coroutine, nullptr)) {
    if (failure->kind == ScriptFailure::Kind::out_of_memory) after_shortage();
    throw ScriptError(std::move(*failure));
  }
  return made_;
}

void Vm::give_back(Coroutine coroutine) noexcept {
  lua_sethook(coroutine.state, nullptr, 0, 0);
  lua_settop(coroutine.state, 0);
  if (idle_.size() >= options_.idle_coroutines) return release(coroutine.reference);
  idle_.push_back(coroutine);
}

// One that has failed or is to be left where it stands: what it has to close is closed.
void Vm::drop(Coroutine coroutine) noexcept {
  if (!expired_) {
    const Inside inside(*this, nullptr, coroutine.state);
    lua_resetthread(coroutine.state);
  }
  release(coroutine.reference);
}

ScriptFailure Vm::failure_of(lua_State* state, int status) {
  ScriptFailure failure;
  if (expired_) {
    failure.kind = ScriptFailure::Kind::ran_too_long;
  } else if (status == LUA_ERRMEM) {
    failure.kind = ScriptFailure::Kind::out_of_memory;
    failure.text = "not enough memory: a state has " + std::to_string(options_.memory_bytes) +
                   " bytes at most";
  }
  if (failure.text.empty() && lua_gettop(state) > 0) {
    switch (lua_type(state, -1)) {
      case LUA_TSTRING: failure.text = text_at(state, -1); break;
      // Lua would make a string of it, for which there may be no memory.
      case LUA_TNUMBER:
        failure.text = lua_isinteger(state, -1) != 0
                           ? std::to_string(lua_tointegerx(state, -1, nullptr))
                           : std::to_string(lua_tonumberx(state, -1, nullptr));
        break;
      case LUA_TTABLE:
        if (lua_checkstack(state, 4) != 0) read_table(state, failure);
        break;
      default:
        failure.text = std::string("an error that is a ") + luaL_typename(state, -1) + " value";
        break;
    }
  }
  const bool asks_for_status = failure.status != 500 && failure.status != 0 && !expired_;
  if (failure.status == 0) failure.status = 500;
  if (!asks_for_status) {
    if (failure.text.empty()) failure.text = "an error without a message";
    failure.text += callers(state);
  }
  return failure;
}

// Whether a state of no use is left.
void Vm::after_shortage() noexcept {
  collect();
  exhausted_ = used_bytes_ > bound_bytes_ / 4 * 3;
}

void Vm::collect() noexcept {
  const Inside inside(*this, nullptr, main_);
  lua_gc(main_, LUA_GCCOLLECT);
}

void Vm::expire() noexcept {
  expired_ = true;
  if (current_ != nullptr) lua_sethook(current_, &stop_hook, LUA_MASKCOUNT, 1);
}

void Vm::tell() noexcept {
  if (current_ != nullptr && !expired_) lua_sethook(current_, &tell_hook, LUA_MASKCOUNT, 1);
}

namespace {

struct Loading {
  const ScriptText* script;
  int reference = LUA_NOREF;
};

int load_and_keep(Run& run, lua_State* state) {
  auto& loading = *static_cast<Loading*>(run.object());
  const ScriptText& script = *loading.script;
  // The text is C++'s, but lives outside of this function.
  if (luaL_loadbufferx(state, script.text.data(), script.text.size(),
                       static_cast<const char*>(run.kept.get()), "t") != LUA_OK) {
    lua_error(state);
  }
  return 1;
}

int nothing(lua_State*) { return 0; }

// Calls the chunk that the run pushes, and keeps what comes of it.
int call_first(lua_State* state) {
  lua_call(state, 0, 1);
  return 1;
}

void keep_result(Run& run, lua_State* state) {
  lua_settop(state, 1);
  if (!lua_isfunction(state, 1)) {
    lua_settop(state, 0);
    lua_pushcfunction(state, &nothing);
  }
  static_cast<Loading*>(run.object())->reference = Vm::keep(state);
}

struct Calling {
  std::span<const Value> arguments;
  std::variant<Value, ValueRefusal> result;
};

int push_arguments(Run& run, lua_State* state) {
  const auto& calling = *static_cast<const Calling*>(run.object());
  luaL_checkstack(state, static_cast<int>(calling.arguments.size()), "too many arguments");
  for (const Value& argument : calling.arguments) push_value(state, argument);
  return static_cast<int>(calling.arguments.size());
}

int take_result_guarded(lua_State* state) {
  Run& run = *Vm::of(state).run();
  static_cast<Calling*>(run.object())->result = to_value(state, 1, run.vm().options().values);
  return 0;
}

void take_result(Run& /*run*/, lua_State* state) {
  lua_settop(state, 1);
  guarded<&take_result_guarded>(state);
}

}  // namespace

ScriptResult<Vm::Function> Vm::load(const ScriptText& script) {
  Loading loading{&script};
  try {
    Run run(*this, &loading, false);
    // Messages say "app.lua:7: …".
    run.kept =
        std::shared_ptr<char>(new char[script.name.size() + 2], std::default_delete<char[]>());
    char* const name = static_cast<char*>(run.kept.get());
    *name = '@';
    *std::copy(script.name.begin(), script.name.end(), name + 1) = '\0';
    run.call(LUA_NOREF, &load_and_keep, &keep_result);
  } catch (const ScriptError& error) {
    return error.failure();
  } catch (const HttpError& error) {
    return ScriptFailure{ScriptFailure::Kind::failed, error.what(), error.status()};
  } catch (const std::exception& error) {
    return ScriptFailure{ScriptFailure::Kind::failed, error.what()};
  }
  return Function(*this, loading.reference);
}

ScriptResult<Value> Vm::call(const Function& function, std::span<const Value> arguments) {
  Calling calling{arguments, {}};
  try {
    Run(*this, &calling).call(function.reference(), &push_arguments, &take_result);
  } catch (const ScriptError& error) {
    return error.failure();
  } catch (const HttpError& error) {
    return ScriptFailure{ScriptFailure::Kind::failed, error.what(), error.status()};
  } catch (const std::exception& error) {
    return ScriptFailure{ScriptFailure::Kind::failed, error.what()};
  }
  if (const auto* refusal = std::get_if<ValueRefusal>(&calling.result)) {
    return ScriptFailure{ScriptFailure::Kind::refused, "the result " + refusal->text()};
  }
  return std::get<Value>(std::move(calling.result));
}

void Vm::note(int status, std::string_view text) noexcept {
  noted_status_ = status;
  try {
    noted_ = text;
  } catch (const std::bad_alloc&) {
    noted_.clear();
  }
}

int Vm::raise_noted(lua_State* state) {
  const Vm& vm = of(state);
  if (vm.noted_status_ == 0) {
    luaL_where(state, 1);
    push_text(state, vm.noted_);
    lua_concat(state, 2);
    return lua_error(state);
  }
  lua_createtable(state, 0, 2);
  lua_pushinteger(state, vm.noted_status_);
  lua_setfield(state, -2, "status");
  push_text(state, vm.noted_);
  lua_setfield(state, -2, "message");
  luaL_setmetatable(state, kErrorMetatable);
  return lua_error(state);
}

// ---- Run

Run::~Run() {
  --vm_.runs_;
  if (coroutine_.state == nullptr) return;
  if (begun_) {
    vm_.drop(coroutine_);
    vm_.expired_ = false;
  } else {
    vm_.give_back(coroutine_);
  }
  if (short_of_memory_) vm_.after_shortage();
}

int Run::enter(lua_State* state) {
  Run& run = *Vm::of(state).run();
  run.given_ = run.push_ != nullptr ? run.push_(run, state) : 0;
  if (run.function_ != LUA_NOREF) {
    lua_rawgeti(state, LUA_REGISTRYINDEX, run.function_);
  } else {
    lua_pushcfunction(state, &call_first);
  }
  luaL_checkstack(state, run.given_, "too many arguments");
  for (int i = 1; i <= run.given_; ++i) lua_pushvalue(state, i);
  lua_callk(state, run.given_, LUA_MULTRET, 0, &Run::leave);
  return leave(state, LUA_OK, 0);
}

int Run::leave(lua_State* state, int /*status*/, lua_KContext /*context*/) {
  Run& run = *Vm::of(state).run();
  if (run.take_ != nullptr) {
    for (int i = 0; i < run.given_; ++i) lua_remove(state, 1);
    run.take_(run, state);
  }
  return 0;
}

void Run::call(int function, Push push, Take take) {
  function_ = function;
  push_ = push;
  take_ = take;
  coroutine_ = vm_.take_coroutine();
  lua_State* const state = coroutine_.state;
  lua_pushcfunction(state, &Run::enter);
  begun_ = true;
  for (;;) {
    int status = LUA_OK;
    int results = 0;
    {
      const Vm::Inside inside(vm_, this, state);
      status = lua_resume(state, nullptr, 0, &results);
    }
    if (status == LUA_OK) break;
    if (status != LUA_YIELD) fail(status);
    perform();
  }
  begun_ = false;
}

void Run::perform() {
  WEFT_ASSERT(perform_ != nullptr && "a coroutine of a run yields waits alone");
  failed_ = false;
  try {
    perform_(*this, waiting_);
  } catch (const HttpError& error) {
    note_failure(error.status(), error.what());
  } catch (const std::exception& error) {
    note_failure(0, error.what());
  }
  perform_ = nullptr;
}

// In a catch block.
void Run::note_failure(int status, const char* what) {
  failed_ = true;
  failed_status_ = status;
  original_ = std::current_exception();
  original_text_ = what;
}

int Run::go_on(lua_State* state, int /*status*/, lua_KContext /*context*/) {
  Run& run = *Vm::of(state).run();
  if (!run.failed_) return run.push_result_(run, state);
  run.vm_.note(run.failed_status_, run.original_text_);
  return Vm::raise_noted(state);
}

Run& Run::require(lua_State* state) {
  Vm& vm = Vm::of(state);
  Run* const run = vm.run();
  if (run == nullptr) luaL_error(state, "nothing can be waited for while a state begins or ends");
  if (!run->may_wait_) {
    luaL_error(state, "nothing can be waited for while a script is loaded: do it in a handler");
  }
  if (lua_isyieldable(state) == 0 || vm.without_wait_ > 0) {
    luaL_error(state,
               "nothing can be waited for inside of a function that sort, gsub, load, require or a "
               "metamethod for the end of a value has called");
  }
  return *run;
}

int Run::wait(lua_State* state, Perform perform, Push push) {
  Run& run = require(state);
  run.perform_ = perform;
  run.push_result_ = push;
  run.waiting_ = state;
  // Nothing is handed over: the arguments stay where they are, for both.
  return lua_yieldk(state, 0, 0, &Run::go_on);
}

void Run::fail(int status) {
  lua_State* const state = coroutine_.state;
  ScriptFailure failure = vm_.failure_of(state, status);
  // What a wait threw and the script did not change is thrown on as it was.
  const bool is_original =
      original_ != nullptr &&
      (failed_status_ != 0
           ? failure.status == failed_status_ && failure.text == original_text_
           : !original_text_.empty() && failure.text.find(original_text_) != std::string::npos);
  const bool asked = failure.kind == ScriptFailure::Kind::failed && failure.status != 500;
  short_of_memory_ = failure.kind == ScriptFailure::Kind::out_of_memory;
  // What was ended since nobody waits for it ends as what waits then: by what tells its task.
  if (failure.kind == ScriptFailure::Kind::ran_too_long && vm_.ends_with_task_ &&
      task_is_cancelled()) {
    if (vm_.options_.print) vm_.options_.print("a handler on the pool was ended: " + failure.text);
    throw Cancelled(weft::detail::current_task().cancel->reason());
  }
  if (is_original) std::rethrow_exception(original_);
  if (asked) throw HttpError(failure.status, failure.text);
  throw ScriptError(std::move(failure));
}

static_assert(ScriptVm<Vm>);

}  // namespace weft::exec::lua
