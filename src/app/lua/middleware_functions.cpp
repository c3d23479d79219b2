// The middleware in the box, as scripts put it around their routes: weft.logger() and the others.
//
// Each is a userdata that holds a Middleware; app:use() and routes take it.
#include <atomic>
#include <chrono>
#include <memory>
#include <new>
#include <string>

#include "app/lua/bindings.hpp"
#include "weft/middleware/body_limit.hpp"
#include "weft/middleware/compress.hpp"
#include "weft/middleware/cors.hpp"
#include "weft/middleware/etag.hpp"
#include "weft/middleware/limiter.hpp"
#include "weft/middleware/logger.hpp"
#include "weft/middleware/recover.hpp"
#include "weft/middleware/request_id.hpp"
#include "weft/middleware/response_time.hpp"
#include "weft/middleware/secure_headers.hpp"
#include "weft/middleware/sessions.hpp"
#include "weft/middleware/static_files.hpp"
#include "weft/middleware/timeout.hpp"

namespace weft::app::lua {

namespace {

using exec::lua::OptionTable;

int end_middleware(lua_State* state) {
  static_cast<Middleware*>(luaL_checkudata(state, 1, kMiddlewareClass))->~Middleware();
  lua_pushnil(state);
  lua_setmetatable(state, 1);
  return 0;
}

// A place for one, on top of the stack; what is not made there has no function that ends it.
void* push_place(lua_State* state) { return lua_newuserdatauv(state, sizeof(Middleware), 0); }

int give_middleware(lua_State* state) {
  luaL_setmetatable(state, kMiddlewareClass);
  return 1;
}

std::chrono::seconds whole_seconds(lua_Number seconds) {
  return std::chrono::seconds(static_cast<std::int64_t>(seconds));
}

std::chrono::nanoseconds exact(lua_Number seconds) {
  constexpr lua_Number kNanos = 1e9;
  return std::chrono::nanoseconds(static_cast<std::int64_t>(seconds * kNanos));
}

constexpr lua_Integer kMany = 1'000'000'000'000;

// The list of texts on top of the stack, which is taken off. Each text is an element's own, so a
// number is refused.
void take_texts(lua_State* state, const char* whose, std::vector<std::string>& into) {
  if (!lua_istable(state, -1)) luaL_error(state, "%s: a list of texts is wanted", whose);
  into.clear();
  const lua_Unsigned length = lua_rawlen(state, -1);
  for (lua_Unsigned i = 1; i <= length; ++i) {
    if (lua_rawgeti(state, -1, static_cast<lua_Integer>(i)) != LUA_TSTRING) {
      luaL_error(state, "%s: a list of texts is wanted", whose);
    }
    into.emplace_back(text_at(state, -1));
    lua_pop(state, 1);
  }
  lua_pop(state, 1);
}

// Options with parts that must be ended, of whatever middleware is being made. They stand in a
// userdata of their own, so that an error of Lua's finds them.
template <class Options>
Options& push_options(lua_State* state, int arguments = 1) {
  lua_settop(state, arguments);
  void* const place = lua_newuserdatauv(state, sizeof(Options), 0);
  auto* const made = new (place) Options();
  lua_createtable(state, 0, 1);
  lua_pushcfunction(state, [](lua_State* ended) {
    static_cast<Options*>(lua_touserdata(ended, 1))->~Options();
    return 0;
  });
  lua_setfield(state, -2, "__gc");
  lua_setmetatable(state, -2);
  return *made;
}

// The log is told of a request when it ends, and by then another generation may have come: so the
// request keeps its logger.
struct KeptLogger {
  std::string name;
  std::shared_ptr<const Middleware> log;

  void operator()(Context& context, Next& next) const {
    context.set(name, log);
    (*log)(context, next);
  }
};

Middleware kept_logger(const LoggerOptions& options) {
  static std::atomic<unsigned> made{0};
  return KeptLogger{"weft.logger " + std::to_string(made++),
                    std::make_shared<const Middleware>(logger(options))};
}

int make_logger(lua_State* state) {
  auto& wanted = push_options<LoggerOptions>(state);
  OptionTable options(state, 1, "weft.logger()");
  wanted.path = options.text("path", "-");
  wanted.format = options.text("format", "combined");
  options.end();
  new (push_place(state)) Middleware(kept_logger(wanted));
  return give_middleware(state);
}

int make_recover(lua_State* state) {
  auto& wanted = push_options<RecoverOptions>(state);
  OptionTable options(state, 1, "weft.recover()");
  if (options.boolean("json", false)) wanted.shape = ErrorFormat::json;
  wanted.http_errors = options.boolean("http_errors", false);
  options.end();
  new (push_place(state)) Middleware(recover(wanted));
  return give_middleware(state);
}

int make_cors(lua_State* state) {
  auto& wanted = push_options<CorsOptions>(state);
  OptionTable options(state, 1, "weft.cors()");
  if (options.push("origins")) take_texts(state, "weft.cors()", wanted.origins);
  if (options.push("methods")) take_texts(state, "weft.cors()", wanted.methods);
  if (options.push("headers")) take_texts(state, "weft.cors()", wanted.headers);
  if (options.push("expose")) take_texts(state, "weft.cors()", wanted.expose);
  wanted.credentials = options.boolean("credentials", false);
  constexpr lua_Number kTenMinutes = 600;
  wanted.max_age = whole_seconds(options.seconds("max_age", kTenMinutes));
  options.end();
  new (push_place(state)) Middleware(cors(wanted));
  return give_middleware(state);
}

int make_compress(lua_State* state) {
  auto& wanted = push_options<CompressOptions>(state);
  OptionTable options(state, 1, "weft.compress()");
  if (options.push("codings")) take_texts(state, "weft.compress()", wanted.codings);
  if (options.push("types")) take_texts(state, "weft.compress()", wanted.types);
  wanted.min_bytes = static_cast<std::size_t>(
      options.integer("min_bytes", static_cast<lua_Integer>(wanted.min_bytes), 0, kMany));
  options.end();
  new (push_place(state)) Middleware(compress(wanted));
  return give_middleware(state);
}

int make_secure_headers(lua_State* state) {
  auto& wanted = push_options<SecureHeadersOptions>(state);
  OptionTable options(state, 1, "weft.secure_headers()");
  wanted.content_security_policy =
      options.text("content_security_policy", wanted.content_security_policy);
  wanted.referrer_policy = options.text("referrer_policy", wanted.referrer_policy);
  wanted.frame_options = options.text("frame_options", wanted.frame_options);
  wanted.permissions_policy = options.text("permissions_policy", wanted.permissions_policy);
  constexpr lua_Number kNone = -1;
  const lua_Number hsts = options.seconds("hsts", kNone);
  if (hsts >= 0) wanted.hsts = Hsts{.max_age = whole_seconds(hsts)};
  options.end();
  new (push_place(state)) Middleware(secure_headers(wanted));
  return give_middleware(state);
}

int make_request_id(lua_State* state) {
  auto& wanted = push_options<RequestIdOptions>(state);
  OptionTable options(state, 1, "weft.request_id()");
  wanted.header = options.text("header", wanted.header);
  wanted.accept = options.boolean("accept", true);
  options.end();
  new (push_place(state)) Middleware(request_id(wanted));
  return give_middleware(state);
}

int make_limiter(lua_State* state) {
  auto& wanted = push_options<LimiterOptions>(state);
  OptionTable options(state, 1, "weft.limiter()");
  wanted.requests = static_cast<std::uint64_t>(
      options.integer("requests", static_cast<lua_Integer>(wanted.requests), 1, kMany));
  constexpr lua_Number kMinute = 60;
  wanted.window = exact(options.seconds("window", kMinute));
  wanted.burst = static_cast<std::uint64_t>(options.integer("burst", 0, 0, kMany));
  wanted.headers = options.boolean("headers", true);
  options.end();
  new (push_place(state)) Middleware(limiter(wanted));
  return give_middleware(state);
}

int make_max_in_flight(lua_State* state) {
  auto& wanted = push_options<InFlightOptions>(state);
  OptionTable options(state, 1, "weft.max_in_flight()");
  wanted.requests = static_cast<std::size_t>(
      options.integer("requests", static_cast<lua_Integer>(wanted.requests), 1, kMany));
  options.end();
  new (push_place(state)) Middleware(max_in_flight(wanted));
  return give_middleware(state);
}

int make_etag(lua_State* state) {
  EtagOptions wanted;
  OptionTable options(state, 1, "weft.etag()");
  wanted.weak = options.boolean("weak", false);
  options.end();
  new (push_place(state)) Middleware(etag(wanted));
  return give_middleware(state);
}

int make_timeout(lua_State* state) {
  const lua_Number seconds = luaL_checknumber(state, 1);
  constexpr lua_Number kMost = 1e8;
  luaL_argcheck(state, seconds > 0 && seconds <= kMost, 1, "a number of seconds above 0");
  new (push_place(state)) Middleware(timeout(exact(seconds)));
  return give_middleware(state);
}

int make_body_limit(lua_State* state) {
  const lua_Integer bytes = luaL_checkinteger(state, 1);
  luaL_argcheck(state, bytes >= 0, 1, "a number of bytes");
  new (push_place(state)) Middleware(body_limit(static_cast<std::uint64_t>(bytes)));
  return give_middleware(state);
}

int make_response_time(lua_State* state) {
  new (push_place(state)) Middleware(response_time());
  return give_middleware(state);
}

// weft.static_files(folder, [options])
int make_static_files(lua_State* state) {
  const std::string_view folder = text_argument(state, 1);
  auto& wanted = push_options<StaticOptions>(state, 2);
  OptionTable options(state, 2, "weft.static_files()");
  wanted.prefix = options.text("prefix", {});
  wanted.cache_control = options.text("cache_control", {});
  wanted.fallback = options.text("fallback", {});
  wanted.listing = options.boolean("listing", false);
  wanted.precompressed = options.boolean("precompressed", false);
  if (options.push("index")) take_texts(state, "weft.static_files()", wanted.index);
  options.end();
  new (push_place(state)) Middleware(static_files(State::of(state).script.beside(folder), wanted));
  return give_middleware(state);
}

int make_sessions(lua_State* state) {
  auto& wanted = push_options<SessionsOptions>(state);
  OptionTable options(state, 1, "weft.sessions()");
  if (options.push("keys")) take_texts(state, "weft.sessions()", wanted.keys);
  wanted.cookie_name = options.text("cookie_name", wanted.cookie_name);
  wanted.cookie.secure = options.boolean("secure", true);
  constexpr lua_Number kHour = 3600;
  constexpr lua_Number kDay = 86'400;
  wanted.idle_timeout = whole_seconds(options.seconds("idle_timeout", kHour));
  wanted.absolute_timeout = whole_seconds(options.seconds("absolute_timeout", kDay));
  options.end();
  new (push_place(state)) Middleware(sessions(wanted));
  return give_middleware(state);
}

}  // namespace

const Middleware* middleware_at(lua_State* state, int index) {
  return static_cast<const Middleware*>(luaL_testudata(state, index, kMiddlewareClass));
}

void open_middleware(lua_State* state) {
  static const luaL_Reg kFunctions[] = {
      {"body_limit", &guarded<&make_body_limit>},
      {"compress", &guarded<&make_compress>},
      {"cors", &guarded<&make_cors>},
      {"etag", &guarded<&make_etag>},
      {"limiter", &guarded<&make_limiter>},
      {"logger", &guarded<&make_logger>},
      {"max_in_flight", &guarded<&make_max_in_flight>},
      {"recover", &guarded<&make_recover>},
      {"request_id", &guarded<&make_request_id>},
      {"response_time", &guarded<&make_response_time>},
      {"secure_headers", &guarded<&make_secure_headers>},
      {"sessions", &guarded<&make_sessions>},
      {"static_files", &guarded<&make_static_files>},
      {"timeout", &guarded<&make_timeout>},
      {nullptr, nullptr},
  };
  luaL_setfuncs(state, kFunctions, 0);
  luaL_newmetatable(state, kMiddlewareClass);
  lua_pushcfunction(state, &end_middleware);
  lua_setfield(state, -2, "__gc");
  lua_pushboolean(state, 0);
  lua_setfield(state, -2, "__metatable");
  lua_pop(state, 1);
}

}  // namespace weft::app::lua
