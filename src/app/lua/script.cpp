#include "app/lua/script.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "app/app_state.hpp"
#include "app/lua/bindings.hpp"
#include "exec/lua/run_watch.hpp"
#include "http/log_text.hpp"
#include "http/site.hpp"
#include "http/unrouted.hpp"
#include "ksvc/core/assert.hpp"
#include "weft/app.hpp"
#include "weft/cancel.hpp"
#include "weft/http_error.hpp"

namespace weft::app::lua {

namespace {

// The numbers of generations, of all scripts of the process.
std::uint64_t next_generation() noexcept {
  static std::atomic<std::uint64_t> last{0};
  return last.fetch_add(1) + 1;
}

struct FunctionLink {
  std::size_t function;
  void operator()(Context& context, Next& next) const {
    auto& request = static_cast<Request&>(context);
    request.state.call(function, request, &next);
  }
};

struct FunctionHandler {
  std::size_t function;
  void operator()(Context& context) const {
    auto& request = static_cast<Request&>(context);
    request.state.call(function, request);
  }
};

// The states of one thread, of all scripts: few, so they are looked through.
class ThreadStates {
 public:
  // The watch of the thread is made before, and so outlives them.
  ThreadStates() noexcept { static_cast<void>(exec::lua::RunWatch::of_this_thread()); }
  ~ThreadStates() {
    for (const Entry& entry : entries_) {
      if (entry.state->active == 0) entry.generation->drop(*entry.state);
    }
  }
  ThreadStates(const ThreadStates&) = delete;
  ThreadStates& operator=(const ThreadStates&) = delete;

  State* find(std::uint64_t generation) const noexcept {
    for (const Entry& entry : entries_) {
      if (entry.number == generation && !entry.retired) return entry.state;
    }
    return nullptr;
  }
  void add(std::shared_ptr<Generation> generation) {
    State& state = generation->make_state();
    try {
      entries_.push_back(
          {state.script.shared_from_this(), generation->number(), &state, generation, false});
    } catch (...) {
      generation->drop(state);
      throw;
    }
  }
  void retire(const State& state) noexcept {
    for (Entry& entry : entries_) entry.retired = entry.retired || entry.state == &state;
  }
  // Of the other generations of that script.
  void retire_others(const Script& script, std::uint64_t generation) noexcept {
    for (Entry& entry : entries_) {
      if (&entry.state->script == &script && entry.number != generation) entry.retired = true;
    }
  }
  // Those in which nothing runs any more.
  void drop_retired() noexcept {
    for (std::size_t i = 0; i < entries_.size();) {
      Entry& entry = entries_[i];
      if (!entry.retired || entry.state->active > 0) {
        ++i;
        continue;
      }
      entry.generation->drop(*entry.state);
      // The generation ends before the script that it refers to.
      const std::shared_ptr<Script> script = std::move(entry.script);
      const std::shared_ptr<Generation> last = std::move(entry.generation);
      entries_.erase(entries_.begin() + static_cast<std::ptrdiff_t>(i));
    }
  }
  bool has_retired() const noexcept {
    return std::ranges::any_of(entries_, [](const Entry& entry) { return entry.retired; });
  }

 private:
  struct Entry {
    std::shared_ptr<Script> script;  // goes after what refers to it
    std::uint64_t number;
    State* state;
    std::shared_ptr<Generation> generation;
    bool retired;
  };
  std::vector<Entry> entries_;
};

// Never inlined: a compiler may keep the address of a thread-local across a switch.
[[gnu::noinline]] ThreadStates& states_of_this_thread() noexcept {
  thread_local ThreadStates states;
  return states;
}

void require_done(const std::optional<exec::ScriptFailure>& failure) {
  if (failure) throw exec::lua::ScriptError(*failure);
}

std::string text_of(const std::vector<Link>& links) {
  std::string text;
  for (const Link& link : links) {
    const auto* const function = std::get_if<std::size_t>(&link);
    text += function != nullptr ? " function " + std::to_string(*function) : " middleware";
  }
  return text;
}

std::string key_of(const Declaration& route) {
  return (route.method.empty() ? "ANY" : route.method) + " " + route.pattern;
}

// Behind the middleware of a prefix, for a request that no route fits.
void answer_nothing(RouteEntry& /*entry*/, Context& context) {
  constexpr int kNotFound = 404;
  constexpr int kMethodNotAllowed = 405;
  auto& request = static_cast<Request&>(context);
  http::Exchange& exchange = context.exchange();
  if (exchange.unrouted() != nullptr) {
    http::answer_unrouted(exchange, *exchange.unrouted());
  } else {
    // A route that the script had before it was read anew.
    context.status(kNotFound);
    context.text("Not Found\n");
  }
  const Declarations& declared = request.state.generation.declared();
  const int status = exchange.response().status;
  const auto& words = status == kNotFound           ? declared.not_found
                      : status == kMethodNotAllowed ? declared.method_not_allowed
                                                    : std::nullopt;
  if (words) return request.state.call(*words, request);
  const auto& application = *static_cast<const Application*>(exchange.site().application);
  if (Handler* const own = application.words_of(status)) call_and_wait(*own, context);
}

// While something runs in a state.
class Active {
 public:
  explicit Active(State& state) noexcept : state_(state) { ++state.active; }
  ~Active() {
    --state_.active;
    ThreadStates& states = states_of_this_thread();
    if (state_.vm.is_exhausted()) [[unlikely]] {
      states.retire(state_);
    }
    if (states.has_retired()) [[unlikely]] {
      states.drop_retired();
    }
  }
  Active(const Active&) = delete;
  Active& operator=(const Active&) = delete;

 private:
  State& state_;
};

exec::lua::VmOptions vm_options(Script& script, std::shared_ptr<exec::lua::Sources> sources) {
  exec::lua::VmOptions options;
  options.memory_bytes = script.options().memory_bytes;
  options.run_time = script.options().run_time;
  options.sources = std::move(sources);
  options.print = [&script](const std::string& line) { script.log(line); };
  return options;
}

}  // namespace

std::vector<std::string> Declarations::lines() const {
  std::vector<std::string> all;
  for (const Declaration& route : routes) {
    const auto* const function = std::get_if<std::size_t>(&route.handler);
    all.push_back(
        key_of(route) + text_of(route.links) +
        (function != nullptr ? " handler " + std::to_string(*function) : " native handler"));
  }
  for (const PrefixDeclaration& prefix : prefixes) {
    all.push_back("below " + prefix.prefix + text_of(prefix.links));
  }
  const auto add_words = [&all](const char* of, const std::optional<std::size_t>& words) {
    if (words) all.push_back(of + std::to_string(*words));
  };
  add_words("not_found ", not_found);
  add_words("method_not_allowed ", method_not_allowed);
  add_words("on_error ", on_error);
  return all;
}

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
  run.call(functions[function], &push_context);
}

// ---- Generation

Generation::Generation(Script& script, std::uint64_t number) : script_(script), number_(number) {
  const std::string& path = script.path();
  const auto slash = path.rfind('/');
  sources_ = std::make_shared<exec::lua::Sources>(
      slash == std::string::npos ? "." : path.substr(0, slash));
  auto first = std::make_unique<State>(script, *this);
  declared_ = first->declared;
  spare_ = first.get();
  states_.push_back(std::move(first));
}

State& Generation::make_state() {
  {
    const std::lock_guard lock(mutex_);
    if (spare_ != nullptr) return *std::exchange(spare_, nullptr);
  }
  auto state = std::make_unique<State>(script_, *this);
  require_same(state->declared);
  state->declared = {};
  State& made = *state;
  const std::lock_guard lock(mutex_);
  states_.push_back(std::move(state));
  return made;
}

// What a script declares must not depend on when or where it runs.
void Generation::require_same(const Declarations& made) const {
  const std::vector<std::string> before = declared_.lines();
  const std::vector<std::string> now = made.lines();
  if (before == now) return;
  std::size_t at = 0;
  while (at < before.size() && at < now.size() && before[at] == now[at]) ++at;
  const auto line = [at](const std::vector<std::string>& lines) {
    return at < lines.size() ? "\"" + lines[at] + "\"" : std::string("nothing");
  };
  throw std::runtime_error(script_.path() +
                           " adds other routes in the state of the next worker: number " +
                           std::to_string(at + 1) + " was " + line(before) + " and is " +
                           line(now) + "; what it adds must not depend on time or chance");
}

void Generation::drop(State& state) noexcept {
  std::unique_ptr<State> dropped;
  const std::lock_guard lock(mutex_);
  const auto place = std::ranges::find(states_, &state, &std::unique_ptr<State>::get);
  if (place == states_.end()) return;
  dropped = std::move(*place);
  states_.erase(place);
}

std::vector<Middleware> Generation::middleware_of(const std::vector<Link>& links) {
  std::vector<Middleware> made;
  for (const Link& link : links) {
    if (const auto* const function = std::get_if<std::size_t>(&link)) {
      made.emplace_back(FunctionLink{*function});
    } else {
      made.push_back(std::get<Middleware>(link));
    }
  }
  return made;
}

void Generation::settle(const std::vector<std::string>& slots) {
  by_slot_.assign(slots.size(), nullptr);
  for (const Declaration& route : declared_.routes) {
    RouteEntry& entry = entries_.emplace_back();
    entry.method = route.method;
    entry.pattern = route.pattern;
    entry.links = middleware_of(route.links);
    if (const auto* const function = std::get_if<std::size_t>(&route.handler)) {
      entry.handler = Handler(FunctionHandler{*function});
    } else {
      entry.handler = std::get<Handler>(route.handler);
    }
    const auto slot = std::ranges::find(slots, key_of(route)) - slots.begin();
    by_slot_[static_cast<std::size_t>(slot)] = &entry;
  }
  for (const PrefixDeclaration& prefix : declared_.prefixes) {
    RouteEntry& entry = unrouted_.emplace_back();
    entry.pattern = prefix.prefix;
    entry.links = middleware_of(prefix.links);
    entry.last = &answer_nothing;
  }
}

RouteEntry& Generation::unrouted(std::string_view path) noexcept {
  RouteEntry* longest = &unrouted_.front();
  for (RouteEntry& entry : unrouted_) {
    if (entry.pattern.size() >= longest->pattern.size() && is_below(path, entry.pattern)) {
      longest = &entry;
    }
  }
  return *longest;
}

// ---- Script

Script::Script(App& app, std::string path, LuaOptions options)
    : app_(app),
      path_(std::move(path)),
      options_(std::move(options)),
      shared_(options_.shared_bytes) {}

void Script::load() {
  auto next = std::make_shared<Generation>(*this, next_generation());
  std::vector<std::string> seen;
  for (const Declaration& route : next->declared().routes) {
    std::string key = key_of(route);
    if (std::ranges::find(seen, key) != seen.end()) {
      throw std::runtime_error(path_ + " adds the route " + key + " twice");
    }
    if (std::ranges::find(slots_, key) == slots_.end()) add_slot(key, route);
    seen.push_back(std::move(key));
  }
  next->settle(slots_);
  const bool is_first = current() == nullptr;
  {
    const std::lock_guard lock(mutex_);
    current_ = next;
  }
  current_number_.store(next->number(), std::memory_order_release);
  if (!is_first) return;
  Application& application = app_.routes_->application;
  application.least_stack_bytes = std::max(application.least_stack_bytes, kScriptStackBytes);
  application.behind_links.emplace_back([self = shared_from_this()](Context& c, Next& /*next*/) {
    self->serve_unrouted(c.exchange());
  });
}

void Script::add_slot(const std::string& key, const Declaration& route) {
  const std::size_t slot = slots_.size();
  auto answer = [self = shared_from_this(), slot](Context& c) { self->serve(slot, c.exchange()); };
  // A slot that is refused is not there, so that what is declared stays as it was.
  if (route.method.empty()) {
    app_.any(route.pattern, std::move(answer));
  } else {
    app_.route(route.method, route.pattern, std::move(answer));
  }
  slots_.push_back(key);
}

std::shared_ptr<Generation> Script::current() const {
  const std::lock_guard lock(mutex_);
  return current_;
}

State& Script::state_of_this_thread() {
  const std::uint64_t number = current_number_.load(std::memory_order_acquire);
  ThreadStates& states = states_of_this_thread();
  if (State* const state = states.find(number)) [[likely]]
    return *state;
  std::shared_ptr<Generation> generation = current();
  const std::uint64_t found = generation->number();
  if (states.find(found) == nullptr) states.add(std::move(generation));
  states.retire_others(*this, found);
  return *states.find(found);
}

void Script::serve(std::size_t slot, http::Exchange& exchange) {
  State& state = state_of_this_thread();
  const Active active(state);
  Request request(exchange, state);
  RouteEntry* const entry = state.generation.at(slot);
  call_entry(entry != nullptr ? *entry : state.generation.unrouted(exchange.path()), request);
}

void Script::serve_unrouted(http::Exchange& exchange) {
  State& state = state_of_this_thread();
  const Active active(state);
  Request request(exchange, state);
  call_entry(state.generation.unrouted(exchange.path()), request);
}

void Script::call_entry(RouteEntry& entry, Request& request) {
  const auto call = [&] {
    Handler::Call* const plain = entry.handler.get_if<Handler::Call>();
    if (entry.links.empty() && entry.last == nullptr && plain != nullptr) return (*plain)(request);
    Next(entry, 0, request)();
  };
  const auto& on_error = request.state.generation.declared().on_error;
  if (!on_error) return call();
  std::optional<std::runtime_error> thrown;
  try {
    return call();
  } catch (const HttpError&) {
    throw;
  } catch (const std::exception& error) {
    if (request.answer().streamed()) throw;
    thrown.emplace(error.what());
  }
  const http::Exchange& exchange = request.exchange();
  const http::Site& site = exchange.site();
  if (site.handler_failed) site.handler_failed(thrown->what());
  site.log("the handler for " + http::printable(exchange.head().target()) +
           " threw: " + http::printable(thrown->what()));
  constexpr int kInternalServerError = 500;
  request.answer().clear();
  request.status(kInternalServerError);
  request.state.call(*on_error, request, nullptr, &*thrown);
}

std::string Script::beside(std::string_view path) const {
  const auto slash = path_.rfind('/');
  if (path.starts_with('/') || slash == std::string::npos) return std::string(path);
  return path_.substr(0, slash + 1) + std::string(path);
}

void Script::log(const std::string& line) const {
  if (options_.log) return options_.log(line);
  http::log_to_stderr(http::printable(line));
}

}  // namespace weft::app::lua

namespace weft {

LuaScript::LuaScript(App& app, const std::string& path, const LuaOptions& options)
    : script_(std::make_shared<app::lua::Script>(app, path, options)) {
  script_->load();
}

LuaScript::~LuaScript() = default;

std::optional<std::string> LuaScript::reload() {
  try {
    script_->load();
    return std::nullopt;
  } catch (const std::exception& error) {
    return error.what();
  }
}

std::optional<std::uint16_t> LuaScript::port() const noexcept {
  return script_->current()->declared().port;
}

std::string LuaScript::host() const { return script_->current()->declared().host; }

std::vector<std::string> LuaScript::files() const { return script_->current()->sources().paths(); }

}  // namespace weft
