// c:stream(), c:events() and c:session(): what `c` makes of classes of their own. Each keeps its
// `c` alive, as a user value, and ends with it.
#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <variant>

#include "app/lua/bindings.hpp"
#include "http/exchange.hpp"
#include "weft/events.hpp"
#include "weft/response_writer.hpp"
#include "weft/session.hpp"

namespace weft::app::lua {

namespace {

constexpr char kWriterClass[] = "weft.writer";
constexpr char kEventsClass[] = "weft.events";
constexpr char kSessionClass[] = "weft.session";

Request& waiting_request(lua_State* state) noexcept {
  return *static_cast<Box*>(lua_touserdata(state, 1))->call->request;
}

// A userdata of a class, for the `c` at 1.
void push_part_of_context(lua_State* state, const char* name) {
  auto** const place = static_cast<Box**>(lua_newuserdatauv(state, sizeof(Box*), 1));
  *place = static_cast<Box*>(lua_touserdata(state, 1));
  lua_pushvalue(state, 1);
  lua_setiuservalue(state, -2, 1);
  luaL_setmetatable(state, name);
}

Request& request_of(lua_State* state, const char* name) {
  const Box* const box = *static_cast<Box**>(luaL_checkudata(state, 1, name));
  if (box->call == nullptr) luaL_error(state, "its request has ended");
  return *box->call->request;
}

Request& waiting_request_of(lua_State* state) noexcept {
  return *(*static_cast<Box**>(lua_touserdata(state, 1)))->call->request;
}

int push_self(Run& /*run*/, lua_State* state) {
  lua_pushvalue(state, 1);
  return 1;
}

// What a function that was given the new object leaves: the object, which is on the stack at the
// context of the continuation.
int written(lua_State* state, int /*status*/, lua_KContext object) {
  lua_pushvalue(state, static_cast<int>(object));
  return 1;
}

// With the new object on top: calls the function at `index` with it, if there is one.
int hand_over(lua_State* state, int index) {
  const int object = lua_gettop(state);
  if (!lua_isfunction(state, index)) return 1;
  lua_pushvalue(state, index);
  lua_pushvalue(state, object);
  lua_callk(state, 1, 0, object, &written);
  return written(state, LUA_OK, object);
}

// ---- Streams

void perform_stream(Run& /*run*/, lua_State* state) {
  Request& request = waiting_request(state);
  request.stream(request.exchange().keep(std::string(text_at(state, 2))));
}

int push_writer(Run& /*run*/, lua_State* state) {
  push_part_of_context(state, kWriterClass);
  return hand_over(state, 3);
}

void perform_write(Run& /*run*/, lua_State* state) {
  ResponseWriter out(waiting_request_of(state).exchange());
  const int count = lua_gettop(state);
  for (int i = 2; i <= count; ++i) out.write(text_at(state, i));
}

int write(lua_State* state) {
  require_own(state, &request_of(state, kWriterClass));
  const int count = lua_gettop(state);
  for (int i = 2; i <= count; ++i) text_argument(state, i);
  return Run::wait(state, &perform_write, &push_self);
}

void perform_flush(Run& /*run*/, lua_State* state) {
  ResponseWriter(waiting_request_of(state).exchange()).flush();
}

int flush(lua_State* state) {
  require_own(state, &request_of(state, kWriterClass));
  return Run::wait(state, &perform_flush, &push_self);
}

int add_trailer(lua_State* state) {
  Request& request = request_of(state, kWriterClass);
  ResponseWriter(request.exchange()).trailer(text_argument(state, 2), text_argument(state, 3));
  lua_settop(state, 1);
  return 1;
}

// ---- Events

void perform_events(Run& run, lua_State* state) {
  Request& request = waiting_request(state);
  if (request.events != nullptr) throw std::logic_error("c:events() was called before");
  EventsOptions options;
  options.heartbeat = std::chrono::milliseconds(run.integer);
  // It stands where it is made, for it cannot be moved.
  request.events.reset(new Events(request.Context::events(options)));
}

int push_events(Run& /*run*/, lua_State* state) {
  push_part_of_context(state, kEventsClass);
  return hand_over(state, 2);
}

// An event as a script has it, kept while it is sent.
struct KeptEvent {
  std::string event;
  std::string data;
  std::optional<std::string> id;
  std::optional<std::chrono::milliseconds> retry;
};

// What a script gives is looked at where an error may be raised.
void keep_event(lua_State* state, Run& run) {
  std::string_view kind;
  std::string_view data;
  std::string_view id;
  constexpr lua_Number kNone = -1;
  constexpr lua_Number kMillis = 1000;
  lua_Number retry = kNone;
  if (lua_istable(state, 2)) {
    exec::lua::OptionTable options(state, 2, "send()");
    kind = options.text("event", {});
    data = options.text("data", {});
    id = options.text("id", {});
    retry = options.seconds("retry", kNone);
    options.end();
  } else {
    data = text_argument(state, 2);
  }
  auto kept = std::make_shared<KeptEvent>();
  kept->event = kind;
  kept->data = data;
  if (id.data() != nullptr) kept->id = id;
  if (retry >= 0) {
    kept->retry = std::chrono::milliseconds(static_cast<std::int64_t>(retry * kMillis));
  }
  run.kept = std::move(kept);
}

void perform_send(Run& run, lua_State* state) {
  const auto& kept = *static_cast<const KeptEvent*>(run.kept.get());
  Event event;
  event.event = kept.event;
  event.data = kept.data;
  if (kept.id) event.id = *kept.id;
  event.retry = kept.retry;
  waiting_request_of(state).events->send(event);
}

int send_event(lua_State* state) {
  require_own(state, &request_of(state, kEventsClass));
  keep_event(state, Run::require(state));
  return Run::wait(state, &perform_send, &push_self);
}

void perform_comment(Run& /*run*/, lua_State* state) {
  waiting_request_of(state).events->comment(text_at(state, 2));
}

int send_comment(lua_State* state) {
  require_own(state, &request_of(state, kEventsClass));
  text_argument_or(state, 2, {});
  return Run::wait(state, &perform_comment, &push_self);
}

// ---- Sessions

Session session_at(lua_State* state) { return session(request_of(state, kSessionClass)); }

int give_session(lua_State* state) {
  lua_settop(state, 1);
  return 1;
}

int get_of_session(lua_State* state) {
  const SessionValue* const value = session_at(state).find(text_argument(state, 2));
  if (value == nullptr) return 0;
  if (const auto* const truth = std::get_if<bool>(value)) {
    lua_pushboolean(state, *truth ? 1 : 0);
  } else if (const auto* const whole = std::get_if<std::int64_t>(value)) {
    lua_pushinteger(state, *whole);
  } else if (const auto* const number = std::get_if<double>(value)) {
    lua_pushnumber(state, *number);
  } else {
    push_text(state, *std::get_if<std::string>(value));
  }
  return 1;
}

int set_in_session(lua_State* state) {
  Session own = session_at(state);
  const std::string_view name = text_argument(state, 2);
  switch (lua_type(state, 3)) {
    case LUA_TBOOLEAN: own.set(name, lua_toboolean(state, 3) != 0); break;
    case LUA_TNUMBER:
      if (lua_isinteger(state, 3) != 0) {
        own.set(name, static_cast<std::int64_t>(lua_tointeger(state, 3)));
      } else {
        own.set(name, static_cast<double>(lua_tonumber(state, 3)));
      }
      break;
    case LUA_TSTRING: own.set(name, text_at(state, 3)); break;
    case LUA_TNIL: own.erase(name); break;
    default: return luaL_argerror(state, 3, "a session keeps booleans, numbers and texts");
  }
  return give_session(state);
}

int clear_session(lua_State* state) {
  session_at(state).clear();
  return give_session(state);
}

int flash(lua_State* state) {
  session_at(state).flash(text_argument(state, 2), text_argument(state, 3));
  return give_session(state);
}

int take_flash(lua_State* state) {
  Session own = session_at(state);
  const std::string_view name = text_argument(state, 2);
  std::string& kept = State::of(state).text;
  bool there = false;
  {
    auto text = own.take_flash(name);
    there = text.has_value();
    if (there) kept = std::move(*text);
  }
  if (!there) return 0;
  push_text(state, kept);
  return 1;
}

int regenerate(lua_State* state) {
  session_at(state).regenerate();
  return give_session(state);
}

int destroy_session(lua_State* state) {
  session_at(state).destroy();
  return give_session(state);
}

int session_id(lua_State* state) {
  push_text(state, session_at(state).id());
  return 1;
}

int session_is_new(lua_State* state) {
  lua_pushboolean(state, session_at(state).is_new() ? 1 : 0);
  return 1;
}

}  // namespace

// c:stream(type, [function(out)])
int answer_stream(lua_State* state) {
  require_loop(state, "c:stream()");
  own_request_at(state);
  text_argument(state, 2);
  return Run::wait(state, &perform_stream, &push_writer);
}

// c:events([function(events)], [{heartbeat = seconds}])
int answer_events(lua_State* state) {
  require_loop(state, "c:events()");
  own_request_at(state);
  constexpr lua_Number kUsual = 15;
  constexpr lua_Number kMillis = 1000;
  exec::lua::OptionTable options(state, 3, "c:events()");
  const lua_Number heartbeat = options.seconds("heartbeat", kUsual);
  options.end();
  Run::require(state).integer = static_cast<std::int64_t>(heartbeat * kMillis);
  return Run::wait(state, &perform_events, &push_events);
}

int get_session(lua_State* state) {
  Request& request = request_at(state);
  if (!has_session(request)) {
    return luaL_error(state, "there is no session: put weft.sessions{...} around the route");
  }
  push_part_of_context(state, kSessionClass);
  return 1;
}

void open_streams(lua_State* state) {
  static const luaL_Reg kWriter[] = {{"write", &guarded<&write>},
                                     {"flush", &guarded<&flush>},
                                     {"trailer", &guarded<&add_trailer>},
                                     {nullptr, nullptr}};
  make_class(state, kWriterClass, kWriter);
  static const luaL_Reg kEvents[] = {
      {"send", &guarded<&send_event>}, {"comment", &guarded<&send_comment>}, {nullptr, nullptr}};
  make_class(state, kEventsClass, kEvents);
}

void open_sessions(lua_State* state) {
  static const luaL_Reg kMethods[] = {
      {"get", &guarded<&get_of_session>},      {"set", &guarded<&set_in_session>},
      {"clear", &guarded<&clear_session>},     {"flash", &guarded<&flash>},
      {"take_flash", &guarded<&take_flash>},   {"regenerate", &guarded<&regenerate>},
      {"destroy", &guarded<&destroy_session>}, {"id", &guarded<&session_id>},
      {"is_new", &guarded<&session_is_new>},   {nullptr, nullptr},
  };
  make_class(state, kSessionClass, kMethods);
}

}  // namespace weft::app::lua
