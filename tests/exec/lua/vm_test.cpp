// A Lua state by itself: what it compiles and refuses, its bounds, waits and coroutines.
#include "exec/lua/vm.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "exec/lua/functions.hpp"
#include "weft/green.hpp"

namespace weft::exec::lua {
namespace {

using namespace std::chrono_literals;

class LuaVm : public testing::Test {
 protected:
  // How long a busy machine takes is nobody's fault, but where that is what is asked.
  static VmOptions options(std::chrono::milliseconds run_time = 0ms) {
    VmOptions options;
    options.memory_bytes = std::size_t{8} * 1024 * 1024;
    options.run_time = run_time;
    return options;
  }

  // What the function returns that the text does.
  ScriptResult<Value> run(const std::string& text, std::vector<Value> arguments = {}) {
    return run_in(vm, text, arguments);
  }
  static ScriptResult<Value> run_in(Vm& vm, const std::string& text,
                                    const std::vector<Value>& arguments = {}) {
    auto loaded = vm.load({"test.lua", text});
    if (auto* const failure = std::get_if<ScriptFailure>(&loaded)) return std::move(*failure);
    return vm.call(std::get<Vm::Function>(loaded), arguments);
  }
  // Of a text that is the function's body.
  ScriptResult<Value> body(const std::string& text, std::vector<Value> arguments = {}) {
    return run("return function(...) " + text + "\nend", std::move(arguments));
  }
  static std::string text_of(const ScriptResult<Value>& result) {
    if (const auto* const failure = std::get_if<ScriptFailure>(&result)) return failure->text;
    const auto* const text = std::get<Value>(result).get_if<std::string>();
    return text != nullptr ? *text : "(no text)";
  }
  static ScriptFailure::Kind kind_of(const ScriptResult<Value>& result) {
    return std::get<ScriptFailure>(result).kind;
  }

  // A handler's stack where there are scripts.
  static void run_on_a_script_stack(std::function<void()> what) {
    weft::run(std::move(what), {.stack_bytes = std::size_t{1024} * 1024});
  }

  Vm vm{options()};
};

int sleep_a_little(lua_State* state) {
  return Run::wait(
      state, [](Run&, lua_State*) { weft::sleep(1ms); },
      [](Run&, lua_State* resumed) {
        lua_pushliteral(resumed, "slept");
        return 1;
      });
}

int throw_in_a_wait(lua_State* state) {
  return Run::wait(
      state, [](Run&, lua_State*) { throw std::runtime_error("a wait that fails"); },
      [](Run&, lua_State*) { return 0; });
}

int add_waits(lua_State* state) {
  lua_register(state, "sleep", &sleep_a_little);
  lua_register(state, "fail", &throw_in_a_wait);
  return 0;
}

int run_away(lua_State* state) {
  luaL_loadstring(state, "while true do end");
  lua_call(state, 0, 0);
  return 0;
}

TEST_F(LuaVm, what_runs_away_outside_of_a_call_leaves_later_calls_alone) {
  Vm bounded(options(50ms));
  const auto failure = bounded.protect(&run_away, nullptr);
  ASSERT_TRUE(failure);
  EXPECT_EQ(failure->kind, ScriptFailure::Kind::ran_too_long);
  EXPECT_EQ(text_of(run_in(bounded, "return function() return 'well' end")), "well");
}

TEST_F(LuaVm, a_function_gets_its_arguments_and_gives_its_first_result) {
  const auto result = body("local a, b = ... return a .. b, 'more'",
                           {Value(std::string("x")), Value(std::int64_t{7})});
  EXPECT_EQ(text_of(result), "x7");
  EXPECT_EQ(vm.running(), 0U);
}

TEST_F(LuaVm, what_cannot_be_compiled_is_refused_with_its_line) {
  EXPECT_EQ(text_of(run("local x = 1\nlocal = 2")).substr(0, 11), "test.lua:2:");
}

TEST_F(LuaVm, compiled_code_is_no_text) {
  const std::string compiled = "\x1bLuaT";
  EXPECT_NE(text_of(run(compiled)).find("attempt to load a binary chunk"), std::string::npos);
  const auto result = body(
      "local ok, why = load('\\27Lua', 'x', 'b') return tostring(ok) .. tostring(why) .. "
      "tostring(string.dump)");
  EXPECT_NE(text_of(result).find("nilattempt to load a binary chunk"), std::string::npos);
  EXPECT_TRUE(text_of(result).ends_with("nil"));
}

TEST_F(LuaVm, what_reaches_files_and_programs_is_not_there) {
  EXPECT_EQ(text_of(body("local all = {} for _, name in ipairs{'io', 'dofile', 'loadfile', "
                         "'package'} do if _G[name] then all[#all + 1] = name end end "
                         "for name in pairs(os) do all[#all + 1] = name end table.sort(all) "
                         "return table.concat(all, ' ')")),
            "clock date difftime getenv time");
}

TEST_F(LuaVm, an_error_says_where_it_was_and_who_called) {
  const auto result =
      run("local function inner(t) return t.x.y end\n"
          "return function() local r = inner({}) return r end");
  EXPECT_EQ(kind_of(result), ScriptFailure::Kind::failed);
  EXPECT_EQ(text_of(result),
            "test.lua:1: attempt to index a nil value (field 'x') (at test.lua:1 in inner, "
            "test.lua:2)");
}

TEST_F(LuaVm, an_error_that_is_a_table_asks_for_its_status) {
  const auto result = body("error{status = 404, message = 'none'}");
  EXPECT_EQ(std::get<ScriptFailure>(result).status, 404);
  EXPECT_EQ(text_of(result), "none");
  EXPECT_EQ(std::get<ScriptFailure>(body("error{status = 200}")).status, 500);
  EXPECT_EQ(text_of(body("error()")).substr(0, 10), "an error t");
}

TEST_F(LuaVm, more_memory_than_the_bound_is_an_error_and_the_state_goes_on) {
  for (const char* text :
       {"local t = {} for i = 1, math.huge do t[i] = 'x' .. i end", "return ('x'):rep(1 << 30)"}) {
    const auto result = body(text);
    EXPECT_EQ(kind_of(result), ScriptFailure::Kind::out_of_memory) << text;
    EXPECT_FALSE(vm.is_exhausted()) << text;
  }
  EXPECT_EQ(text_of(body("return 'still here'")), "still here");
}

TEST_F(LuaVm, a_state_that_keeps_all_of_its_memory_is_exhausted) {
  EXPECT_EQ(kind_of(body("kept = {} for i = 1, math.huge do kept[i] = 'x' .. i end")),
            ScriptFailure::Kind::out_of_memory);
  EXPECT_TRUE(vm.is_exhausted());
}

TEST_F(LuaVm, a_runaway_is_ended_whatever_it_catches) {
#ifdef WEFT_TSAN
  GTEST_SKIP() << "ThreadSanitizer keeps signals back until the program makes a call it knows";
#endif
  Vm hurried{options(60ms)};
  for (const char* text :
       {"while true do end", "while true do pcall(function() while true do end end) end",
        "local co = coroutine.wrap(function() while true do end end) while true do pcall(co) end",
        "local function f() return f() end return f()"}) {
    const auto result = run_in(hurried, std::string("return function() ") + text + " end");
    ASSERT_TRUE(std::holds_alternative<ScriptFailure>(result)) << text;
    EXPECT_EQ(kind_of(result), ScriptFailure::Kind::ran_too_long) << text_of(result);
  }
  EXPECT_EQ(text_of(run_in(hurried, "return function() return 'still here' end")), "still here");
}

TEST_F(LuaVm, recursion_without_an_end_is_an_error_on_the_stack_of_a_script) {
  // What Lua keeps of it hits the bound of memory before its own.
  EXPECT_EQ(kind_of(body("local function f() return 1 + f() end return f()")),
            ScriptFailure::Kind::out_of_memory);
  std::string text;
  run_on_a_script_stack([&] {
    text =
        text_of(body("local function f(n) return (('x'):gsub('x', function() return f(n + 1) "
                     "end)) end return f(0)"));
  });
  EXPECT_NE(text.find("C stack overflow"), std::string::npos) << text;
}

TEST_F(LuaVm, a_wait_ends_where_it_began) {
  ASSERT_FALSE(vm.protect(&add_waits, nullptr));
  EXPECT_EQ(text_of(body("return sleep() .. sleep()")), "sleptslept");
  EXPECT_EQ(text_of(body("local ok, what = pcall(function() return sleep() end) return what")),
            "slept");
  EXPECT_EQ(text_of(body("for word in sleep do return word end")), "slept");
  EXPECT_EQ(text_of(body("return tostring(setmetatable({}, {__tostring = function() return "
                         "'x' end}) ) .. sleep()")),
            "xslept");
}

TEST_F(LuaVm, a_wait_goes_through_the_coroutines_around_it) {
  ASSERT_FALSE(vm.protect(&add_waits, nullptr));
  EXPECT_EQ(text_of(body("local co = coroutine.wrap(function(a) local b = "
                         "coroutine.yield(a .. sleep()) return b .. sleep() end) "
                         "local one = co('1') return one .. co('2')")),
            "1slept2slept");
  EXPECT_EQ(text_of(body("local function deep(n) if n == 0 then return sleep() end "
                         "local co = coroutine.create(deep) local ok, what = "
                         "coroutine.resume(co, n - 1) return what end return deep(5)")),
            "slept");
}

TEST_F(LuaVm, what_a_wait_throws_is_an_error_that_can_be_caught) {
  ASSERT_FALSE(vm.protect(&add_waits, nullptr));
  EXPECT_EQ(text_of(body("local ok, why = pcall(fail) return why")), "a wait that fails");
  EXPECT_EQ(text_of(body("fail()")), "a wait that fails");
}

TEST_F(LuaVm, where_nothing_can_wait_that_is_said) {
  ASSERT_FALSE(vm.protect(&add_waits, nullptr));
  const std::string words = "nothing can be waited for inside of a function that sort";
  EXPECT_NE(
      text_of(body("table.sort({2, 1}, function(a, b) sleep() return a < b end)")).find(words),
      std::string::npos);
  EXPECT_NE(text_of(body("return (('x'):gsub('x', coroutine.wrap(function() return sleep() "
                         "end)))"))
                .find(words),
            std::string::npos);
  EXPECT_NE(text_of(run("sleep()")).find("while a script is loaded"), std::string::npos);
  EXPECT_NE(text_of(body("coroutine.yield()")).find("outside a coroutine"), std::string::npos);
}

TEST_F(LuaVm, calls_that_wait_are_under_way_at_the_same_time) {
  ASSERT_FALSE(vm.protect(&add_waits, nullptr));
  auto loaded = vm.load({"test.lua",
                         "order = {} return function(name) order[#order + 1] = name "
                         "sleep() order[#order + 1] = name end"});
  const auto& function = std::get<Vm::Function>(loaded);
  weft::run([&] {
    auto other = weft::spawn([&] {
      const Value name(std::string("b"));
      EXPECT_TRUE(std::holds_alternative<Value>(vm.call(function, std::span(&name, 1))));
    });
    const Value name(std::string("a"));
    EXPECT_TRUE(std::holds_alternative<Value>(vm.call(function, std::span(&name, 1))));
    other.join();
  });
  const std::string order = text_of(body("return table.concat(order)"));
  EXPECT_EQ(order.substr(0, 2), "ab");
  EXPECT_EQ(order.size(), 4U);
}

TEST_F(LuaVm, a_call_that_is_cancelled_closes_what_it_has_open) {
  ASSERT_FALSE(vm.protect(&add_waits, nullptr));
  auto loaded = vm.load({"test.lua",
                         "return function() local held <close> = setmetatable({}, "
                         "{__close = function() closed = 'yes' end}) "
                         "while true do sleep() end end"});
  const auto& function = std::get<Vm::Function>(loaded);
  weft::run([&] {
    auto waiting = weft::spawn([&] { static_cast<void>(vm.call(function, {})); });
    weft::sleep(1ms);
    waiting.cancel();
    EXPECT_THROW(waiting.join(), Cancelled);
  });
  EXPECT_EQ(vm.running(), 0U);
  EXPECT_EQ(text_of(body("return closed")), "yes");
}

TEST_F(LuaVm, a_value_that_cannot_cross_is_refused_with_its_place) {
  const auto result = body("return {list = {1, {deep = print}}}");
  EXPECT_EQ(kind_of(result), ScriptFailure::Kind::refused);
  EXPECT_EQ(text_of(result), "the result $.list[2].deep is a function, which belongs to its state");
}

TEST(LuaVmOptions, a_bound_that_is_too_small_for_a_state_is_an_error) {
  VmOptions options;
  options.memory_bytes = 16 * 1024;
  EXPECT_THROW(Vm{options}, ScriptError);
  options.memory_bytes = 100;
  EXPECT_THROW(Vm{options}, ScriptError);
}

using LuaVmDeathTest = LuaVm;

int park_inside(lua_State*) {
  weft::sleep(1ms);
  return 0;
}

TEST_F(LuaVmDeathTest, parking_with_lua_on_the_stack_ends_the_process) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_DEATH(weft::run([] {
                 Vm mine{options()};
                 lua_register(mine.main(), "park", &park_inside);
                 auto loaded = mine.load({"test.lua", "return function() park() end"});
                 static_cast<void>(mine.call(std::get<Vm::Function>(loaded), {}));
               }),
               "nothing parks while a NoPark stands");
}

}  // namespace
}  // namespace weft::exec::lua
