// Handlers of scripts on the pool: what they have of their request, and how they are bounded there.
#include "exec/lua/scripts.hpp"

#include <atomic>
#include <string>
#include <thread>
#include <vector>

namespace weft::app::lua {
namespace {

class PoolScripts : public Scripts {
 protected:
  ~PoolScripts() override { join(); }
  void spawn(const std::string& target) {
    asking.emplace_back([this, target] {
      const Heard heard = ask(target);
      const std::lock_guard lock(mutex);
      answers.push_back(heard);
    });
  }
  void join() {
    for (std::thread& one : asking) one.join();
    asking.clear();
  }
  // Handlers that have begun, as the script counts them.
  void wait_until_begun(int count) const {
    while (ask("/begun").body != std::to_string(count)) std::this_thread::yield();
  }

  // `/hold` begins and waits until `/release` has said so for each.
  static constexpr const char* kHold = R"(
    local begun, gate = weft.shared("begun"), weft.channel("gate", 100)
    app:get("/begun", function(c) c:text(tostring(begun:get("n") or 0)) end)
    app:get("/release", function(c) gate:send(true) c:text("released") end)
    app:get("/fine", function(c) c:text("fine") end)
    local function hold(c) begun:incr("n", 1, 0) gate:receive() c:text("held") end
  )";
  std::vector<std::thread> asking;
  std::vector<Heard> answers;
};

TEST_F(PoolScripts, run_in_a_state_of_a_pool_thread_with_all_of_their_request) {
  workers = 1;
  serve(R"(
    local state = weft.shared("states"):incr("n", 1, 0)
    app:get("/loop", function(c) c:text(tostring(state)) end)
    app:get("/pool", function(c) c:text(tostring(state)) end):worker()
    app:post("/all/:id", function(c)
      weft.sleep(0.001)
      c:status(201):set_header("X-A", c:header "x-test"):set_cookie("k", "v")
      c:json{ c:param "id", c:query "q", c:body(), c:method(), c:route(), c:json_body().a }
    end):worker{ concurrency = 1, queue_time = 30 }
    app:post("/form", function(c) c:text(c:form "a") end):worker()
    app:get("/boom", function(c) error("boom") end):worker()
    app:get("/status", function(c) c:abort(409, "taken\n") end):worker()
  )");
  EXPECT_NE(body("/pool"), body("/loop"));
  const auto answer = client->request(
      TestRequest("POST", "/all/7?q=x%20y").header("X-Test", "t").body(R"({"a":5})"));
  EXPECT_EQ(answer.status(), 201);
  EXPECT_EQ(answer.header("x-a"), "t");
  EXPECT_EQ(answer.body(), R"(["7","x y","{\"a\":5}","POST","/all/:id",5])");
  EXPECT_EQ(client->post_form("/form", TestForm().field("a", "x y")).body(), "x y");
  EXPECT_EQ(client->get("/boom").status(), 500);
  EXPECT_NE(client->get("/boom").error().find("app.lua:12: boom (at"), std::string::npos)
      << client->get("/boom").error();
  EXPECT_EQ(client->get("/status").status(), 409);
}

TEST_F(PoolScripts, are_told_what_needs_the_loop) {
  write("a.txt", "a");
  serve(R"(
    local function try(c, f, ...) c:text(tostring(select(2, pcall(f, ...)))) end
    app:get("/stream", function(c) try(c, c.stream, c, "text/plain") end):worker()
    app:get("/events", function(c) try(c, c.events, c) end):worker()
    app:get("/file", function(c) try(c, c.file, c, "a.txt") end):worker()
    app:get("/file_in", function(c) try(c, c.file_in, c, ".", "a.txt") end):worker()
    app:get("/download", function(c) try(c, c.download, c, "a.txt", "b") end):worker()
    app:get("/spawn", function(c) try(c, weft.spawn, function() end) end):worker()
    app:get("/read", function(c)
      weft.write_file("b.txt", "written")
      c:text(weft.read_file("a.txt") .. weft.read_file("b.txt"))
    end):worker()
  )");
  for (const char* what : {"stream", "events", "file", "file_in", "download"}) {
    EXPECT_NE(body(std::string("/") + what).find(std::string("c:") + what + "() needs the loop"),
              std::string::npos)
        << body(std::string("/") + what);
  }
  EXPECT_NE(body("/spawn").find("weft.spawn() needs the loop"), std::string::npos);
  EXPECT_EQ(body("/read"), "awritten");
}

TEST_F(PoolScripts, have_what_middleware_keeps_for_them_and_give_it_back) {
  serve(R"(
    app:use(function(c, next)
      c:set("user", { name = "ada", tags = { 1, 2 } })
      c:set("log", print)
      next()
      c:set_header("X-After", tostring(c:get("found")) .. " " .. c:get("user").name .. " " ..
                   type(c:get("log")) .. " " .. tostring(c:get("gone")) .. " " .. c:answer_status())
    end)
    app:use(function(c, next) c:set("gone", true) next() end)
    app:get("/user", function(c)
      local user = c:get("user")
      c:set("found", #user.tags):set("gone", nil)
      c:text(user.name, 203)
    end):worker()
    app:get("/refused", function(c) c:get("log") end):worker()
    app:get("/back", function(c) c:set("f", print) end):worker()
    app:on_error(function(c, why) c:text("worded: " .. (why:match("boom") or why)) end)
    app:get("/boom", function(c) error("boom") end):worker()
  )");
  const auto answer = client->get("/user");
  EXPECT_EQ(answer.status(), 203);
  EXPECT_EQ(answer.body(), "ada");
  EXPECT_EQ(answer.header("x-after"), "2 ada function nil 203");
  EXPECT_NE(client->get("/refused")
                .error()
                .find("what c:set(\"log\", ...) has kept cannot come to the pool: $ is a function"),
            std::string::npos);
  EXPECT_NE(client->get("/back").error().find("what c:set(\"f\", ...) keeps cannot come back"),
            std::string::npos);
  EXPECT_EQ(body("/boom"), "worded: boom");
}

TEST_F(PoolScripts, have_their_errors_worded_without_middleware_too) {
  serve(R"(
    app:on_error(function(c, why) weft.sleep(0.001) c:json{ why = why:match("boom") } end)
    app:get("/boom", function(c) c:set_header("X-Gone", "1") error("boom") end):worker()
  )");
  const auto answer = client->get("/boom");
  EXPECT_EQ(answer.status(), 500);
  EXPECT_EQ(answer.body(), R"({"why":"boom"})");
  EXPECT_EQ(answer.header("x-gone"), "");
}

TEST_F(PoolScripts, that_take_all_threads_hold_up_nobody_else_and_others_wait_their_time) {
  start(std::string(kHold) + R"(
    app:executor("one", { concurrency = 1 })
    app:get("/hold", hold):worker{ queue_time = 60 }
    app:get("/late", function(c) c:text("late") end):worker{ queue_time = 0.02 }
    app:get("/single", function(c) c:text("single") end):worker{ executor = "one" }
  )");
  for (int i = 0; i < 6; ++i) spawn("/hold");
  wait_until_begun(2);
  for (int i = 0; i < 50; ++i) ASSERT_EQ(ask("/fine").body, "fine");
  const Heard late = ask("/late");
  EXPECT_EQ(late.status, 503);
  EXPECT_EQ(late.retry_after, "1");
  for (int i = 0; i < 6; ++i) EXPECT_EQ(ask("/release").body, "released");
  join();
  ASSERT_EQ(answers.size(), 6U);
  for (const Heard& heard : answers) EXPECT_EQ(heard.body, "held");
  EXPECT_EQ(ask("/single").body, "single");
  EXPECT_EQ(ask("/late").body, "late");
}

TEST_F(PoolScripts, are_as_many_at_once_as_their_executor_lets) {
  pool_threads = 4;
  options.worker_concurrency = 1;
  start(std::string(kHold) + R"(
    app:get("/hold", hold):worker{ queue_time = 60 }
  )");
  for (int i = 0; i < 3; ++i) spawn("/hold");
  for (int i = 1; i <= 3; ++i) {
    wait_until_begun(i);
    for (int k = 0; k < 20; ++k) EXPECT_EQ(ask("/begun").body, std::to_string(i));
    ask("/release");
  }
  join();
}

TEST_F(PoolScripts, that_run_away_or_take_all_memory_are_ended) {
#ifdef WEFT_TSAN
  GTEST_SKIP() << "ThreadSanitizer keeps signals back until the program makes a call it knows";
#endif
  options.run_time = std::chrono::milliseconds(50);
  options.memory_bytes = std::size_t{4} * 1024 * 1024;
  serve(R"(
    app:get("/loop", function(c) while true do pcall(function() while true do end end) end end)
      :worker()
    app:get("/bomb", function(c) local t = {} for i = 1, math.huge do t[i] = i end end):worker()
    app:get("/leak", function(c) leak = ("x"):rep(3900000) leak = { leak, ("y"):rep(3900000) } end)
      :worker()
    app:get("/count", function(c) count = (count or 0) + 1 c:text(tostring(count)) end):worker()
  )");
  for (int i = 0; i < 3; ++i) {
    const auto loop = client->get("/loop");
    EXPECT_EQ(loop.status(), 500);
    EXPECT_NE(loop.error().find("it has computed for more than 50 ms without waiting"),
              std::string::npos)
        << loop.error();
    EXPECT_NE(loop.error().find("(at app.lua:3"), std::string::npos) << loop.error();
    const auto bomb = client->get("/bomb");
    EXPECT_EQ(bomb.status(), 500);
    EXPECT_NE(bomb.error().find("not enough memory"), std::string::npos) << bomb.error();
  }
  EXPECT_EQ(client->get("/leak").status(), 500);
  EXPECT_EQ(client->get("/count").status(), 200);
}

TEST_F(PoolScripts, are_ended_with_the_time_of_their_request_while_they_compute) {
#ifdef WEFT_TSAN
  GTEST_SKIP() << "ThreadSanitizer keeps signals back until the program makes a call it knows";
#endif
  options.run_time = std::chrono::milliseconds(0);
  request_timeout = std::chrono::milliseconds(100);
  start(R"(
    app:get("/loop", function(c) while true do end end):worker()
    app:get("/fine", function(c) c:text("fine") end):worker()
  )");
  for (int i = 0; i < 3; ++i) {
    const Heard heard = ask("/loop");
    EXPECT_EQ(heard.status, 503);
    EXPECT_EQ(heard.body, "The request took too long\n");
  }
  EXPECT_EQ(ask("/fine").body, "fine");
  EXPECT_TRUE(has_logged("app.lua:3: nobody waits for it any more (at app.lua:3"));
}

TEST_F(PoolScripts, end_in_the_generation_that_they_began_in) {
  const std::string held = std::string(kHold) + R"(
    app:get("/hold", hold):worker()
    app:get("/around", function(c, next) next() c:set_header("X-V", "1") end, hold):worker()
    app:get("/version", function(c) c:text("1") end):worker()
  )";
  start(held);
  spawn("/hold");
  spawn("/around");
  wait_until_begun(2);
  std::string changed = held;
  changed.replace(changed.find("\"held\""), 6, "\"new\"");
  changed.replace(changed.find("c:text(\"1\")"), 11, "c:text(\"2\")");
  write("app.lua", kHead + changed);
  ASSERT_EQ(script->reload(), std::nullopt);
  ask("/release");
  ask("/release");
  join();
  ASSERT_EQ(answers.size(), 2U);
  for (const Heard& heard : answers) EXPECT_EQ(heard.body, "held");
  EXPECT_EQ(ask("/version").body, "2");
  // What a route is may change, too.
  write("app.lua", std::string(kHead) + "app:get('/version', function(c) c:text('3') end)");
  ASSERT_EQ(script->reload(), std::nullopt);
  EXPECT_EQ(ask("/version").body, "3");
  EXPECT_EQ(ask("/hold").status, 404);
}

TEST_F(PoolScripts, are_read_anew_while_they_run_without_one_that_fails) {
  workers = 2;
  const auto text = [](int version) {
    return "app:get('/', function(c) local n = 0 for i = 1, 20000 do n = n + i end c:text('" +
           std::to_string(version) + "') end):worker{ queue_time = 60 }";
  };
  start(text(0));
  std::atomic<bool> done{false};
  std::atomic<int> failed{0};
  std::atomic<int> answered{0};
  for (int i = 0; i < 3; ++i) {
    asking.emplace_back([&] {
      for (int last = 0; !done;) {
        const Heard heard = ask("/");
        const int version = heard.status == 200 ? std::stoi(heard.body) : -1;
        if (version < last) ++failed;
        last = std::max(last, version);
        ++answered;
      }
    });
  }
  for (int version = 1; version <= 20; ++version) {
    write("app.lua", kHead + text(version));
    EXPECT_EQ(script->reload(), std::nullopt);
    for (const int seen = answered; answered < seen + 6;) std::this_thread::yield();
  }
  done = true;
  join();
  EXPECT_EQ(failed, 0);
  EXPECT_EQ(ask("/").body, "20");
}

TEST_F(PoolScripts, run_on_the_loop_where_there_is_no_pool) {
  load(R"(
    app:get("/", function(c) c:stream("text/plain", function(out) out:write("streamed") end) end)
      :worker()
  )");
  TestClientOptions without;
  without.server.worker_pool = "off";
  EXPECT_EQ(TestClient(app, without).get("/").body(), "streamed");
}

TEST_F(PoolScripts, name_executors_that_there_are) {
  EXPECT_NE(refusal(std::string(kHead) + "app:get('/', function() end):worker{ executor = 'none' }")
                .find("names the executor \"none\", which there is not"),
            std::string::npos);
  EXPECT_NE(refusal(std::string(kHead) + "app:worker()").find("stands behind a route"),
            std::string::npos);
  EXPECT_NE(refusal(std::string(kHead) + "app:files('/', '.'):worker()").find("not behind files()"),
            std::string::npos);
  EXPECT_NE(refusal(std::string(kHead) + "app:executor('lua')").find("another name"),
            std::string::npos);
}

}  // namespace
}  // namespace weft::app::lua
