// Scripts behind a server: what they answer.
#include "exec/lua/scripts.hpp"

#include <string>
#include <thread>
#include <vector>

namespace weft::app::lua {
namespace {

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

TEST_F(Scripts, bind_bodies_and_queries_to_schemas) {
  serve(R"(
    local user = weft.schema {
      name = { type = "string", min = 1, max = 5 },
      age = { type = "integer", min = 0, max = 150, optional = true },
      mail = { type = "email", optional = true },
      role = { one_of = { "reader", "writer" }, type = "string", default = "reader" },
      score = { type = "number", default = 1.5 },
      tags = { type = "list", max = 2, of = "string", optional = true },
      address = { fields = { street = "string" }, refuse_unknown = true, optional = true },
      free = { type = "any", optional = true },
    }
    app:post("/user", function(c) c:json(c:bind(user)) end)
    app:post("/kept", function(c) local ok = pcall(c.bind, c, user) c:text(tostring(ok)) end)
    app:get("/page/:n", function(c)
      local q = c:bind({ page = { type = "integer", min = 1, default = 1 }, all = "boolean",
                         id = { type = "list", of = "integer" } }, "query")
      local p = c:bind({ n = "number" }, "path")
      c:json{ q.page, q.all, #q.id, q.id[2], p.n }
    end)
    app:post("/form", function(c) c:json(c:bind{ a = "string", n = { one_of = { 1, 2 },
                                                 type = "integer" } }) end)
    app:get("/lists", function(c)
      local q = c:bind({ few = { type = "list", of = "integer", default = { 7, 8 } },
                         none = { type = "list", of = "integer", min = 1, optional = true },
                         plain = { type = "list", of = "integer" } }, "query")
      c:json{ #q.few, q.few[1], q.none == nil, #q.plain }
    end)
    app:get("/nested", function(c) c:bind({ t = { fields = {} } }, "query") end)
    for i, wrong in ipairs{ { a = "text" }, { a = 7 }, { a = { min = 2, max = 1 } },
                            { a = { kind = "string" } }, { a = { one_of = "x" } },
                            { a = { type = "string", of = "string" } }, { 1 } } do
      assert(not pcall(weft.schema, wrong), i)
    end
  )");
  EXPECT_EQ(client->post("/user", R"({"name":"ada","other":1})").status(), 415);
  const auto post = [this](const std::string& body) {
    return client->post("/user", body, "application/json");
  };
  auto answer = post(R"({"name":"ada","other":1,"free":{"x":[1,null]}})");
  EXPECT_EQ(answer.status(), 200);
  EXPECT_EQ(answer.json()["role"].as_string(), "reader");
  EXPECT_EQ(answer.json()["score"].as_double(), 1.5);
  EXPECT_EQ(answer.json()["free"]["x"].size(), 2U);
  EXPECT_FALSE(answer.json()["other"].exists());
  answer = post(R"({"name":"too long","age":-1,"mail":"x","role":"king","score":"1",
                    "tags":["a",2,"c"],"address":{"street":1,"town":"x"}})");
  EXPECT_EQ(answer.status(), 422);
  EXPECT_EQ(answer.header("content-type"), "application/json");
  const std::string text(answer.body());
  for (const char* wanted : {R"("path":"$.name","message":"must have at most 5 characters")",
                             R"("path":"$.age","message":"must be at least 0")",
                             R"("path":"$.mail","message":"must be an e-mail address")",
                             R"("path":"$.role","message":"must be one of reader, writer")",
                             R"("path":"$.score","message":"must be a number")",
                             R"("path":"$.tags[1]","message":"must be a text")",
                             R"("path":"$.address.street","message":"must be a text")",
                             R"("path":"$.address.town","message":"is not known")"}) {
    EXPECT_NE(text.find(wanted), std::string::npos) << wanted << " in " << text;
  }
  EXPECT_NE(post("{}").body().find(R"("path":"$.name","message":"is missing")"), std::string::npos);
  EXPECT_EQ(post("[]").status(), 422);
  EXPECT_EQ(post("{").status(), 400);
  EXPECT_EQ(body("/page/2.5?all=on&id=3&id=4"), "[1,true,2,4,2.5]");
  EXPECT_EQ(client->get("/page/x?all=on").status(), 422);
  EXPECT_EQ(client->get("/page/1?all=maybe&page=0").status(), 422);
  EXPECT_EQ(body("/lists"), "[2,7,true,0]");
  EXPECT_EQ(body("/lists?few=1&none=2&plain=3"), "[1,1,false,1]");
  answer = client->post_form("/form", TestForm().field("a", "x").field("n", "2"));
  EXPECT_EQ(answer.json()["a"].as_string(), "x");
  EXPECT_EQ(answer.json()["n"].as_int(), 2);
  EXPECT_EQ(client->post_form("/form", TestForm().field("a", "x").field("n", "3")).status(), 422);
  EXPECT_EQ(client->get("/nested").status(), 500);
}

TEST_F(Scripts, take_uploads) {
  serve(R"(
    local kept
    app:post("/up", function(c)
      local photo = c:upload("photo")
      kept = photo
      assert(photo:save_as("saved.bin"))
      local why = select(2, photo:save_as("none/there.bin"))
      c:json{ photo:field(), photo:file_name(), photo:content_type(), photo:size(), photo:read(),
              c:form "title", #c:form_all("title"), #c:uploads(), #c:uploads("photo"),
              c:upload("none") == nil, weft.read_file("saved.bin"), type(why) }
    end)
    app:get("/late", function(c) kept:read() end)
    app:post("/pool", function(c) c:text(c:upload("photo"):read()) end):worker()
  )");
  TestForm form;
  form.field("title", "one")
      .field("title", "two")
      .file("photo", "../a b.png", "bytes", "image/png");
  const auto answer = client->post_form("/up", form);
  EXPECT_EQ(answer.body(),
            R"(["photo","a b.png","image/png",5,"bytes","one",2,1,1,true,"bytes","string"])");
  EXPECT_NE(client->get("/late").error().find("its request has ended"), std::string::npos);
  EXPECT_EQ(client->post_form("/pool", form).body(), "bytes");
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
    app:get("/late", function(c) app:use(function() end) end)
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

TEST_F(Scripts, and_native_routes_are_beside_one_another) {
  app.get("/native", [](Context& c) { c.text("native"); });
  serve("app:get('/lua', function(c) c:text('lua') end) app:listen{ port = 8123, host = '::1' }");
  EXPECT_EQ(body("/native"), "native");
  EXPECT_EQ(body("/lua"), "lua");
  EXPECT_EQ(script->port(), 8123);
  EXPECT_EQ(script->host(), "::1");
  EXPECT_EQ(script->files().size(), 1U);
}

}  // namespace
}  // namespace weft::app::lua
