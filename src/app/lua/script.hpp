// Script: what is behind a LuaScript. A Generation is what the files said when they were read last;
// a State runs them for one thread.
//
// Invariants: a request begins and ends in one state. All states of a generation declare the same
// routes in the same order, so that a function has the same number in each; what handlers add later
// is made in each from a closure, when it is first called there. A route of a script keeps its slot
// in the App for good; what is behind the slot is the current generation's. States are their
// threads', a worker's or one of the pool; generations are shared, and a Script is guarded by its
// mutexes but for the number of the current generation.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "app/lua/carried_values.hpp"
#include "app/lua/shared_things.hpp"
#include "app/place_chooser.hpp"
#include "app/route_entry.hpp"
#include "exec/lua/vm.hpp"
#include "exec/sendable_handler.hpp"
#include "weft/context.hpp"
#include "weft/events.hpp"
#include "weft/http_error.hpp"
#include "weft/json_document.hpp"
#include "weft/lua.hpp"
#include "weft/middleware.hpp"
#include "weft/sync.hpp"
#include "weft/worker_routes.hpp"

namespace weft::app::lua {

using exec::lua::Run;
using exec::lua::Vm;

class Generation;
class Script;
class State;

// One of a chain: a function of the script by its number, or middleware in the box.
using Link = std::variant<std::size_t, Middleware>;

// A route as a script declares it.
struct Declaration {
  std::string method;  // empty: any
  std::string pattern;
  std::vector<Link> links;
  std::variant<std::size_t, Handler> handler;
  std::optional<WorkerOptions> worker;  // nothing: its handler runs on the loop

  std::string key() const { return (method.empty() ? "ANY" : method) + " " + pattern; }
};

// Middleware of a prefix, for requests below it that no route fits.
struct PrefixDeclaration {
  std::string prefix;
  std::vector<Link> links;
};

// All that a script declares.
struct Declarations {
  std::vector<Declaration> routes;
  std::vector<PrefixDeclaration> prefixes;  // the first is that of the whole app: ""
  std::optional<std::size_t> not_found;
  std::optional<std::size_t> method_not_allowed;
  std::optional<std::size_t> on_error;
  std::map<std::string, ExecutorOptions> executors;
  std::optional<std::uint16_t> port;
  std::string host;

  // What states are compared by, a line for each.
  std::vector<std::string> lines() const;
};

// The executor of routes that name none: for so many states may be computed in at once.
inline constexpr char kLuaExecutor[] = "lua";

// A route that a handler adds, with those of its functions that no other state has.
struct LiveFunction {
  std::size_t number;
  exec::SendableClosure closure;
  int argument;               // where the state that adds it has it
  int reference = LUA_NOREF;  // and keeps it
};
struct LiveRoute {
  Declaration route;
  std::vector<LiveFunction> functions;
};

// A request while a script answers it. Stands on the stack of whoever called the script.
class Request : public Context {
 public:
  Request(http::Exchange& exchange, State& in) noexcept;
  ~Request();

  State& state;
  // The table of what c:set() keeps; LUA_NOREF: none yet.
  int values = LUA_NOREF;
  std::unique_ptr<Events> events;
  // On the pool: what has come along; null on the loop.
  const CarriedValues* carried = nullptr;
};

// A call of one of the script's functions: the object of its Run.
struct Call {
  explicit Call(State& in, Request* of = nullptr, Next* rest = nullptr) noexcept
      : state(in), request(of), next(rest) {}

  State& state;
  Request* request;  // null: it answers none
  Next* next;        // of a middleware
  // What the script has of it: a userdata, emptied when the call ends.
  struct Box* box = nullptr;
  const std::exception* error = nullptr;  // of the handler for errors
};

// What stands in the userdata that a script calls `c`.
struct Box {
  Call* call;  // null: it has ended
};

// Where a script declares routes: the app, or a group of it.
struct Group {
  std::string prefix;
  std::vector<Link> links;
};

class State {
 public:
  // Runs the script. Throws exec::lua::ScriptError.
  State(Script& script, Generation& generation);

  static State& of(lua_State* state) noexcept { return *static_cast<State*>(Vm::of(state).owner); }

  // Calls a function of the script for a request.
  void call(std::size_t function, Request& request, Next* next = nullptr,
            const std::exception* error = nullptr);

  Script& script;
  Generation& generation;
  bool loading = true;   // routes are declared
  bool on_pool = false;  // it is a pool thread's, which has no loop
  Declarations declared;
  const void* context_class = nullptr;  // the metatable of `c`
  int context_reference = LUA_NOREF;    // and where it is kept
  std::deque<Group> groups;             // a deque: the script has their addresses
  std::vector<int> functions;           // of the script, by number
  // Of routes that handlers have added, as far as they were called here.
  std::unordered_map<std::size_t, int> live_functions;
  std::optional<std::size_t> last_live;  // the slot of the one that was added just now
  std::size_t active = 0;                // requests and green threads in it
  std::size_t spawned = 0;               // the latter
  std::string text;                      // written anew by whoever needs room for text
  std::vector<std::string_view> views;   // and for several
  std::shared_ptr<JsonDocument> document;
  exec::Value value;
  Vm vm;  // last: what it closes at its end may use all of the above

 private:
  int reference_of(std::size_t function);
};

// What Lua may take of the stack: 200 calls of C's within one another, of which each may hold a
// kilobyte of a text that is put together. Only what is used takes memory.
inline constexpr std::size_t kScriptStackBytes = std::size_t{1024} * 1024;

class Generation : public std::enable_shared_from_this<Generation> {
 public:
  // Runs the files once. Throws exec::lua::ScriptError, std::runtime_error.
  Generation(Script& script, std::uint64_t number, std::shared_ptr<exec::lua::Sources> sources);

  std::uint64_t number() const noexcept { return number_; }
  Script& script() const noexcept { return script_; }
  // One more, for whichever thread asks.
  State& make_state();
  void drop(State& state) noexcept;
  // Once the first state is made and all slots are known.
  void settle(const std::vector<std::string>& slots);
  RouteEntry* at(std::size_t slot) noexcept {
    return slot < by_slot_.size() ? by_slot_[slot].load(std::memory_order_acquire) : nullptr;
  }
  RouteEntry& unrouted(std::string_view path) noexcept;
  const Declarations& declared() const noexcept { return declared_; }
  exec::lua::Sources& sources() noexcept { return *sources_; }
  std::shared_ptr<exec::lua::Sources> shared_sources() const noexcept { return sources_; }

  // ---- What handlers add

  // Routes, and bytes of their functions: each state keeps a copy of what it calls.
  static constexpr std::size_t kMostLive = 1'000;
  static constexpr std::size_t kMostLiveBytes = std::size_t{16} * 1024 * 1024;

  std::size_t next_function() noexcept {
    return next_function_.fetch_add(1, std::memory_order_relaxed);
  }
  // Whether it has a route of that name. Guarded by the script's lock on routes, as the next two.
  bool answers(const std::string& key) const { return keys_.contains(key); }
  // Throws std::length_error when there are too many.
  void add_live(std::size_t slot, LiveRoute route);
  void take_back(std::size_t slot, const std::string& key) noexcept;
  // From the next request on. Any thread, as the next one.
  void move_to_pool(std::size_t slot);
  // Null: there is none of that number.
  const exec::SendableClosure* find_live(std::size_t function) const noexcept;

 private:
  RouteEntry& make_entry(const Declaration& route);
  static std::vector<Middleware> middleware_of(const std::vector<Link>& links);
  void require_same(const Declarations& made) const;

  Script& script_;
  std::uint64_t number_;
  std::shared_ptr<exec::lua::Sources> sources_;
  Declarations declared_;
  mutable std::mutex mutex_;  // guards the next ones
  std::vector<std::unique_ptr<State>> states_;
  State* spare_ = nullptr;  // the first, until a thread takes it
  std::deque<RouteEntry> entries_;
  std::map<std::size_t, exec::SendableClosure> live_;  // by number
  std::size_t live_routes_ = 0;
  std::size_t live_bytes_ = 0;
  std::size_t loaded_functions_ = 0;
  std::atomic<std::size_t> next_function_{0};
  std::set<std::string> keys_;
  std::vector<std::atomic<RouteEntry*>> by_slot_;
  std::deque<RouteEntry> unrouted_;  // as declared().prefixes
};

class Script : public std::enable_shared_from_this<Script> {
 public:
  Script(App& app, std::string path, LuaOptions options);

  // The first time, and each time that the files are read anew. Throws.
  void load();
  // Answers a request that the App's router has found a slot for, and waits for that.
  void serve(std::size_t slot, http::Exchange& exchange);
  // And one that it has found nothing for.
  void serve_unrouted(http::Exchange& exchange);
  // As PlaceChooser; `route` is the App's.
  http::HandedOver hand_over(std::size_t slot, RouteEntry& route, RoutePlaces* places,
                             http::Exchange& exchange, bool may_wait);
  // Adds what a handler of that generation wants, which parks. Throws what App does.
  std::size_t add_live(Generation& generation, LiveRoute route);
  // The calling thread's, made when it has none.
  State& state_of(const std::shared_ptr<Generation>& generation);
  // Calls what answers, and gives an error the words that the script has for it.
  template <class Answer>
  void with_words(Request& request, const Answer& answer);

  const std::string& path() const noexcept { return path_; }
  const LuaOptions& options() const noexcept { return options_; }
  std::shared_ptr<Generation> current() const;
  // The files of the current generation, and those of the last that could not be made.
  std::vector<std::string> files() const;
  SharedThings& shared() noexcept { return shared_; }
  void log(const std::string& line) const;
  // A path that a script names: below its own folder, unless it begins with a slash.
  std::string beside(std::string_view path) const;

 private:
  void add_slot(const std::string& key, const Declaration& route);
  void add_executors(const Declarations& declared, bool is_first);
  State& state_of_this_thread();
  void call_entry(RouteEntry* entry, Request& request);
  void give_words(Request& request, const std::exception& error);

  App& app_;
  std::string path_;
  LuaOptions options_;
  SharedThings shared_;
  Mutex routes_mutex_;              // guards the next ones; what holds it may park
  std::vector<std::string> slots_;  // "GET /users/:id"
  bool has_executor_ = false;
  mutable std::mutex mutex_;  // guards the next two
  std::shared_ptr<Generation> current_;
  std::shared_ptr<exec::lua::Sources> attempted_;
  std::atomic<std::uint64_t> current_number_{0};
};

template <class Answer>
void Script::with_words(Request& request, const Answer& answer) {
  if (!request.state.generation.declared().on_error) return answer();
  std::optional<std::runtime_error> thrown;
  try {
    return answer();
  } catch (const HttpError&) {
    throw;
  } catch (const std::exception& error) {
    if (request.answer().streamed()) throw;
    thrown.emplace(error.what());
  }
  give_words(request, *thrown);
}

}  // namespace weft::app::lua
