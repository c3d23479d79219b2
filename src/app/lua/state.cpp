// Request and State: what a script says of itself, and its functions for one thread.
#include <stdexcept>
#include <utility>

#include "app/lua/bindings.hpp"
#include "app/lua/script.hpp"

namespace weft::app::lua {

namespace {

void require_done(const std::optional<exec::ScriptFailure>& failure) {
  if (failure) throw exec::lua::ScriptError(*failure);
}

exec::lua::VmOptions vm_options(Script& script, std::shared_ptr<exec::lua::Sources> sources) {
  exec::lua::VmOptions options;
  options.memory_bytes = script.options().memory_bytes;
  options.run_time = script.options().run_time;
  options.sources = std::move(sources);
  options.print = [&script](const std::string& line) { script.log(line); };
  return options;
}

}  // namespace

// ---- Request

Request::Request(http::Exchange& exchange, State& in) noexcept : Context(exchange), state(in) {}

Request::~Request() {
  if (values != LUA_NOREF) state.vm.release(values);
}

// ---- State

State::State(Script& of_script, Generation& of_generation)
    : script(of_script),
      generation(of_generation),
      vm(vm_options(of_script, of_generation.shared_sources())) {
  vm.owner = this;
  groups.emplace_back();
  declared.prefixes.emplace_back();
  require_done(vm.protect(&open_bindings, nullptr));
  std::string refusal;
  const std::string* const text_read = generation.sources().read(script.path(), refusal);
  if (text_read == nullptr) throw std::runtime_error(refusal);
  const std::string name = script.path().substr(script.path().rfind('/') + 1);
  auto loaded = vm.load({name, *text_read});
  if (auto* const failure = std::get_if<exec::ScriptFailure>(&loaded)) {
    throw exec::lua::ScriptError(std::move(*failure));
  }
  loading = false;
}

void State::call(std::size_t function, Request& request, Next* next, const std::exception* error) {
  const int reference = reference_of(function);
  // Nothing stands right behind what another call has added.
  last_live.reset();
  Call call(*this, &request, next);
  call.error = error;
  Run run(vm, &call);
  // What the script still has of it is empty from then on; while `run` stands, it is there.
  const struct End {
    ~End() {
      if (call.box != nullptr) call.box->call = nullptr;
    }
    Call& call;
  } end{call};
  run.call(reference, &push_context);
}

namespace {

struct Making {
  const exec::SendableClosure& closure;
  int reference = LUA_NOREF;
};

int make_function(lua_State* state) {
  auto& making = *static_cast<Making*>(lua_touserdata(state, 1));
  exec::lua::push_closure(state, making.closure);
  making.reference = Vm::keep(state);
  return 0;
}

}  // namespace

int State::reference_of(std::size_t function) {
  if (function < functions.size()) [[likely]]
    return functions[function];
  if (const auto made = live_functions.find(function); made != live_functions.end()) {
    return made->second;
  }
  const exec::SendableClosure* const closure = generation.find_live(function);
  if (closure == nullptr) throw std::logic_error("a function that no handler has added");
  Making making{*closure};
  require_done(vm.protect(&guarded<&make_function>, &making));
  live_functions.emplace(function, making.reference);
  return making.reference;
}

}  // namespace weft::app::lua
