// `c`: what a handler is told of its request, and what it answers.
#include <chrono>
#include <optional>
#include <stdexcept>
#include <string>

#include "app/lua/bindings.hpp"
#include "app/lua/carried_values.hpp"
#include "http/exchange.hpp"
#include "weft/body_reader.hpp"
#include "weft/file_root.hpp"
#include "weft/http_error.hpp"
#include "weft/set_cookie.hpp"

namespace weft::app::lua {

namespace {

// Of a function that waits, outside of Lua: the call was looked at before.
Request& waiting_request(lua_State* state) noexcept {
  return *static_cast<Box*>(lua_touserdata(state, 1))->call->request;
}

// The text, or the argument that stands in its place; nothing there is told by a null view.
int push_or(lua_State* state, std::string_view text, int fallback) {
  if (text.data() != nullptr) {
    push_text(state, text);
  } else if (lua_isnone(state, fallback)) {
    lua_pushnil(state);
  } else {
    lua_pushvalue(state, fallback);
  }
  return 1;
}

int give_context(lua_State* state) {
  lua_settop(state, 1);
  return 1;
}

// ---- The request

int get_method(lua_State* state) {
  push_text(state, request_at(state).method());
  return 1;
}

int get_path(lua_State* state) {
  push_text(state, request_at(state).path());
  return 1;
}

int get_route(lua_State* state) {
  push_text(state, request_at(state).route());
  return 1;
}

int get_param(lua_State* state) {
  Request& request = request_at(state);
  return push_or(state, request.param(text_argument(state, 2)), 3);
}

int get_query(lua_State* state) {
  Request& request = request_at(state);
  return push_or(state, request.query(text_argument(state, 2)), 3);
}

int get_query_all(lua_State* state) {
  Request& request = request_at(state);
  const std::string_view name = text_argument(state, 2);
  lua_newtable(state);
  exec::lua::mark_list(state);
  std::string_view value = request.query(name);
  if (value.data() == nullptr) return 1;
  // The views stay good for as long as the request, so that nothing is alive while they are pushed.
  std::size_t count = 0;
  {
    auto& kept = State::of(state).views;
    kept = request.query_all(name);
    count = kept.size();
  }
  for (std::size_t i = 0; i < count; ++i) {
    push_text(state, State::of(state).views[i]);
    lua_rawseti(state, -2, static_cast<lua_Integer>(i + 1));
  }
  return 1;
}

int get_header(lua_State* state) {
  const Request& request = request_at(state);
  return push_or(state, request.header(text_argument(state, 2)), 3);
}

int get_cookie(lua_State* state) {
  const Request& request = request_at(state);
  return push_or(state, request.cookie(text_argument(state, 2)), 3);
}

int get_scheme(lua_State* state) {
  push_text(state, request_at(state).scheme());
  return 1;
}

int get_host(lua_State* state) {
  push_text(state, request_at(state).host());
  return 1;
}

// The client's address without a port; nil where it has none.
int get_address(lua_State* state) {
  const Request& request = request_at(state);
  State& own = State::of(state);
  bool known = false;
  {
    const auto endpoint = request.client_address();
    known = endpoint.has_value();
    if (known) own.text = endpoint->host();
  }
  if (!known) return 0;
  push_text(state, own.text);
  return 1;
}

int push_view(Run& run, lua_State* state) {
  push_text(state, run.view);
  return 1;
}

void perform_body(Run& run, lua_State* state) { run.view = waiting_request(state).body(); }

int get_body(lua_State* state) {
  own_request_at(state);
  return Run::wait(state, &perform_body, &push_view);
}

void perform_part(Run& run, lua_State* state) {
  run.view = waiting_request(state).body_stream().read();
}

int push_part(Run& run, lua_State* state) {
  if (run.view.empty()) return 0;
  return push_view(run, state);
}

int read_body(lua_State* state) {
  own_request_at(state);
  return Run::wait(state, &perform_part, &push_part);
}

void perform_json_body(Run& run, lua_State* state) {
  run.kept = std::make_shared<JsonDocument>(waiting_request(state).json_body());
}

int push_document(Run& run, lua_State* state) {
  push_json(state, static_cast<const JsonDocument*>(run.kept.get())->root());
  return 1;
}

int get_json_body(lua_State* state) {
  own_request_at(state);
  return Run::wait(state, &perform_json_body, &push_document);
}

// ---- What belongs to the request

int set_value(lua_State* state) {
  Request& request = request_at(state);
  luaL_checkany(state, 2);
  lua_settop(state, 3);
  if (request.values == LUA_NOREF) {
    lua_newtable(state);
    request.values = Vm::keep(state);
  }
  lua_rawgeti(state, LUA_REGISTRYINDEX, request.values);
  lua_insert(state, 2);
  lua_settable(state, 2);
  return give_context(state);
}

int get_value(lua_State* state) {
  const Request& request = request_at(state);
  luaL_checkany(state, 2);
  if (request.values != LUA_NOREF) {
    lua_rawgeti(state, LUA_REGISTRYINDEX, request.values);
    lua_pushvalue(state, 2);
    if (lua_gettable(state, -2) != LUA_TNIL) return 1;
  }
  if (request.carried != nullptr && lua_type(state, 2) == LUA_TSTRING) {
    const exec::ValueRefusal* const refusal = find_refusal(*request.carried, text_at(state, 2));
    if (refusal != nullptr) {
      return luaL_error(state, "what c:set(\"%s\", ...) has kept cannot come to the pool: %s %s",
                        lua_tostring(state, 2), refusal->path.c_str(), refusal->reason.c_str());
    }
  }
  lua_pushnil(state);
  return 1;
}

// ---- The answer

int set_status(lua_State* state) {
  Request& request = request_at(state);
  const lua_Integer status = luaL_checkinteger(state, 2);
  constexpr lua_Integer kNone = 0;
  constexpr lua_Integer kMost = 999;
  request.status(static_cast<int>(status >= kNone && status <= kMost ? status : kNone));
  return give_context(state);
}

int get_answer_status(lua_State* state) {
  lua_pushinteger(state, request_at(state).answer().status());
  return 1;
}

int get_answer_is_sent(lua_State* state) {
  lua_pushboolean(state, request_at(state).answer().head_is_sent() ? 1 : 0);
  return 1;
}

int set_header(lua_State* state) {
  Request& request = request_at(state);
  request.set_header(text_argument(state, 2), text_argument(state, 3));
  return give_context(state);
}

int add_header(lua_State* state) {
  Request& request = request_at(state);
  request.add_header(text_argument(state, 2), text_argument(state, 3));
  return give_context(state);
}

void take_status(lua_State* state, Request& request, int index) {
  if (lua_isnoneornil(state, index)) return;
  request.status(static_cast<int>(luaL_checkinteger(state, index)));
}

void set_text(Context& context, std::string_view body) { context.text(body); }
void set_html(Context& context, std::string_view body) { context.html(body); }
void set_xml(Context& context, std::string_view body) { context.xml(body); }

template <void (*set)(Context&, std::string_view)>
int answer_text(lua_State* state) {
  Request& request = request_at(state);
  const std::string_view body = text_argument(state, 2);
  take_status(state, request, 3);
  set(request, body);
  return give_context(state);
}

int answer_json(lua_State* state) {
  Request& request = request_at(state);
  luaL_checkany(state, 2);
  take_status(state, request, 3);
  std::string& text = request.state.text;
  text.clear();
  write_json_of(state, 2, text);
  request.bytes(text, "application/json");
  return give_context(state);
}

int answer_bytes(lua_State* state) {
  Request& request = request_at(state);
  const std::string_view body = text_argument(state, 2);
  const std::string_view type = text_argument(state, 3);
  request.bytes(body, request.exchange().keep(std::string(type)));
  return give_context(state);
}

int answer_redirect(lua_State* state) {
  constexpr lua_Integer kFound = 302;
  Request& request = request_at(state);
  const std::string_view address = text_argument(state, 2);
  request.redirect(address, static_cast<int>(luaL_optinteger(state, 3, kFound)));
  return give_context(state);
}

int answer_no_content(lua_State* state) {
  request_at(state).no_content();
  return give_context(state);
}

int abort_request(lua_State* state) {
  request_at(state);
  const lua_Integer status = luaL_checkinteger(state, 2);
  const std::string_view words = text_argument_or(state, 3, {});
  luaL_argcheck(state, status >= 400 && status <= 599, 2, "a status of an error: 400 to 599");
  throw HttpError(static_cast<int>(status), std::string(words));
}

void perform_file(Run& run, lua_State* state) {
  Request& request = waiting_request(state);
  const std::string path = request.state.script.beside(text_at(state, 2));
  run.flag =
      lua_isnoneornil(state, 3) ? request.file(path) : request.download(path, text_at(state, 3));
}

int push_flag(Run& run, lua_State* state) {
  lua_pushboolean(state, run.flag ? 1 : 0);
  return 1;
}

// c:file(path) and c:download(path, name): whether there is such a file.
int answer_file(lua_State* state) {
  require_loop(state, "c:file()");
  own_request_at(state);
  text_argument(state, 2);
  lua_settop(state, 2);
  return Run::wait(state, &perform_file, &push_flag);
}

void perform_file_in(Run& run, lua_State* state) {
  Request& request = waiting_request(state);
  const std::string folder = request.state.script.beside(text_at(state, 2));
  auto root = FileRoot::open(folder);
  if (!root) throw std::runtime_error(folder + ": " + root.error().message());
  run.flag = request.file(*root, text_at(state, 3));
}

// c:file_in(folder, path): for a path that comes from the client.
int answer_file_in(lua_State* state) {
  require_loop(state, "c:file_in()");
  own_request_at(state);
  text_argument(state, 2);
  text_argument(state, 3);
  return Run::wait(state, &perform_file_in, &push_flag);
}

int answer_download(lua_State* state) {
  require_loop(state, "c:download()");
  own_request_at(state);
  text_argument(state, 2);
  text_argument(state, 3);
  return Run::wait(state, &perform_file, &push_flag);
}

// ---- Cookies

struct CookieWish {
  std::string_view path;
  std::string_view domain;
  lua_Number max_age = -1;
  bool secure = false;
  bool http_only = true;
  SameSite same_site = SameSite::lax;

  CookieOptions options() const {
    CookieOptions made;
    made.path = path;
    made.domain = domain;
    if (max_age >= 0) made.max_age = std::chrono::seconds(static_cast<std::int64_t>(max_age));
    made.secure = secure;
    made.http_only = http_only;
    made.same_site = same_site;
    return made;
  }
};

CookieWish cookie_wish(lua_State* state, int index, const char* whose) {
  CookieWish wish;
  exec::lua::OptionTable options(state, index, whose);
  wish.path = options.text("path", "/");
  wish.domain = options.text("domain", {});
  wish.max_age = options.seconds("max_age", -1);
  wish.secure = options.boolean("secure", false);
  wish.http_only = options.boolean("http_only", true);
  const std::string_view same_site = options.text("same_site", "lax");
  options.end();
  if (same_site == "strict") {
    wish.same_site = SameSite::strict;
  } else if (same_site == "none") {
    wish.same_site = SameSite::none;
  } else if (same_site == "unset") {
    wish.same_site = SameSite::unset;
  } else if (same_site != "lax") {
    luaL_error(state, "%s: 'same_site' is lax, strict, none or unset", whose);
  }
  return wish;
}

int set_cookie(lua_State* state) {
  Request& request = request_at(state);
  const std::string_view name = text_argument(state, 2);
  const std::string_view value = text_argument(state, 3);
  const CookieWish wish = cookie_wish(state, 4, "c:set_cookie()");
  request.set_cookie(name, value, wish.options());
  return give_context(state);
}

int clear_cookie(lua_State* state) {
  Request& request = request_at(state);
  const std::string_view name = text_argument(state, 2);
  const CookieWish wish = cookie_wish(state, 3, "c:clear_cookie()");
  request.clear_cookie(name, wish.options());
  return give_context(state);
}

// ---- What a function is called with

void perform_next(Run& run, lua_State* /*state*/) { (*static_cast<Call*>(run.object())->next)(); }

int push_nothing(Run& /*run*/, lua_State* /*state*/) { return 0; }

int call_next(lua_State* state) {
  const auto* const box = static_cast<const Box*>(lua_touserdata(state, lua_upvalueindex(1)));
  const Run* const run = Vm::of(state).run();
  if (box->call == nullptr || run == nullptr || run->object() != box->call) {
    return luaL_error(state, "next() belongs to the middleware it was given to, and ends with it");
  }
  return Run::wait(state, &perform_next, &push_nothing);
}

}  // namespace

int push_context(Run& run, lua_State* state) {
  auto& call = *static_cast<Call*>(run.object());
  auto* const box = static_cast<Box*>(lua_newuserdatauv(state, sizeof(Box), 0));
  box->call = &call;
  call.box = box;
  lua_rawgeti(state, LUA_REGISTRYINDEX, call.state.context_reference);
  lua_setmetatable(state, -2);
  if (call.next != nullptr) {
    lua_pushvalue(state, -1);
    lua_pushcclosure(state, &guarded<&call_next>, 1);
    return 2;
  }
  if (call.error == nullptr) return 1;
  lua_pushstring(state, call.error->what());
  return 2;
}

Call& call_at(lua_State* state, int index) {
  // As luaL_checkudata() does it, without looking for the class by its name.
  const bool has_class = lua_getmetatable(state, index) != 0;
  const bool is_context = has_class && lua_topointer(state, -1) == State::of(state).context_class;
  if (has_class) lua_pop(state, 1);
  if (!is_context) luaL_typeerror(state, index, "c, as in c:text()");
  const auto* const box = static_cast<const Box*>(lua_touserdata(state, index));
  if (box->call == nullptr) luaL_error(state, "the request of this c has ended");
  return *box->call;
}

void open_context(lua_State* state) {
  static const luaL_Reg kMethods[] = {
      {"method", &guarded<&get_method>},
      {"path", &guarded<&get_path>},
      {"route", &guarded<&get_route>},
      {"param", &guarded<&get_param>},
      {"query", &guarded<&get_query>},
      {"query_all", &guarded<&get_query_all>},
      {"header", &guarded<&get_header>},
      {"cookie", &guarded<&get_cookie>},
      {"scheme", &guarded<&get_scheme>},
      {"host", &guarded<&get_host>},
      {"address", &guarded<&get_address>},
      {"body", &guarded<&get_body>},
      {"read", &guarded<&read_body>},
      {"json_body", &guarded<&get_json_body>},
      {"set", &guarded<&set_value>},
      {"get", &guarded<&get_value>},
      {"status", &guarded<&set_status>},
      {"answer_status", &guarded<&get_answer_status>},
      {"answer_is_sent", &guarded<&get_answer_is_sent>},
      {"set_header", &guarded<&set_header>},
      {"add_header", &guarded<&add_header>},
      {"text", &guarded<&answer_text<&set_text>>},
      {"html", &guarded<&answer_text<&set_html>>},
      {"xml", &guarded<&answer_text<&set_xml>>},
      {"json", &guarded<&answer_json>},
      {"bytes", &guarded<&answer_bytes>},
      {"redirect", &guarded<&answer_redirect>},
      {"no_content", &guarded<&answer_no_content>},
      {"abort", &guarded<&abort_request>},
      {"file", &guarded<&answer_file>},
      {"file_in", &guarded<&answer_file_in>},
      {"download", &guarded<&answer_download>},
      {"set_cookie", &guarded<&set_cookie>},
      {"clear_cookie", &guarded<&clear_cookie>},
      {"stream", &guarded<&answer_stream>},
      {"events", &guarded<&answer_events>},
      {"session", &guarded<&get_session>},
      {nullptr, nullptr},
  };
  make_class(state, kContextClass, kMethods);
  State& own = State::of(state);
  luaL_getmetatable(state, kContextClass);
  lua_getfield(state, -1, "__index");
  add_form_methods(state);
  lua_pop(state, 1);
  own.context_class = lua_topointer(state, -1);
  own.context_reference = Vm::keep(state);
  open_streams(state);
  open_sessions(state);
}

}  // namespace weft::app::lua
