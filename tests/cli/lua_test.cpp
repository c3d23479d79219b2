// Serves scripts in Lua with the built `weft` program: the example, bad scripts, and --reload.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <weft/client.hpp>
#include <weft/json_document.hpp>

#include "cli/program.hpp"

namespace weft::cli {
namespace {

namespace fs = std::filesystem;

class ServeLua : public testing::Test {
 protected:
  ServeLua() { EXPECT_NE(::mkdtemp(folder.data()), nullptr); }
  ~ServeLua() override { fs::remove_all(folder); }

  void write(const std::string& text) const {
    std::ofstream(folder + "/.new") << text;
    fs::rename(folder + "/.new", folder + "/app.lua");
  }
  std::vector<std::string> words(const std::string& script,
                                 const std::vector<std::string>& more = {}) const {
    std::vector<std::string> words{"serve", script, "--uds", folder + "/socket"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  ClientOptions over_the_socket() const {
    ClientOptions options;
    options.unix_socket = folder + "/socket";
    return options;
  }

  std::string folder = "/tmp/weft-lua-XXXXXX";
};

std::string text_of(const ClientAnswer& answer) {
  return std::to_string(answer.status()) + " " + answer.body();
}

// Past lines about a busy machine.
std::string next_line(Program& program) {
  std::string line = program.read_line();
  while (line.starts_with("weft: worker ") || line.starts_with("#")) line = program.read_line();
  return line;
}

}  // namespace

TEST_F(ServeLua, the_example_keeps_notes_and_tells_of_them) {
  Program program(words(WEFT_SOURCE_DIR "/examples/lua/app.lua", {"--workers", "2"}));
  const std::string line = next_line(program);
  EXPECT_TRUE(line.starts_with("weft: unix:" + folder + "/socket on ")) << line;
  Client client(over_the_socket());
  EXPECT_EQ(text_of(client.get("/api/notes").value()), R"(200 {"notes":[]})");
  for (const char* text : {"one", "two"}) {
    const auto made =
        client.post("/api/notes", std::string(R"({"text":")") + text + "\"}", "application/json");
    EXPECT_EQ(made.value().status(), 201);
  }
  EXPECT_EQ(client.post("/api/notes", R"({"text":7})", "application/json").value().body(),
            R"({"error":"text: some words are wanted"})");
  EXPECT_EQ(client.post("/api/notes", std::string(5000, 'x'), "text/plain").value().status(), 413);
  const auto second = client.get("/api/notes/2");
  auto note = JsonDocument::parse(second.value().body());
  EXPECT_EQ(std::get<JsonDocument>(note).root()["text"].as_string(), "two");
  EXPECT_FALSE(second.value().header("x-lua-milliseconds").empty());
  EXPECT_EQ(text_of(client.get("/api/notes/3").value()),
            R"(404 {"error":"there is no such note"})");
  const auto live = client.get("/api/live?most=2");
  EXPECT_NE(live.value().body().find("event: note\nid: 2\ndata: {"), std::string::npos);
  EXPECT_NE(client.get("/").value().body().find("<title>A guest book in Lua</title>"),
            std::string::npos);
  EXPECT_EQ(client.get("/page.js").value().status(), 200);
  program.send_signal(SIGTERM);
  EXPECT_EQ(program.finish().status, 0);
}

TEST_F(ServeLua, a_script_that_is_broken_or_not_there_ends_the_program_and_says_why) {
  write("local weft = require 'weft'\nlocal x = = 1");
  const Outcome broken = run_weft(words(folder + "/app.lua"));
  EXPECT_EQ(broken.status, 1);
  EXPECT_EQ(broken.text, "weft serve: app.lua:2: unexpected symbol near '='\n");
  const Outcome none = run_weft(words(folder + "/none.lua"));
  EXPECT_EQ(none.status, 1);
  EXPECT_NE(none.text.find("none.lua: No such file or directory"), std::string::npos);
  EXPECT_EQ(run_weft(words(folder + "/app.lua", {"--lua-memory", "1"})).status, 2);
}

TEST_F(ServeLua, a_script_that_changes_is_read_anew_and_a_broken_one_is_not) {
  const std::string head = "local weft = require 'weft' local app = weft.app() app:get('/', ";
  write(head + "function(c) c:text('one') end)");
  Program program(words(folder + "/app.lua", {"--reload"}));
  next_line(program);
  Client client(over_the_socket());
  EXPECT_EQ(client.get("/").value().body(), "one");
  write(head + "function(c) c:text('two') end) app:get('/new', function(c) c:text('new') end)");
  EXPECT_TRUE(next_line(program).starts_with("weft: the script was read anew ("));
  EXPECT_EQ(client.get("/").value().body(), "two");
  EXPECT_EQ(client.get("/new").value().body(), "new");
  write(head + "\nfunction(");
  const std::string line = next_line(program);
  EXPECT_TRUE(line.starts_with("weft: the script is broken, so the old one stays: app.lua:2:"))
      << line;
  EXPECT_EQ(client.get("/").value().body(), "two");
  program.send_signal(SIGTERM);
  EXPECT_EQ(program.finish().status, 0);
}

TEST_F(ServeLua, modules_that_were_not_there_are_noticed_when_they_come) {
  const std::string head = "local weft = require 'weft' local app = weft.app() ";
  write(head + "app:get('/', function(c) c:text('one') end)");
  Program program(words(folder + "/app.lua", {"--reload"}));
  next_line(program);
  Client client(over_the_socket());
  write(head + "local lib = require 'deep.lib' app:get('/', function(c) c:text(lib) end)");
  EXPECT_NE(next_line(program).find("module 'deep.lib' not found"), std::string::npos);
  EXPECT_EQ(client.get("/").value().body(), "one");
  // The folder alone changes nothing, and is watched from then on.
  fs::create_directory(folder + "/deep");
  EXPECT_NE(next_line(program).find("module 'deep.lib' not found"), std::string::npos);
  const auto put = [this](const std::string& text) {
    std::ofstream(folder + "/.new") << text;
    fs::rename(folder + "/.new", folder + "/deep/lib.lua");
  };
  put("return = 'two'");
  EXPECT_NE(next_line(program).find("lib.lua:1:"), std::string::npos);
  put("return 'two'");
  EXPECT_TRUE(next_line(program).starts_with("weft: the script was read anew ("));
  EXPECT_EQ(client.get("/").value().body(), "two");
  program.send_signal(SIGTERM);
  EXPECT_EQ(program.finish().status, 0);
}

// From the change to the first new answer. What it takes is printed, for a machine may be busy.
TEST_F(ServeLua, a_change_is_answered_within_milliseconds) {
  using std::chrono::steady_clock;
  const auto text = [](int version) {
    return "local weft = require 'weft' local app = weft.app() app:get('/', function(c) c:text('" +
           std::to_string(version) + "') end)";
  };
  write(text(0));
  Program program(words(folder + "/app.lua", {"--reload"}));
  next_line(program);
  Client client(over_the_socket());
  std::vector<double> took_ms;
  for (int version = 1; version <= 11; ++version) {
    const auto changed = steady_clock::now();
    write(text(version));
    while (client.get("/").value().body() != std::to_string(version)) {
    }
    took_ms.push_back(
        std::chrono::duration<double, std::milli>(steady_clock::now() - changed).count());
    EXPECT_TRUE(next_line(program).starts_with("weft: the script was read anew ("));
  }
  std::ranges::sort(took_ms);
  std::printf("from a change to its first answer: median %.1f ms, worst %.1f ms\n", took_ms[5],
              took_ms.back());
  RecordProperty("median_ms", std::to_string(took_ms[5]));
  program.send_signal(SIGTERM);
  EXPECT_EQ(program.finish().status, 0);
}

}  // namespace weft::cli
