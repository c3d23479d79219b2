// `weft serve`: serves the files of a folder, a script in Lua, or an application in Python, until
// SIGTERM or SIGINT.
#include <chrono>
#include <cstdio>
#include <exception>
#include <optional>
#include <stdexcept>
#include <string>

#include <weft/app.hpp>
#include <weft/lua.hpp>
#include <weft/middleware/compress.hpp>
#include <weft/middleware/static_files.hpp>

#include "app/serve_flags.hpp"
#include "cli/command.hpp"
#include "cli/python_application.hpp"
#include "cli/script_watch.hpp"
#include "http/header_text.hpp"
#include "http/served_path.hpp"

namespace weft::cli {
namespace {

// What is asked for beside the settings of every server.
struct Wishes {
  std::string what;  // a folder, or a script
  std::string index = "index.html";
  bool packed = false;
  StaticOptions files;
  bool reload = false;
  unsigned lua_memory_mb = 64;
  unsigned lua_run_ms = 5000;
  unsigned lua_shared_mb = 32;
  unsigned lua_concurrency = 0;

  bool is_script() const { return what.ends_with(".lua"); }
};

void add_flags(app::ServeFlags& flags, Wishes& wishes) {
  flags.flags()
      .word({"DIR|APP.lua|MODULE:NAME",
             "the folder whose files are served, or the script in Lua or the application in Python "
             "that answers"},
            wishes.what)
      .text({"index", "the file that stands for its folder (index.html)"}, "NAME", wishes.index)
      .toggle({"listing", "show what is in a folder without such a file"}, wishes.files.listing)
      .text({"fallback", "the file for pages that are not there, as single-page applications want"},
            "FILE", wishes.files.fallback)
      .text({"cache-control", "the Cache-Control of all files, such as max-age=3600"}, "TEXT",
            wishes.files.cache_control)
      .toggle({"precompressed", "give FILE.br, FILE.zst or FILE.gz to clients that take them"},
              wishes.files.precompressed)
      .toggle({"compress", "pack what clients take packed"}, wishes.packed)
      .toggle({"reload", "read a script anew when one of its files changes"}, wishes.reload)
      .number(
          {"lua-memory", "megabytes that a script may keep in each worker and pool thread (64)"},
          {4, 65'536}, wishes.lua_memory_mb)
      .number({"lua-run-time", "milliseconds a script may compute without waiting (5000; 0: any)"},
              {0, 86'400'000}, wishes.lua_run_ms)
      .number({"lua-shared", "megabytes that each weft.shared() dictionary may hold (32)"},
              {1, 65'536}, wishes.lua_shared_mb)
      .number({"lua-concurrency",
               "handlers of a script on the pool at once (0: two for each processor)"},
              {0, 10'000}, wishes.lua_concurrency);
}

int serve_folder(const Wishes& wishes, const Options& options) {
  StaticOptions files = wishes.files;
  if (!http::is_ordinary(wishes.index) || wishes.index.find('/') != std::string::npos) {
    std::fprintf(stderr, "weft serve: --index must be the name of a file, not '%s'\n",
                 wishes.index.c_str());
    return kExitUsage;
  }
  if (!files.fallback.empty() && !http::is_ordinary(files.fallback)) {
    std::fprintf(stderr, "weft serve: --fallback must be a file beneath the folder, not '%s'\n",
                 files.fallback.c_str());
    return kExitUsage;
  }
  if (!http::is_field_value(files.cache_control)) {
    std::fprintf(stderr, "weft serve: --cache-control holds a control byte\n");
    return kExitUsage;
  }
  files.index = {wishes.index};

  App application;
  if (wishes.packed) application.use(compress());
  try {
    application.files("/", wishes.what, files);
  } catch (const std::runtime_error& error) {
    std::fprintf(stderr, "weft serve: %s\n", error.what());
    return kExitFailed;
  }
  return application.run(options);
}

// Settings win over what the script says.
int serve_script(const Wishes& wishes, Arguments arguments) {
  App application;
  if (wishes.packed) application.use(compress());
  LuaOptions lua;
  lua.memory_bytes = static_cast<std::size_t>(wishes.lua_memory_mb) * 1024 * 1024;
  lua.run_time = std::chrono::milliseconds(wishes.lua_run_ms);
  lua.shared_bytes = static_cast<std::size_t>(wishes.lua_shared_mb) * 1024 * 1024;
  lua.worker_concurrency = wishes.lua_concurrency;
  std::optional<LuaScript> script;
  std::optional<ScriptWatch> watch;
  try {
    script.emplace(application, wishes.what, lua);
    if (wishes.reload) watch.emplace(*script);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "weft serve: %s\n", error.what());
    return kExitFailed;
  }
  Options defaults;
  defaults.port = script->port().value_or(defaults.port);
  if (!script->host().empty()) defaults.host = script->host();
  Wishes again;
  app::ServeFlags flags("weft serve", kServeCommand.summary, defaults);
  add_flags(flags, again);
  if (const auto status = flags.parse(arguments, app::process_environment())) return *status;
  return application.run(flags.options());
}

int run_serve(Arguments arguments) {
  if (names_python_application(arguments)) return serve_with_python(arguments);
  Wishes wishes;
  app::ServeFlags flags("weft serve", kServeCommand.summary);
  add_flags(flags, wishes);
  if (const auto status = flags.parse(arguments, app::process_environment())) return *status;
  if (wishes.is_script()) return serve_script(wishes, arguments);
  return serve_folder(wishes, flags.options());
}

}  // namespace

const Command kServeCommand{
    "serve",
    "Serves the files of a folder, a script in Lua, or an application in Python",
    run_serve,
};

}  // namespace weft::cli
