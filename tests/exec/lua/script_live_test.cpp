// Routes that handlers of scripts add while the server runs.
#include "exec/lua/scripts.hpp"

#include <atomic>
#include <string>
#include <thread>
#include <vector>

namespace weft::app::lua {
namespace {

class LiveScripts : public Scripts {
 protected:
  LiveScripts() { workers = 2; }
  // By several connections, so that all workers answer some.
  void expect_everywhere(const std::string& target, const std::string& wanted) const {
    for (int i = 0; i < 12; ++i) ASSERT_EQ(ask(target).body, wanted) << target;
  }
};

TEST_F(LiveScripts, add_routes_that_all_workers_answer_with_copies_of_what_they_hold) {
  write("words.lua", "return { hello = function() return 'hello' end }");
  start(R"(
    local words, hits = require "words", weft.shared("hits")
    local queue, client, null = weft.channel("queue", 5), weft.client, weft.null
    greeting = "global"
    local function fib(n) return n < 2 and n or fib(n - 1) + fib(n - 2) end
    local function known(c) c:text("known") end
    app:get("/known", known)
    local api = app:group("/api", function(c, next) c:set("by", "group") next() end)
    app:get("/add", function(c)
      local config = { name = "n", list = { 1, 2, 3 }, raw = "\0\255" }
      local count, step = 0, 2
      local function bump() count = count + step return count end
      local function peek() return count end
      api:get("/live/:id", weft.response_time(),
        function(c, next) c:set("own", config.name) next() end,
        function(c)
          hits:incr("n", 1, 0)
          queue:try_send(1)
          bump()
          assert(type(client.get) == "function" and null == weft.null)
          c:json{ c:param "id", c:get "by", c:get "own", words.hello(), greeting, fib(10),
                  #config.list, #config.raw, peek() > 0, math.floor(1.5) }
        end)
      app:get("/again", known)
      c:text("added")
    end)
    app:get("/hits", function(c) c:text(tostring(hits:get("n")) .. queue:size()) end)
  )");
  EXPECT_EQ(ask("/api/live/1").status, 404);
  EXPECT_EQ(ask("/add").body, "added");
  expect_everywhere("/api/live/7", R"(["7","group","n","hello","global",55,3,2,true,1])");
  expect_everywhere("/again", "known");
  EXPECT_EQ(ask("/hits").body, "125");
}

TEST_F(LiveScripts, are_told_what_cannot_be_sent_and_where_it_is) {
  start(R"(
    local function try(c, ...)
      local ok, why = pcall(app.get, app, ...)
      c:text(tostring(ok) .. " " .. tostring(why))
    end
    local thread, p, file = coroutine.create(function() end), print, {}
    file.inner = { print }
    local cycle = {} cycle.me = cycle
    local gen = coroutine.wrap(function() end)
    local object, holder = setmetatable({}, { __index = { n = 1 } }), {}
    holder.inner = { setmetatable({}, { __index = file }) }
    app:get("/object", function(c) try(c, "/x", function() return object.n end) end)
    app:get("/holder", function(c) try(c, "/x", function() return holder end) end)
    app:get("/c", function(c) try(c, "/x", function() p() end) end)
    app:get("/thread", function(c) try(c, "/x", function() return thread end) end)
    app:get("/table", function(c) try(c, "/x", function() return file end) end)
    app:get("/cycle", function(c) try(c, "/x", function() return cycle end) end)
    app:get("/userdata", function(c) try(c, "/x", function() return c end) end)
    app:get("/nested", function(c)
      local function helper() return gen end
      try(c, "/x", function() return helper() end)
    end)
    app:get("/builtin", function(c) try(c, "/x", print) end)
    app:get("/twice", function(c) try(c, "/c", function() end) end)
    app:get("/bad", function(c) try(c, "/{", function() end) end)
    app:get("/large", function(c)
      local text = ("x"):rep(2000000)
      try(c, "/x", function() return text end)
    end)
    app:get("/group", function(c) try(c, "/x", function() end) app:group("/g") end)
    app:get("/worker", function(c) app:worker() end)
  )");
  const auto says = [this](const std::string& target, const std::string& wanted) {
    const Heard heard = ask(target);
    EXPECT_EQ(heard.status, 200) << target;
    EXPECT_NE(heard.body.find(wanted), std::string::npos) << target << ": " << heard.body;
  };
  says("/c", "cannot be sent to other workers: p is a function of C");
  says("/thread", "thread is a coroutine");
  says("/table", "file.inner[1] is a function");
  says("/cycle", "cycle.me is a table that it is in itself: a cycle");
  says("/userdata", "c is a userdata");
  says("/object", "object is a table with a metatable");
  says("/holder", "holder.inner[1] is a table with a metatable");
  says("/nested", "helper.gen is a function of C");
  says("/builtin", "the function is a function of C");
  says("/twice", "there is a route GET /c already");
  says("/bad", "false");
  says("/large", "text is beyond");
  EXPECT_EQ(ask("/x").status, 404);
  EXPECT_EQ(ask("/group").status, 500);
  EXPECT_EQ(ask("/x").status, 200);
  EXPECT_EQ(ask("/worker").status, 500);
}

TEST_F(LiveScripts, add_routes_for_the_pool) {
  workers = 1;
  start(R"(
    local state = weft.shared("states"):incr("n", 1, 0)
    app:get("/loop", function(c) c:text(tostring(state)) end)
    app:get("/add", function(c)
      local at = app
      app:get("/live", function(c)
        c:text(tostring(select(2, pcall(c.stream, c, "a/b"))))
      end):worker()
      app:get("/adds", function(c) at:get("/more", function(c) c:text("more") end) c:text("") end)
        :worker()
      c:text("")
    end)
  )");
  EXPECT_EQ(ask("/add").status, 200);
  EXPECT_NE(ask("/live").body.find("needs the loop"), std::string::npos) << ask("/live").body;
  EXPECT_EQ(ask("/adds").status, 200);
  EXPECT_EQ(ask("/more").body, "more");
}

TEST_F(LiveScripts, lose_what_handlers_have_added_when_they_are_read_anew) {
  const std::string text = R"(
    app:get("/add/:name", function(c)
      local name = c:param "name"
      app:get("/live/" .. name, function(c) c:text(name) end)
      c:text("added")
    end)
  )";
  start(text);
  EXPECT_EQ(ask("/add/a").body, "added");
  expect_everywhere("/live/a", "a");
  write("app.lua", kHead + text);
  ASSERT_EQ(script->reload(), std::nullopt);
  EXPECT_EQ(ask("/live/a").status, 404);
  EXPECT_EQ(ask("/add/a").body, "added");
  expect_everywhere("/live/a", "a");
}

TEST_F(LiveScripts, are_bounded_in_what_they_add) {
  workers = 1;
  start(R"(
    app:get("/add", function(c)
      for i = 1, 2000 do
        local ok, why = pcall(app.get, app, "/live/" .. i, function(c) c:text(tostring(i)) end)
        if not ok then return c:text(i .. " " .. why) end
      end
    end)
  )");
  const Heard heard = ask("/add");
  EXPECT_NE(heard.body.find("1001 "), std::string::npos) << heard.body;
  EXPECT_NE(heard.body.find("there may be no more"), std::string::npos) << heard.body;
  EXPECT_EQ(ask("/live/1000").body, "1000");
}

TEST_F(LiveScripts, add_routes_under_load_and_reloads_without_a_wrong_answer) {
  const std::string text = R"(
    local total = weft.shared("total")
    app:get("/add/:n", function(c)
      local n, seen = c:param "n", { 1, 2 }
      local function double(x) return x * seen[2] end
      local ok, why = pcall(app.get, app, "/live/" .. n, function(c)
        weft.sleep(0.0001)
        c:text(tostring(double(tonumber(n))))
      end)
      if ok then total:incr("n", 1, 0) end
      c:text(ok and "added" or why)
    end)
    app:get("/", function(c) c:text("fine") end)
  )";
  start(text);
  constexpr int kThreads = 3;
  constexpr int kEach = 30;
  std::atomic<int> wrong{0};
  std::atomic<int> running{kThreads};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) {
        const int n = t * kEach + i;
        const Heard added = ask("/add/" + std::to_string(n));
        const bool was_in_time = added.body == "added";
        if (!was_in_time && added.body.find("read anew") == std::string::npos) ++wrong;
        for (int k = 0; k < 4; ++k) {
          const Heard live = ask("/live/" + std::to_string(n));
          if (live.status != 404 && live.body != std::to_string(n * 2)) ++wrong;
        }
      }
      --running;
    });
  }
  int reloads = 0;
  while (running > 0) {
    if (ask("/").body != "fine") ++wrong;
    if (++reloads % 10 != 0) continue;
    write("app.lua", kHead + text);
    EXPECT_EQ(script->reload(), std::nullopt);
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  // What was added last is answered as long as nothing is read anew.
  EXPECT_EQ(ask("/add/1000").body, "added");
  expect_everywhere("/live/1000", "2000");
}

}  // namespace
}  // namespace weft::app::lua
