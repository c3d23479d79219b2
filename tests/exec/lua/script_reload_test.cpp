// Scripts of several files, and how they are read anew.
#include "exec/lua/scripts.hpp"

#include <algorithm>
#include <atomic>
#include <string>
#include <thread>
#include <vector>

namespace weft::app::lua {
namespace {

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

}  // namespace
}  // namespace weft::app::lua
