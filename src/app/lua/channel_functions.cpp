// weft.channel(): values handed from one green thread to another; with a name, of any worker.
#include <chrono>
#include <new>
#include <optional>
#include <variant>

#include "app/lua/bindings.hpp"

namespace weft::app::lua {

namespace {

// Values that wait in one.
constexpr lua_Integer kMostCapacity = 1'000'000;
constexpr lua_Number kNanos = 1e9;

ValueChannel& channel_at(lua_State* state) {
  return *static_cast<ValueChannel*>(luaL_checkudata(state, 1, kChannelClass));
}

ValueChannel& waiting_channel(lua_State* state) noexcept {
  return *static_cast<ValueChannel*>(lua_touserdata(state, 1));
}

int end_channel(lua_State* state) {
  channel_at(state).~ValueChannel();
  lua_pushnil(state);
  lua_setmetatable(state, 1);
  return 0;
}

// weft.channel([name], [capacity])
int make_channel(lua_State* state) {
  const bool is_named = lua_type(state, 1) == LUA_TSTRING;
  const std::string_view name = is_named ? text_at(state, 1) : std::string_view();
  const lua_Integer capacity = luaL_optinteger(state, is_named ? 2 : 1, 0);
  luaL_argcheck(state, capacity >= 0 && capacity <= kMostCapacity, is_named ? 2 : 1,
                "a capacity from 0 to 1000000");
  void* const place = lua_newuserdatauv(state, sizeof(ValueChannel), 0);
  const auto size = static_cast<std::size_t>(capacity);
  if (is_named) {
    new (place) ValueChannel(State::of(state).script.shared().channel(name, size));
  } else {
    new (place) ValueChannel(size);
  }
  // Only what is one has the function that ends it.
  luaL_setmetatable(state, kChannelClass);
  return 1;
}

// Seconds at an index as nanoseconds; -1: for ever.
std::int64_t patience_at(lua_State* state, int index) {
  if (lua_isnoneornil(state, index)) return -1;
  const lua_Number seconds = luaL_checknumber(state, index);
  constexpr lua_Number kMost = 1e8;
  luaL_argcheck(state, seconds >= 0 && seconds <= kMost, index, "a number of seconds");
  return static_cast<std::int64_t>(seconds * kNanos);
}

void perform_send(Run& run, lua_State* state) {
  const ValueChannel channel = waiting_channel(state);
  if (run.integer < 0) {
    run.flag = channel.send(std::move(run.value));
    run.text = run.flag ? "" : "closed";
    return;
  }
  const auto sent = channel.send_for(std::move(run.value), std::chrono::nanoseconds(run.integer));
  run.flag = sent.ok();
  if (sent) return;
  if (sent.error().code == ErrorCode::cancelled) detail::throw_cancelled();
  run.text = sent.error().code == ErrorCode::timed_out ? "timeout" : "closed";
}

// True; or false and "closed" or "timeout".
int push_sent(Run& run, lua_State* state) {
  lua_pushboolean(state, run.flag ? 1 : 0);
  if (run.flag) return 1;
  push_text(state, run.text);
  return 2;
}

void take_value(lua_State* state, int index, exec::Value& into) {
  const auto& limits = Vm::of(state).options().values;
  auto read = exec::lua::to_value(state, index, limits);
  if (const auto* const refusal = std::get_if<exec::ValueRefusal>(&read)) {
    throw std::invalid_argument("the value cannot be sent: " + refusal->text());
  }
  into = std::get<exec::Value>(std::move(read));
}

// channel:send(value, [seconds])
int send_value(lua_State* state) {
  channel_at(state);
  luaL_checkany(state, 2);
  luaL_argcheck(state, !lua_isnil(state, 2), 2, "a value that is not nil");
  const std::int64_t patience = patience_at(state, 3);
  Run& run = Run::require(state);
  run.integer = patience;
  take_value(state, 2, run.value);
  return Run::wait(state, &perform_send, &push_sent);
}

void perform_receive(Run& run, lua_State* state) {
  const ValueChannel channel = waiting_channel(state);
  if (run.integer < 0) {
    auto value = channel.receive();
    run.flag = value.has_value();
    if (run.flag) run.value = std::move(*value);
    run.text = "closed";
    return;
  }
  auto value = channel.receive_for(std::chrono::nanoseconds(run.integer));
  run.flag = value.ok();
  if (value) {
    run.value = std::move(*value);
    return;
  }
  if (value.error().code == ErrorCode::cancelled) detail::throw_cancelled();
  run.text = value.error().code == ErrorCode::timed_out ? "timeout" : "closed";
}

// The value; or nil and "closed" or "timeout".
int push_received(Run& run, lua_State* state) {
  if (run.flag) {
    exec::lua::push_value(state, run.value);
    return 1;
  }
  lua_pushnil(state);
  push_text(state, run.text);
  return 2;
}

// channel:receive([seconds])
int receive_value(lua_State* state) {
  channel_at(state);
  const std::int64_t patience = patience_at(state, 2);
  Run::require(state).integer = patience;
  return Run::wait(state, &perform_receive, &push_received);
}

int try_send(lua_State* state) {
  const ValueChannel& channel = channel_at(state);
  luaL_checkany(state, 2);
  luaL_argcheck(state, !lua_isnil(state, 2), 2, "a value that is not nil");
  bool sent = false;
  {
    exec::Value value;
    take_value(state, 2, value);
    sent = channel.try_send(std::move(value));
  }
  lua_pushboolean(state, sent ? 1 : 0);
  return 1;
}

int close_channel(lua_State* state) {
  lua_pushboolean(state, channel_at(state).close() ? 1 : 0);
  return 1;
}

int channel_size(lua_State* state) {
  lua_pushinteger(state, static_cast<lua_Integer>(channel_at(state).size()));
  return 1;
}

int step(lua_State* state) {
  lua_settop(state, 1);
  channel_at(state);
  Run::require(state).integer = -1;
  return Run::wait(state, &perform_receive, &push_received);
}

// for value in channel:each() do … end
int each(lua_State* state) {
  channel_at(state);
  lua_pushcfunction(state, &guarded<&step>);
  lua_pushvalue(state, 1);
  return 2;
}

}  // namespace

void open_channels(lua_State* state) {
  static const luaL_Reg kMethods[] = {
      {"send", &guarded<&send_value>},
      {"try_send", &guarded<&try_send>},
      {"receive", &guarded<&receive_value>},
      {"each", &guarded<&each>},
      {"close", &guarded<&close_channel>},
      {"size", &guarded<&channel_size>},
      {nullptr, nullptr},
  };
  make_class(state, kChannelClass, kMethods);
  luaL_getmetatable(state, kChannelClass);
  lua_pushcfunction(state, &end_channel);
  lua_setfield(state, -2, "__gc");
  lua_pop(state, 1);
  lua_pushcfunction(state, &guarded<&make_channel>);
  lua_setfield(state, -2, "channel");
}

}  // namespace weft::app::lua
