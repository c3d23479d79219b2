// weft.client: asking other servers, over the connections that all workers share.
#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "app/lua/bindings.hpp"
#include "http/letter_case.hpp"
#include "weft/client.hpp"

namespace weft::app::lua {

namespace {

// One request and what came of it, kept by its run.
struct Asking {
  ClientRequest request;
  std::optional<ClientAnswer> answer;
  std::vector<ClientFieldView> fields;
  std::string reason;
};

Asking& asking_of(Run& run) { return *static_cast<Asking*>(run.kept.get()); }

void perform_request(Run& run, lua_State* state) {
  Asking& asking = asking_of(run);
  auto answer = State::of(state).script.shared().client().request(asking.request);
  if (!answer) {
    if (answer.error().code == ClientErrorCode::cancelled) detail::throw_cancelled();
    asking.reason = answer.error().message();
    return;
  }
  asking.answer = std::move(*answer);
  asking.fields = asking.answer->headers();
  // Names in lower case, where scripts look for them.
  run.text.clear();
}

void push_fields(lua_State* state, Run& run, const std::vector<ClientFieldView>& fields) {
  lua_createtable(state, 0, static_cast<int>(fields.size()));
  for (const ClientFieldView& field : fields) {
    run.text = http::in_lower_case(std::string(field.name));
    push_text(state, run.text);
    lua_pushvalue(state, -1);
    // Several of one name are one text with commas, but for cookies, of which the first counts.
    if (lua_rawget(state, -3) == LUA_TNIL) {
      lua_pop(state, 1);
      push_text(state, field.value);
    } else if (run.text != "set-cookie") {
      lua_pushliteral(state, ", ");
      push_text(state, field.value);
      lua_concat(state, 3);
    }
    lua_rawset(state, -3);
  }
}

// The answer as a table; or nil and what went wrong.
int push_answer(Run& run, lua_State* state) {
  const Asking& asking = asking_of(run);
  if (!asking.answer) {
    lua_pushnil(state);
    push_text(state, asking.reason);
    return 2;
  }
  lua_createtable(state, 0, 4);
  lua_pushinteger(state, asking.answer->status());
  lua_setfield(state, -2, "status");
  push_text(state, asking.answer->body());
  lua_setfield(state, -2, "body");
  push_text(state, asking.answer->url());
  lua_setfield(state, -2, "url");
  push_fields(state, run, asking.fields);
  lua_setfield(state, -2, "headers");
  return 1;
}

// The table of headers on top of the stack, which is taken off.
void take_headers(lua_State* state, ClientRequest& request) {
  if (!lua_istable(state, -1)) luaL_error(state, "weft.client: 'headers' is a table");
  lua_pushnil(state);
  while (lua_next(state, -2) != 0) {
    if (lua_type(state, -2) != LUA_TSTRING || lua_isstring(state, -1) == 0) {
      luaL_error(state, "weft.client: 'headers' has names and texts");
    }
    // A copy becomes text, so that the table is left as it is.
    lua_pushvalue(state, -1);
    const std::string_view value = text_at(state, -1);
    const std::string_view name = text_at(state, -3);
    request.headers.push_back({std::string(name), std::string(value)});
    lua_pop(state, 2);
  }
  lua_pop(state, 1);
}

// The options at an index, for a request that has its method and URL.
int ask(lua_State* state, std::string_view method, std::string_view url, int index) {
  Run& run = Run::require(state);
  State& own = State::of(state);
  run.kept = std::make_shared<Asking>();
  ClientRequest& request = asking_of(run).request;
  request.method = method;
  request.url = url;
  exec::lua::OptionTable options(state, index, "weft.client");
  const std::string_view named_method = options.text("method", {});
  if (named_method.data() != nullptr) request.method = named_method;
  const std::string_view named_url = options.text("url", {});
  if (named_url.data() != nullptr) request.url = named_url;
  const std::string_view body = options.text("body", {});
  if (body.data() != nullptr) request.body = body;
  if (options.push("headers")) take_headers(state, request);
  if (options.push("json")) {
    own.text.clear();
    write_json_of(state, -1, own.text);
    request.body = own.text;
    request.headers.push_back({"Content-Type", "application/json"});
    lua_pop(state, 1);
  }
  constexpr lua_Number kNone = -1;
  constexpr lua_Number kMillis = 1000;
  const lua_Number timeout = options.seconds("timeout", kNone);
  if (timeout >= 0) {
    request.timeout = std::chrono::milliseconds(static_cast<std::int64_t>(timeout * kMillis));
  }
  request.unix_socket = options.text("unix_socket", {});
  options.end();
  return Run::wait(state, &perform_request, &push_answer);
}

int get(lua_State* state) { return ask(state, "GET", text_argument(state, 1), 2); }

// weft.client.post(url, body, [options])
int post(lua_State* state) {
  const std::string_view url = text_argument(state, 1);
  if (lua_istable(state, 2)) return ask(state, "POST", url, 2);
  text_argument(state, 2);
  if (lua_isnoneornil(state, 3)) {
    lua_settop(state, 2);
    lua_newtable(state);
  }
  luaL_checktype(state, 3, LUA_TTABLE);
  lua_pushvalue(state, 2);
  lua_setfield(state, 3, "body");
  return ask(state, "POST", url, 3);
}

int request(lua_State* state) {
  luaL_checktype(state, 1, LUA_TTABLE);
  return ask(state, "GET", {}, 1);
}

}  // namespace

void open_client(lua_State* state) {
  static const luaL_Reg kFunctions[] = {{"get", &guarded<&get>},
                                        {"post", &guarded<&post>},
                                        {"request", &guarded<&request>},
                                        {nullptr, nullptr}};
  luaL_newlib(state, kFunctions);
  lua_setfield(state, -2, "client");
}

}  // namespace weft::app::lua
