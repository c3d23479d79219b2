// What scripts cannot do: take all memory, run away, hurt the process, or be broken in silence.
#include "exec/lua/scripts.hpp"

#include <string>
#include <thread>

namespace weft::app::lua {
namespace {

TEST_F(Scripts, cannot_take_more_memory_than_their_bound) {
  options.memory_bytes = std::size_t{4} * 1024 * 1024;
  options.run_time = std::chrono::milliseconds(0);
  serve(R"(
    app:get("/bomb", function(c) local t = {} for i = 1, math.huge do t[i] = "x" .. i end end)
    app:get("/leak", function(c) leak = {} for i = 1, math.huge do leak[i] = "x" .. i end end)
    app:get("/json", function(c)
      local t = { ("x"):rep(1000) } for i = 1, 40 do t = { t, t } end c:json(t) end)
    app:get("/count", function(c) count = (count or 0) + 1 c:text(tostring(count)) end)
  )");
  EXPECT_EQ(body("/count"), "1");
  auto answer = client->get("/bomb");
  EXPECT_EQ(answer.status(), 500);
  EXPECT_NE(answer.error().find("not enough memory: a state has 4194304 bytes at most"),
            std::string::npos);
  EXPECT_EQ(body("/count"), "2");
  EXPECT_NE(client->get("/json").error().find("more than 64 MiB of JSON"), std::string::npos);
  // What it keeps for good takes the state with it, and the next request has a new one.
  EXPECT_EQ(client->get("/leak").status(), 500);
  EXPECT_EQ(body("/count"), "1");
}

TEST_F(Scripts, that_run_away_are_ended) {
#ifdef WEFT_TSAN
  GTEST_SKIP() << "ThreadSanitizer keeps signals back until the program makes a call it knows";
#endif
  options.run_time = std::chrono::milliseconds(50);
  serve(R"(
    app:get("/loop", function(c) while true do pcall(function() while true do end end) end end)
    app:get("/fine", function(c) c:text("fine") end)
  )");
  const auto answer = client->get("/loop");
  EXPECT_EQ(answer.status(), 500);
  EXPECT_NE(answer.error().find("it has computed for more than 50 ms without waiting"),
            std::string::npos);
  EXPECT_EQ(body("/fine"), "fine");
}

TEST_F(Scripts, cannot_hurt_the_process_by_what_they_keep_beyond_a_call) {
  options.run_time = std::chrono::milliseconds(50);
  serve(R"(
    local hold, waiting = weft.channel(), false
    local gen = coroutine.wrap(function() while true do hold:receive() coroutine.yield(1) end end)
    app:get("/gen", function(c) waiting = true c:text(tostring(select(2, pcall(gen)))) end)
    app:get("/waiting", function(c) c:text(tostring(waiting)) end)
    app:get("/go", function(c) hold:send(1) c:text("gone") end)
    local f = weft.channel(1):each()
    app:get("/each", function(c) c:text(tostring(select(2, pcall(f)))) end)
    app:get("/late", function(c)
      local answers = weft.channel(1)
      weft.spawn(function() answers:send(tostring(select(2, pcall(c.body, c)))) end)
      c:text(answers:receive())
    end)
    app:get("/gc", function(c)
      c:text(tostring(select(2, pcall(setmetatable, {}, { __gc = print }))))
    end)
    app:get("/close", function(c)
      local thread = coroutine.create(function()
        local guard <close> = setmetatable({}, { __close = function() while true do end end })
        coroutine.yield()
      end)
      coroutine.resume(thread)
      coroutine.close(thread)
      c:text("never")
    end)
    app:get("/nested", function(c)
      local inner
      for _ = 1, 2000 do
        local of = inner
        inner = coroutine.create(function()
          local guard <close> = setmetatable({}, { __close = function()
            if of then coroutine.close(of) end end })
          coroutine.yield()
        end)
        coroutine.resume(inner)
      end
      c:text(tostring(coroutine.close(inner)))
    end)
    app:get("/handler", function(c)
      xpcall(function() while true do end end, function() while true do end end)
      c:text("never")
    end)
    app:get("/long", function(c)
      local text, list = ("x"):rep(1000000), {}
      for i = 1, 1000 do list[i] = text end
      c:json(list)
    end)
    app:get("/number", function() error(42) end)
    app:get("/ok", function(c) c:text("ok") end)
  )");
  std::string first;
  std::thread one([&] { first = body("/gen"); });
  while (body("/waiting") != "true") std::this_thread::yield();
  EXPECT_NE(body("/gen").find("waits for something in another call"), std::string::npos);
  EXPECT_EQ(body("/go"), "gone");
  one.join();
  EXPECT_EQ(first, "1");
  EXPECT_NE(body("/each").find("channel"), std::string::npos);
  EXPECT_NE(body("/late").find("own handler"), std::string::npos);
  EXPECT_NE(body("/gc").find("<close>"), std::string::npos);
  const auto nested = client->get("/nested");
  EXPECT_EQ(nested.status(), 200) << nested.error();
#ifndef WEFT_TSAN
  EXPECT_EQ(client->get("/close").status(), 500);
  EXPECT_EQ(client->get("/handler").status(), 500);
#endif
  EXPECT_EQ(client->get("/long").status(), 500);
  EXPECT_EQ(client->get("/number").status(), 500);
  EXPECT_EQ(body("/ok"), "ok");
}

TEST_F(Scripts, that_are_broken_are_refused_with_the_place) {
  EXPECT_EQ(refusal("local x = = 1"), "app.lua:1: unexpected symbol near '='");
  EXPECT_NE(refusal("error('no')").find("app.lua:1: no"), std::string::npos);
  EXPECT_NE(refusal(std::string(kHead) + "app:get('x', function() end)").find("begins with '/'"),
            std::string::npos);
  EXPECT_NE(refusal(std::string(kHead) + "app:get('/x', 7)").find("function expected"),
            std::string::npos);
  EXPECT_NE(refusal(std::string(kHead) + "app:use(7)").find("a function(c, next) or middleware"),
            std::string::npos);
  EXPECT_NE(refusal(std::string(kHead) + "app:use(weft.limiter{ reqests = 1 })")
                .find("weft.limiter() has no option 'reqests'"),
            std::string::npos);
  EXPECT_NE(refusal(std::string(kHead) + "app:get('/a', print) app:get('/a', print)")
                .find("adds the route GET /a twice"),
            std::string::npos);
  EXPECT_NE(refusal("require 'none'").find("module 'none' not found"), std::string::npos);
  EXPECT_NE(refusal("require '../etc/passwd'").find("a name is letters"), std::string::npos);
  EXPECT_NE(refusal("weft.sleep(1)").find("global 'weft'"), std::string::npos);
  EXPECT_NE(refusal("require('weft').sleep(1)").find("while a script is loaded"),
            std::string::npos);
  std::filesystem::remove(folder + "/app.lua");
  EXPECT_THROW(LuaScript(app, folder + "/app.lua"), std::runtime_error);
}

TEST_F(Scripts, that_add_other_routes_in_the_next_state_are_told_so) {
  workers = 1;
  write("app.lua", std::string(kHead) +
                       "local n = weft.shared('n'):incr('n', 1, 0) app:get('/a' .. n, function(c) "
                       "c:text('a') end)");
  script.emplace(app, folder + "/app.lua");
  client = std::make_unique<TestClient>(app);
  EXPECT_EQ(body("/a1"), "a");
  TestClient second(app);
  const auto answer = second.get("/a1");
  EXPECT_EQ(answer.status(), 500);
  EXPECT_NE(answer.error().find("adds other routes in the state of the next worker: number 1 was "
                                "\"GET /a1 handler 0\" and is \"GET /a2 handler 0\""),
            std::string::npos)
      << answer.error();
}

}  // namespace
}  // namespace weft::app::lua
