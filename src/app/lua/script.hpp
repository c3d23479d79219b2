// Script: what is behind a LuaScript. A Generation is what the files said when they were read last;
// a State runs them for one thread.
//
// Invariants: a request begins and ends in one state. All states of a generation declare the same
// routes in the same order, so that a function has the same number in each. A route of a script
// keeps its slot in the App for good; what is behind the slot is the current generation's. States
// are their threads'; generations are shared and change no more once they are made; a Script is
// guarded by its mutex but for the number of the current generation.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "app/lua/shared_things.hpp"
#include "app/route_entry.hpp"
#include "exec/lua/vm.hpp"
#include "weft/context.hpp"
#include "weft/events.hpp"
#include "weft/json_document.hpp"
#include "weft/lua.hpp"
#include "weft/middleware.hpp"

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
  std::optional<std::uint16_t> port;
  std::string host;

  // What states are compared by, a line for each.
  std::vector<std::string> lines() const;
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
  bool loading = true;  // routes are declared
  Declarations declared;
  const void* context_class = nullptr;  // the metatable of `c`
  int context_reference = LUA_NOREF;    // and where it is kept
  std::deque<Group> groups;             // a deque: the script has their addresses
  std::vector<int> functions;           // of the script, by number
  std::size_t active = 0;               // requests and green threads in it
  std::size_t spawned = 0;              // the latter
  std::string text;                     // written anew by whoever needs room for text
  std::vector<std::string_view> views;  // and for several
  std::shared_ptr<JsonDocument> document;
  exec::Value value;
  Vm vm;  // last: what it closes at its end may use all of the above
};

// What Lua may take of the stack: 200 calls of C's within one another, of which each may hold a
// kilobyte of a text that is put together. Only what is used takes memory.
inline constexpr std::size_t kScriptStackBytes = std::size_t{1024} * 1024;

class Generation : public std::enable_shared_from_this<Generation> {
 public:
  // Runs the files once. Throws exec::lua::ScriptError, std::runtime_error.
  Generation(Script& script, std::uint64_t number);

  std::uint64_t number() const noexcept { return number_; }
  // One more, for whichever thread asks.
  State& make_state();
  void drop(State& state) noexcept;
  // Once the first state is made and all slots are known.
  void settle(const std::vector<std::string>& slots);
  RouteEntry* at(std::size_t slot) noexcept {
    return slot < by_slot_.size() ? by_slot_[slot] : nullptr;
  }
  RouteEntry& unrouted(std::string_view path) noexcept;
  const Declarations& declared() const noexcept { return declared_; }
  exec::lua::Sources& sources() noexcept { return *sources_; }
  std::shared_ptr<exec::lua::Sources> shared_sources() const noexcept { return sources_; }

 private:
  static std::vector<Middleware> middleware_of(const std::vector<Link>& links);
  void require_same(const Declarations& made) const;

  Script& script_;
  std::uint64_t number_;
  std::shared_ptr<exec::lua::Sources> sources_;
  Declarations declared_;
  std::mutex mutex_;  // guards the next two
  std::vector<std::unique_ptr<State>> states_;
  State* spare_ = nullptr;  // the first, until a thread takes it
  std::deque<RouteEntry> entries_;
  std::vector<RouteEntry*> by_slot_;
  std::deque<RouteEntry> unrouted_;  // as declared().prefixes
};

class Script : public std::enable_shared_from_this<Script> {
 public:
  Script(App& app, std::string path, LuaOptions options);

  // The first time, and each time that the files are read anew. Throws.
  void load();
  // Answers a request that the App's router has found a slot for.
  void serve(std::size_t slot, http::Exchange& exchange);
  // And one that it has found nothing for.
  void serve_unrouted(http::Exchange& exchange);

  const std::string& path() const noexcept { return path_; }
  const LuaOptions& options() const noexcept { return options_; }
  std::shared_ptr<Generation> current() const;
  SharedThings& shared() noexcept { return shared_; }
  void log(const std::string& line) const;
  // A path that a script names: below its own folder, unless it begins with a slash.
  std::string beside(std::string_view path) const;

 private:
  void add_slot(const std::string& key, const Declaration& route);
  State& state_of_this_thread();
  void call_entry(RouteEntry& entry, Request& request);

  App& app_;
  std::string path_;
  LuaOptions options_;
  SharedThings shared_;
  std::vector<std::string> slots_;  // "GET /users/:id", of the loading thread
  mutable std::mutex mutex_;
  std::shared_ptr<Generation> current_;
  std::atomic<std::uint64_t> current_number_{0};
};

}  // namespace weft::app::lua
