// LuaScript: a script in Lua 5.4 that adds routes and middleware to an App.
//
//     weft::App app;
//     app.get("/native", [](weft::Context& c) { c.text("as fast as ever"); });
//     weft::LuaScript script(app, "app.lua");
//     return app.listen(script.port().value_or(8080));
//
// docs/lua.md says what a script can do. Each worker has a state of its own, in which the script
// runs once when the worker first needs it; what states share is what weft.shared() and named
// channels hold. Handlers in Lua wait like all others, and hold up nobody.
//
// Invariants: the script's routes stay those of its App. Bad scripts give errors and never end the
// process. The App must outlive the LuaScript; reload() is for one thread at a time, any but a
// worker's, also while the App serves.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace weft {

class App;

namespace app::lua {
class Script;
}

// Bounds on a script, and where it speaks to.
struct LuaOptions {
  // What a state may keep, of which each worker has one. Thousands of requests at a time fit, and a
  // script that gathers without an end is stopped before the machine swaps.
  std::size_t memory_bytes = std::size_t{64} * 1024 * 1024;
  // CPU time between two waits. What computes for so long holds up all others of its worker for as
  // long. Zero: no limit.
  std::chrono::milliseconds run_time{5'000};
  // Handlers of routes with worker() that may compute at once, as long as the routes name no
  // executor of their own. Zero: two for each processor, so that one may wait while another
  // computes.
  unsigned worker_concurrency = 0;
  // What one weft.shared() dictionary may hold, keys and values: a cache, not a database.
  std::size_t shared_bytes = std::size_t{32} * 1024 * 1024;
  // What print() and weft.log() say, a line at a time; called by all workers. Empty: it goes to
  // standard error.
  std::function<void(const std::string& line)> log = {};
};

// A script and its states, as the head of this file says.
class LuaScript {
 public:
  // Runs the file, which adds its routes. Throws std::runtime_error that says where it is broken,
  // and what App throws for routes that cannot be.
  LuaScript(App& app, const std::string& path, const LuaOptions& options = {});
  ~LuaScript();
  LuaScript(const LuaScript&) = delete;
  LuaScript& operator=(const LuaScript&) = delete;

  // Reads the file and its modules anew. From then on requests are answered by the new ones; those
  // under way end with the old ones. Nothing, or why it is refused and all stays as it was.
  std::optional<std::string> reload();

  // What the script has asked for with app:listen(); nothing when it has not.
  std::optional<std::uint16_t> port() const noexcept;
  // The address there; empty when it said none.
  std::string host() const;
  // The files that the script is made of: itself and the modules it has required; and those that
  // the last reload() which was refused has looked for, so that their repair can be noticed.
  std::vector<std::string> files() const;

 private:
  std::shared_ptr<app::lua::Script> script_;
};

}  // namespace weft
