// Scripts behind a server: what they answer, what they cannot do, and how they are read anew.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <mutex>
#include <optional>
#include <regex>
#include <string>
#include <thread>
#include <vector>

#include <weft/app.hpp>
#include <weft/lua.hpp>
#include <weft/test_client.hpp>

namespace weft::app::lua {
namespace {

namespace fs = std::filesystem;

class Scripts : public testing::Test {
 protected:
  Scripts() { EXPECT_NE(::mkdtemp(folder.data()), nullptr); }
  ~Scripts() override {
    client.reset();
    script.reset();
    fs::remove_all(folder);
  }

  void write(const std::string& name, const std::string& text) const {
    fs::create_directories(fs::path(folder + "/" + name).parent_path());
    // In one step, as editors do.
    std::ofstream(folder + "/.new") << text;
    fs::rename(folder + "/.new", folder + "/" + name);
  }
  // Of a script with these routes.
  TestClient& serve(const std::string& routes) {
    write("app.lua", kHead + routes);
    options.log = [this](const std::string& line) {
      const std::lock_guard lock(mutex);
      lines.push_back(line);
    };
    script.emplace(app, folder + "/app.lua", options);
    TestClientOptions client_options;
    client_options.server.workers = workers;
    // A busy machine may take long.
    client_options.timeout = std::chrono::minutes(1);
    client_options.server.stall_after = std::chrono::milliseconds(0);
    client = std::make_unique<TestClient>(app, client_options);
    return *client;
  }
  std::string body(const std::string& target) { return client->get(target).body(); }
  // Why the script is refused.
  std::string refusal(const std::string& text) {
    write("app.lua", text);
    try {
      const LuaScript refused(app, folder + "/app.lua", options);
    } catch (const std::exception& error) {
      return error.what();
    }
    return {};
  }

  static constexpr const char* kHead = "local weft = require 'weft' local app = weft.app()\n";
  std::string folder = "/tmp/weft-lua-XXXXXX";
  unsigned workers = 1;
  LuaOptions options;
  App app;
  std::mutex mutex;
  std::vector<std::string> lines;
  std::optional<LuaScript> script;
  std::unique_ptr<TestClient> client;
};

TEST_F(Scripts, answer_with_what_the_request_says) {
  serve(R"(
    app:get("/users/:id", function(c)
      c:json{ id = c:param "id", q = c:query("q", "none"), absent = c:query "x" == nil,
              all = c:query_all "q", header = c:header "x-test", cookie = c:cookie "k",
              method = c:method(), path = c:path(), route = c:route(), ip = c:address(),
              scheme = c:scheme(), host = c:host() }
    end)
    app:get("/text", function(c) return c:status(201):set_header("X-A", "b"):text("words") end)
    app:get("/html", function(c) c:html("<p>", 203) end)
    app:get("/bytes", function(c) c:bytes("\0\255", "image/x") end)
    app:get("/away", function(c) c:redirect("/text") end)
    app:delete("/gone", function(c) c:no_content() end)
    app:get("/cookie", function(c)
      c:set_cookie("a", "1", { max_age = 60, same_site = "strict" }):clear_cookie("b"):text("") end)
  )");
  auto answer = client->request(
      TestRequest("GET", "/users/7?q=a%20b&q=c").header("X-Test", "t").header("Cookie", "k=v"));
  EXPECT_EQ(answer.json()["id"].as_string(), "7");
  EXPECT_EQ(answer.json()["q"].as_string(), "a b");
  EXPECT_EQ(answer.json()["absent"].as_bool(), true);
  EXPECT_EQ(answer.json()["all"].at(1).as_string(), "c");
  EXPECT_EQ(answer.json()["header"].as_string(), "t");
  EXPECT_EQ(answer.json()["cookie"].as_string(), "v");
  EXPECT_EQ(answer.json()["method"].as_string(), "GET");
  EXPECT_EQ(answer.json()["path"].as_string(), "/users/7");
  EXPECT_EQ(answer.json()["route"].as_string(), "/users/:id");
  EXPECT_EQ(answer.json()["ip"].as_string(), "127.0.0.1");
  EXPECT_EQ(answer.json()["scheme"].as_string(), "http");
  answer = client->get("/text");
  EXPECT_EQ(answer.status(), 201);
  EXPECT_EQ(answer.header("x-a"), "b");
  EXPECT_EQ(answer.body(), "words");
  EXPECT_EQ(client->get("/html").status(), 203);
  EXPECT_EQ(client->get("/bytes").body(), std::string("\0\xff", 2));
  EXPECT_EQ(client->get("/bytes").header("content-type"), "image/x");
  EXPECT_EQ(client->get("/away").header("location"), "/text");
  EXPECT_EQ(client->del("/gone").status(), 204);
  answer = client->get("/cookie");
  ASSERT_EQ(answer.headers("set-cookie").size(), 2U);
  EXPECT_EQ(answer.headers("set-cookie")[0], "a=1; Path=/; Max-Age=60; HttpOnly; SameSite=Strict");
}

TEST_F(Scripts, read_bodies_of_every_kind) {
  serve(R"(
    app:post("/body", function(c) c:text(c:body()) end)
    app:post("/json", function(c) c:json(c:json_body()) end)
    app:post("/form", function(c) c:text(c:form "a" .. c:form("b", "-")) end)
    app:post("/parts", function(c)
      local size = 0
      for part in function() return c:read() end do size = size + #part end
      c:text(tostring(size))
    end)
  )");
  EXPECT_EQ(client->post("/body", "abc").body(), "abc");
  EXPECT_EQ(
      client->post("/json", R"({"a":[1,2.5,null,[],{}],"b":"ä","c":true})").json()["a"].size(), 5U);
  const auto same = client->post("/json", R"([1,2.5,null,[],{},"ä\n",true,-7,1e300])");
  EXPECT_EQ(same.body(), R"([1,2.5,null,[],{},"ä\n",true,-7,1e+300])");
  EXPECT_EQ(client->post("/json", "{").status(), 400);
  EXPECT_EQ(client->post_form("/form", TestForm().field("a", "x y")).body(), "x y-");
  EXPECT_EQ(client->post("/form", "x").status(), 415);
  EXPECT_EQ(client->request(TestRequest("POST", "/parts").chunks({"abc", "defg"})).body(), "7");
}

TEST_F(Scripts, have_middleware_of_their_own_around_and_between_that_in_the_box) {
  serve(R"(
    local trail
    app:use(weft.request_id(), function(c, next)
      trail = "outer "
      c:set("user", { name = "ada" })
      next()
      c:set_header("X-Trail", trail .. c:answer_status())
    end)
    local api = app:group("/api", weft.secure_headers())
    api:use(function(c, next)
      trail = trail .. "inner "
      if c:query "stop" then return c:text("stopped") end
      weft.sleep(0.001)
      next()
    end)
    api:get("/me", weft.body_limit(10), function(c, next) trail = trail .. "own " next() end,
      function(c) weft.sleep(0.001) c:text(c:get("user").name .. tostring(c:get("none"))) end)
    api:get("", function(c) c:text("root") end)
    app:get("/twice", function(c, next) next() next() end, function(c) c:text("x") end)
    local kept
    app:get("/kept", function(c, next) kept = kept or next next() end, function(c) c:text("x") end)
    app:get("/stale", function(c, next) kept() end, function(c) c:text("x") end)
    app:not_found(function(c) c:text("nothing at " .. c:path()) end)
  )");
  auto answer = client->get("/api/me");
  EXPECT_EQ(answer.body(), "adanil");
  EXPECT_EQ(answer.header("x-trail"), "outer inner own 200");
  EXPECT_EQ(answer.header("x-content-type-options"), "nosniff");
  EXPECT_FALSE(answer.header("x-request-id").empty());
  EXPECT_EQ(body("/api/me?stop=1"), "stopped");
  EXPECT_EQ(body("/api"), "root");
  answer = client->get("/api/none");
  EXPECT_EQ(answer.status(), 404);
  EXPECT_EQ(answer.body(), "nothing at /api/none");
  EXPECT_EQ(answer.header("x-trail"), "outer inner 404");
  EXPECT_EQ(client->get("/twice").status(), 500);
  EXPECT_EQ(client->get("/kept").status(), 200);
  answer = client->get("/stale");
  EXPECT_EQ(answer.status(), 500);
  EXPECT_NE(answer.error().find("next() belongs to the middleware it was given to"),
            std::string::npos);
}

TEST_F(Scripts, that_fail_are_answered_and_told_of_and_hurt_nobody_else) {
  serve(R"(
    local kept
    app:use(function(c, next)
      if not c:query "catch" then return next() end
      local ok, why = pcall(next)
      if not ok then c:text("caught " .. tostring(type(why) == "table" and why.status or why)) end
    end)
    app:get("/boom", function(c) local x x.y = 1 end)
    app:get("/status", function(c) error{ status = 409, message = "taken\n" } end)
    app:get("/abort", function(c) c:abort(410, "gone\n") end)
    app:get("/keep", function(c) kept = c c:text("kept") end)
    app:get("/use", function(c) kept:text("x") end)
    app:get("/bad", function(c) c:status(99) end)
    app:get("/value", function(c) c:json{ print } end)
    app:get("/late", function(c) app:get("/x", function() end) end)
    app:get("/inner", function(c, next) error("in middleware") end, function(c) end)
    app:get("/fine", function(c) c:text("fine") end)
  )");
  auto answer = client->get("/boom");
  EXPECT_EQ(answer.status(), 500);
  EXPECT_EQ(answer.body(), "Internal Server Error\n");
  EXPECT_NE(answer.error().find("app.lua:9: attempt to index a nil value (local 'x') (at "
                                "app.lua:9)"),
            std::string::npos)
      << answer.error();
  EXPECT_EQ(client->get("/status").status(), 409);
  EXPECT_EQ(body("/status"), "taken\n");
  EXPECT_EQ(client->get("/abort").status(), 410);
  EXPECT_EQ(body("/status?catch=1"), "caught 409");
  EXPECT_NE(body("/boom?catch=1").find("attempt to index a nil value"), std::string::npos);
  EXPECT_EQ(body("/keep"), "kept");
  EXPECT_NE(client->get("/use").error().find("the request of this c has ended"), std::string::npos);
  EXPECT_EQ(client->get("/bad").status(), 500);
  EXPECT_NE(client->get("/value").error().find("a function has no JSON"), std::string::npos);
  EXPECT_NE(client->get("/late").error().find("while the script is loaded"), std::string::npos);
  EXPECT_EQ(client->get("/inner").status(), 500);
  EXPECT_EQ(body("/fine"), "fine");
}

TEST_F(Scripts, word_errors_and_requests_that_no_route_fits) {
  serve(R"(
    app:on_error(function(c, why) weft.sleep(0.001) c:json{ error = why:match("oh no") } end)
    app:method_not_allowed(function(c) c:text("not so") end)
    app:get("/boom", function(c) c:set_header("X-Gone", "1") error("oh no") end)
    app:get("/status", function(c) c:abort(404, "none\n") end)
  )");
  const auto answer = client->get("/boom");
  EXPECT_EQ(answer.status(), 500);
  EXPECT_EQ(answer.body(), R"({"error":"oh no"})");
  EXPECT_EQ(answer.header("x-gone"), "");
  EXPECT_NE(answer.error().find("oh no"), std::string::npos);
  EXPECT_EQ(body("/status"), "none\n");
  EXPECT_EQ(client->post("/boom").status(), 405);
  EXPECT_EQ(client->post("/boom").body(), "not so");
}

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

TEST_F(Scripts, wait_without_holding_others_up) {
  serve(R"(
    local ready = weft.channel("ready")
    local quiet = weft.channel()
    app:get("/wait", function(c) c:text("got " .. ready:receive()) end)
    app:get("/give", function(c) ready:send("it") c:text("given") end)
    app:get("/never", function(c)
      local value, why = quiet:receive(0.001)
      c:text(tostring(value) .. " " .. why)
    end)
    app:get("/each", function(c)
      local queue = weft.channel(2)
      weft.spawn(function() for i = 1, 5 do queue:send{ n = i } end queue:close() end)
      local sum = 0
      for value in queue:each() do sum = sum + value.n end
      c:text(tostring(sum) .. tostring(queue:send(1)))
    end)
    app:get("/caught", function(c)
      local ok, what = pcall(function() weft.sleep(0.001) return "slept" end)
      c:text(what)
    end)
    app:get("/refused", function(c) ready:send(print) end)
  )");
  std::string waited;
  std::thread waiting([this, &waited] { waited = TestClient(app).get("/wait").body(); });
  EXPECT_EQ(body("/never"), "nil timeout");
  EXPECT_EQ(body("/each"), "15false");
  EXPECT_EQ(body("/caught"), "slept");
  EXPECT_EQ(body("/give"), "given");
  waiting.join();
  EXPECT_EQ(waited, "got it");
  EXPECT_NE(client->get("/refused").error().find("the value cannot be sent: $ is a function"),
            std::string::npos);
}

TEST_F(Scripts, stream_their_answers_and_send_events) {
  write("data/a.txt", "a file");
  serve(R"(
    app:get("/stream", function(c)
      c:stream("text/plain", function(out)
        for i = 1, 3 do out:write("line ", i, "\n"):flush() weft.sleep(0.001) end
        out:trailer("X-Sum", "3")
      end)
    end)
    app:get("/plain-stream", function(c) local out = c:stream("text/plain") out:write("x") end)
    app:get("/broken", function(c) local out = c:stream("text/plain")
      out:write(("x"):rep(100)):flush() error("half") end)
    app:get("/events", function(c)
      c:events(function(events)
        events:send("plain")
        events:send{ event = "news", data = "a\nb", id = "7", retry = 1.5 }
        events:comment("quiet")
      end, { heartbeat = 0 })
    end)
    app:get("/file", function(c) if not c:file("data/a.txt") then c:text("none") end end)
    app:get("/in/*path", function(c)
      if not c:file_in("data", c:param "path") then c:text("-") end end)
    app:get("/no-file", function(c) c:text(tostring(c:file("data/b.txt")), 404) end)
    app:get("/save", function(c) c:download("data/a.txt", "b.txt") end)
    app:get("/read", function(c) c:text(weft.read_file("data/a.txt")) end)
    app:get("/read-none", function(c) local text, why = weft.read_file("none") c:text(why) end)
    app:post("/write", function(c)
      assert(weft.write_file("data/new.txt", c:body()))
      assert(weft.append_file("data/new.txt", "!"))
      c:text(weft.read_file("data/new.txt"))
    end)
    app:files("/data", "data")
  )");
  auto answer = client->get("/stream");
  EXPECT_EQ(answer.body(), "line 1\nline 2\nline 3\n");
  EXPECT_EQ(answer.trailer("x-sum"), "3");
  EXPECT_TRUE(answer.complete());
  EXPECT_EQ(body("/plain-stream"), "x");
  EXPECT_FALSE(client->get("/broken").complete());
  answer = client->get("/events");
  EXPECT_EQ(answer.header("content-type"), "text/event-stream");
  EXPECT_EQ(answer.body(),
            "data: plain\n\nevent: news\nid: 7\nretry: 1500\ndata: a\ndata: b\n\n: quiet\n\n");
  EXPECT_EQ(body("/file"), "a file");
  EXPECT_EQ(body("/in/a.txt"), "a file");
  EXPECT_EQ(body("/in/../app.lua"), "-");
  EXPECT_EQ(client->get("/no-file").status(), 404);
  EXPECT_NE(client->get("/save").header("content-disposition").find("b.txt"),
            std::string_view::npos);
  EXPECT_EQ(body("/read"), "a file");
  EXPECT_NE(body("/read-none").find("none"), std::string::npos);
  EXPECT_EQ(client->post("/write", "new").body(), "new!");
  EXPECT_EQ(body("/data/a.txt"), "a file");
}

TEST_F(Scripts, keep_sessions) {
  serve(R"(
    app:use(weft.sessions{ keys = { ("k"):rep(32) }, cookie_name = "s", secure = false })
    app:post("/login", function(c)
      c:session():regenerate():set("user", "ada"):set("n", 7):set("x", 1.5):set("yes", true)
      c:session():flash("note", "hello")
      c:no_content()
    end)
    app:get("/me", function(c)
      local s = c:session()
      c:json{ user = s:get "user", n = s:get "n", x = s:get "x", yes = s:get "yes",
              note = s:take_flash "note", new = s:is_new(), none = s:get "none" == nil }
    end)
    app:post("/logout", function(c) c:session():destroy() c:no_content() end)
  )");
  EXPECT_EQ(client->get("/me").json()["new"].as_bool(), true);
  EXPECT_EQ(client->post("/login").status(), 204);
  auto me = client->get("/me");
  EXPECT_EQ(me.json()["user"].as_string(), "ada");
  EXPECT_EQ(me.json()["n"].as_int(), 7);
  EXPECT_EQ(me.json()["x"].as_double(), 1.5);
  EXPECT_EQ(me.json()["note"].as_string(), "hello");
  EXPECT_FALSE(client->get("/me").json()["note"].exists());
  client->post("/logout");
  EXPECT_FALSE(client->get("/me").json()["user"].exists());
}

TEST_F(Scripts, share_dictionaries_and_ask_other_servers) {
  workers = 2;
  serve(R"(
    local hits = weft.shared("hits")
    app:get("/hit", function(c) c:text(tostring(hits:incr(c:query("k", "all"), 1, 0))) end)
    app:get("/dictionary", function(c)
      local d = weft.shared("d")
      d:set("list", { 1, { a = weft.null } }, 60)
      local list = d:get("list")
      local added, why = d:add("list", 1)
      local none, reason = d:incr("none")
      c:json{ list, why, none == nil, reason, d:size(), d:delete("list"), d:get("list") == nil }
    end)
    app:get("/ask", function(c)
      local answer = assert(weft.client.get("http://x/echo?a=1", { unix_socket = c:query "socket",
        headers = { ["X-From"] = "lua" } }))
      local posted = assert(weft.client.post("http://x/sum", { json = { 1, 2 },
        unix_socket = c:query "socket" }))
      c:json{ answer.status, answer.body, answer.headers["content-type"], posted.body }
    end)
    app:get("/ask-nobody", function(c)
      local answer, why = weft.client.get("http://127.0.0.1:1/", { timeout = 5 })
      c:json{ answer == nil, why }
    end)
    app:get("/echo", function(c) c:text(c:query "a" .. c:header "x-from") end)
    app:post("/sum", function(c) local t = c:json_body() c:text(tostring(t[1] + t[2])) end)
  )");
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([this] {
      TestClient other(app, {});
      for (int k = 0; k < 50; ++k) EXPECT_EQ(other.get("/hit").status(), 200);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(body("/hit"), "201");
  EXPECT_EQ(body("/dictionary"), R"([[1,{"a":null}],"exists",true,"not found",1,true,true])");
  const auto nobody = client->get("/ask-nobody");
  EXPECT_EQ(nobody.json().at(0).as_bool(), true);
  App other;
  const LuaScript served(other, folder + "/app.lua", options);
  Options on_socket;
  on_socket.uds = folder + "/socket";
  on_socket.quiet = true;
  other.start(on_socket);
  EXPECT_EQ(body("/ask?socket=" + folder + "/socket"),
            R"([200,"1lua","text/plain; charset=utf-8","3"])");
  other.stop();
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
  fs::remove(folder + "/app.lua");
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

TEST_F(Scripts, have_modules_beside_them) {
  write("lib/words.lua", "local m = {} function m.hello() return 'hello' end return m");
  write("deep/init.lua", "return require('lib.words').hello() .. ' again'");
  serve(R"(
    local words = require "lib.words"
    assert(words == require "lib.words")
    app:get("/", function(c) c:text(words.hello() .. require "deep") end)
  )");
  EXPECT_EQ(body("/"), "hellohello again");
}

TEST_F(Scripts, are_read_anew_and_broken_ones_change_nothing) {
  serve(R"(
    app:get("/", function(c) c:text("one") end)
    app:get("/gone", function(c) c:text("still") end)
    app:not_found(function(c) c:text("none") end)
  )");
  EXPECT_EQ(body("/"), "one");
  write("app.lua", std::string(kHead) +
                       "app:get('/', function(c) c:text('two') end) app:use(function(c, next) "
                       "c:set_header('X-New', '1') next() end) "
                       "app:get('/more', function(c) c:text('more') end)");
  EXPECT_EQ(script->reload(), std::nullopt);
  EXPECT_EQ(body("/"), "two");
  EXPECT_EQ(client->get("/gone").status(), 404);
  EXPECT_EQ(client->get("/gone").header("x-new"), "1");
  write("app.lua", "local x = ");
  const auto refusal = script->reload();
  ASSERT_TRUE(refusal);
  EXPECT_NE(refusal->find("app.lua:1: unexpected symbol"), std::string::npos);
  EXPECT_EQ(body("/"), "two");
}

TEST_F(Scripts, are_read_anew_without_a_request_that_fails) {
  workers = 2;
  const auto text = [](int version) {
    return std::string(kHead) + "app:get('/', function(c) weft.sleep(0.0005) c:text('" +
           std::to_string(version) + "') end)";
  };
  write("app.lua", text(0));
  script.emplace(app, folder + "/app.lua");
  Options server;
  server.uds = folder + "/socket";
  server.workers = 2;
  server.quiet = true;
  server.stall_after = std::chrono::milliseconds(0);
  app.start(server);
  std::atomic<bool> done{false};
  std::atomic<int> failed{0};
  std::atomic<int> answered{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&] {
      ClientOptions wanted;
      wanted.unix_socket = folder + "/socket";
      Client asking(wanted);
      for (int last = 0; !done;) {
        const auto answer = asking.get("/");
        const int version = answer && answer->status() == 200 ? std::stoi(answer->body()) : -1;
        if (version < last) ++failed;
        last = std::max(last, version);
        ++answered;
      }
    });
  }
  for (int version = 1; version <= 20; ++version) {
    write("app.lua", text(version));
    EXPECT_EQ(script->reload(), std::nullopt);
    for (const int seen = answered; answered < seen + 6;) std::this_thread::yield();
  }
  done = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failed, 0);
  ClientOptions wanted;
  wanted.unix_socket = folder + "/socket";
  EXPECT_EQ(Client(wanted).get("/").value().body(), "20");
  app.stop();
}

TEST_F(Scripts, and_native_routes_are_beside_one_another) {
  app.get("/native", [](Context& c) { c.text("native"); });
  serve("app:get('/lua', function(c) c:text('lua') end) app:listen{ port = 8123, host = '::1' }");
  EXPECT_EQ(body("/native"), "native");
  EXPECT_EQ(body("/lua"), "lua");
  EXPECT_EQ(script->port(), 8123);
  EXPECT_EQ(script->host(), "::1");
  EXPECT_EQ(script->files().size(), 1U);
}

// The page lists all that scripts can call.
TEST(LuaPage, names_every_function_that_scripts_have) {
  const auto read = [](const fs::path& path) {
    std::ifstream file(path);
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  const std::string page = read(WEFT_SOURCE_DIR "/docs/lua.md");
  const std::regex entry("\\{\"([a-z_]+)\",\\s+&guarded<");
  std::size_t found = 0;
  for (const auto& file : fs::directory_iterator(WEFT_SOURCE_DIR "/src/app/lua")) {
    const std::string source = read(file.path());
    for (std::sregex_iterator at(source.begin(), source.end(), entry), end; at != end; ++at) {
      const std::string name = (*at)[1];
      ++found;
      EXPECT_TRUE(std::regex_search(page, std::regex("[:.`]" + name + "[`({]")))
          << name << " of " << file.path() << " is not in docs/lua.md";
    }
  }
  EXPECT_GT(found, 90U);
}

}  // namespace
}  // namespace weft::app::lua
