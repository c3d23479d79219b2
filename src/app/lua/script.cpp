#include "app/lua/script.hpp"

#include <algorithm>
#include <stdexcept>
#include <thread>
#include <utility>

#include "app/app_state.hpp"
#include "app/lua/pool_answer.hpp"
#include "app/lua/thread_states.hpp"
#include "http/log_text.hpp"
#include "http/site.hpp"
#include "weft/app.hpp"
#include "weft/cancel.hpp"

namespace weft::app::lua {

namespace {

// The numbers of generations, of all scripts of the process.
std::uint64_t next_generation() noexcept {
  static std::atomic<std::uint64_t> last{0};
  return last.fetch_add(1) + 1;
}

}  // namespace

Script::Script(App& app, std::string path, LuaOptions options)
    : app_(app),
      path_(std::move(path)),
      options_(std::move(options)),
      shared_(options_.shared_bytes) {}

void Script::load() {
  const auto slash = path_.rfind('/');
  auto sources = std::make_shared<exec::lua::Sources>(
      slash == std::string::npos ? "." : path_.substr(0, slash));
  {
    const std::lock_guard lock(mutex_);
    attempted_ = sources;
  }
  auto next = std::make_shared<Generation>(*this, next_generation(), std::move(sources));
  const std::lock_guard routes_lock(routes_mutex_);
  const bool is_first = current() == nullptr;
  add_executors(next->declared(), is_first);
  std::vector<std::string> seen;
  for (const Declaration& route : next->declared().routes) {
    std::string key = route.key();
    if (std::ranges::find(seen, key) != seen.end()) {
      throw std::runtime_error(path_ + " adds the route " + key + " twice");
    }
    if (std::ranges::find(slots_, key) == slots_.end()) add_slot(key, route);
    seen.push_back(std::move(key));
  }
  next->settle(slots_);
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

void Script::add_executors(const Declarations& declared, bool is_first) {
  Application& application = app_.routes_->application;
  if (is_first && !app_.in_use()) {
    const unsigned processors = std::max(1U, std::thread::hardware_concurrency());
    const unsigned places =
        options_.worker_concurrency > 0 ? options_.worker_concurrency : processors * 2;
    application.executors.emplace(kLuaExecutor, ExecutorOptions{places});
    has_executor_ = true;
  }
  for (const auto& [name, wanted] : declared.executors) {
    if (application.executors.contains(name)) continue;
    if (app_.in_use()) {
      throw std::runtime_error(path_ + ": the executor \"" + name +
                               "\" is new, and executors are made before the server starts: "
                               "start it anew");
    }
    app_.executor(name, wanted);
  }
  for (const Declaration& route : declared.routes) {
    if (!route.worker || route.worker->executor.empty() ||
        application.executors.contains(route.worker->executor)) {
      continue;
    }
    throw std::runtime_error(path_ + ": the route " + route.key() + " names the executor \"" +
                             route.worker->executor +
                             "\", which there is not: make it with app:executor() before");
  }
}

namespace {

// A route of the App's whose handler is the current generation's.
class Slot final : public PlaceChooser {
 public:
  Slot(std::shared_ptr<Script> script, std::size_t number, WorkerOptions options)
      : script_(std::move(script)), number_(number), options_(std::move(options)) {}

  http::HandedOver hand_over(RouteEntry& entry, RoutePlaces* places, http::Exchange& exchange,
                             bool may_wait) override {
    return script_->hand_over(number_, entry, places, exchange, may_wait);
  }
  void call(http::Exchange& exchange) override { script_->serve(number_, exchange); }
  const WorkerOptions& options() const noexcept override { return options_; }

 private:
  std::shared_ptr<Script> script_;
  std::size_t number_;
  WorkerOptions options_;
};

}  // namespace

void Script::add_slot(const std::string& key, const Declaration& route) {
  WorkerOptions options = route.worker.value_or(WorkerOptions{});
  if (options.executor.empty() && has_executor_) options.executor = kLuaExecutor;
  ChosenCall call{std::make_shared<Slot>(shared_from_this(), slots_.size(), std::move(options))};
  // A slot that is refused is not there, so that what is declared stays as it was.
  if (route.method.empty()) {
    app_.any(route.pattern, on_loop(), std::move(call));
  } else {
    app_.route(route.method, route.pattern, on_loop(), std::move(call));
  }
  slots_.push_back(key);
}

std::size_t Script::add_live(Generation& generation, LiveRoute route) {
  const std::lock_guard lock(routes_mutex_);
  const std::string key = route.route.key();
  if (generation.number() != current_number_.load(std::memory_order_acquire)) {
    throw std::runtime_error("the script was read anew meanwhile, so that the route " + key +
                             " would not be answered");
  }
  if (generation.answers(key)) throw std::invalid_argument("there is a route " + key + " already");
  const auto known = std::ranges::find(slots_, key);
  const auto slot = static_cast<std::size_t>(known - slots_.begin());
  const Declaration declared = route.route;
  // First, so that it is there when a request comes.
  generation.add_live(slot, std::move(route));
  if (known != slots_.end()) return slot;
  try {
    // Workers take it whatever becomes of the request that adds it.
    weft::shielded([&] { add_slot(key, declared); });
  } catch (...) {
    generation.take_back(slot, key);
    throw;
  }
  return slot;
}

std::shared_ptr<Generation> Script::current() const {
  const std::lock_guard lock(mutex_);
  return current_;
}

std::vector<std::string> Script::files() const {
  std::shared_ptr<exec::lua::Sources> attempted;
  std::shared_ptr<exec::lua::Sources> answering;
  {
    const std::lock_guard lock(mutex_);
    attempted = attempted_;
    answering = current_->shared_sources();
  }
  std::vector<std::string> all = answering->paths();
  if (attempted == answering) return all;
  for (std::string& path : attempted->paths()) {
    if (std::ranges::find(all, path) == all.end()) all.push_back(std::move(path));
  }
  return all;
}

State& Script::state_of_this_thread() {
  const std::uint64_t number = current_number_.load(std::memory_order_acquire);
  ThreadStates& states = ThreadStates::of_this_thread();
  if (State* const state = states.find(number)) [[likely]]
    return *state;
  return state_of(current());
}

State& Script::state_of(const std::shared_ptr<Generation>& generation) {
  ThreadStates& states = ThreadStates::of_this_thread();
  const std::uint64_t number = generation->number();
  State* state = states.find(number);
  if (state == nullptr) state = &states.add(generation);
  // One of an earlier generation ends with what it was made for.
  if (number == current_number_.load(std::memory_order_acquire)) {
    states.retire_others(*this, number);
  }
  return *state;
}

void Script::serve(std::size_t slot, http::Exchange& exchange) {
  State& state = state_of_this_thread();
  const Active active(state);
  Request request(exchange, state);
  call_entry(state.generation.at(slot), request);
}

void Script::serve_unrouted(http::Exchange& exchange) {
  State& state = state_of_this_thread();
  const Active active(state);
  Request request(exchange, state);
  call_entry(nullptr, request);
}

http::HandedOver Script::hand_over(std::size_t slot, RouteEntry& route, RoutePlaces* places,
                                   http::Exchange& exchange, bool may_wait) {
  State& state = state_of_this_thread();
  RouteEntry* const entry = state.generation.at(slot);
  // Without middleware of its own there is nothing to stand on a stack for.
  if (places != nullptr && entry != nullptr && entry->links.empty() && goes_to_pool(*entry)) {
    if (!may_wait) return {.waits_elsewhere = true};
    exchange.show_as<Context>();
    return {.end = &PoolAnswer::make(state.generation, *entry, route, *places, exchange)};
  }
  const Active active(state);
  Request request(exchange, state);
  call_entry(entry, request);
  return {};
}

// Null: the script has no such route.
void Script::call_entry(RouteEntry* entry, Request& request) {
  RouteEntry& found =
      entry != nullptr ? *entry : request.state.generation.unrouted(request.exchange().path());
  with_words(request, [&found, &request] {
    Handler::Call* const plain = found.handler.get_if<Handler::Call>();
    if (found.links.empty() && found.last == nullptr && plain != nullptr) return (*plain)(request);
    Next(found, 0, request)();
  });
}

void Script::give_words(Request& request, const std::exception& error) {
  const http::Exchange& exchange = request.exchange();
  const http::Site& site = exchange.site();
  if (site.handler_failed) site.handler_failed(error.what());
  site.log("the handler for " + http::printable(exchange.head().target()) +
           " threw: " + http::printable(error.what()));
  constexpr int kInternalServerError = 500;
  request.answer().clear();
  request.status(kInternalServerError);
  request.state.call(*request.state.generation.declared().on_error, request, nullptr, &error);
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

std::vector<std::string> LuaScript::files() const { return script_->files(); }

}  // namespace weft
