// Scripts: a fixture with a folder for a script, an App that it adds its routes to, and a client.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <filesystem>
#include <fstream>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <weft/app.hpp>
#include <weft/client.hpp>
#include <weft/lua.hpp>
#include <weft/test_client.hpp>

namespace weft::app::lua {

class Scripts : public testing::Test {
 protected:
  Scripts() { EXPECT_NE(::mkdtemp(folder.data()), nullptr); }
  ~Scripts() override {
    app.stop();
    client.reset();
    script.reset();
    std::filesystem::remove_all(folder);
  }

  void write(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories(std::filesystem::path(folder + "/" + name).parent_path());
    // In one step, as editors do.
    std::ofstream(folder + "/.new") << text;
    std::filesystem::rename(folder + "/.new", folder + "/" + name);
  }
  // Of a script with these routes.
  TestClient& serve(const std::string& routes) {
    load(routes);
    TestClientOptions client_options;
    client_options.server.workers = workers;
    client_options.server.worker_pool_size = pool_threads;
    // A busy machine may take long.
    client_options.timeout = std::chrono::minutes(1);
    client_options.server.stall_after = std::chrono::milliseconds(0);
    client = std::make_unique<TestClient>(app, client_options);
    return *client;
  }
  // On a socket, where any number of clients ask at once.
  void start(const std::string& routes) {
    load(routes);
    Options server;
    server.uds = folder + "/socket";
    server.workers = workers;
    server.worker_pool_size = pool_threads;
    server.quiet = true;
    server.stall_after = std::chrono::milliseconds(0);
    server.limits.request_timeout = request_timeout;
    app.start(server);
  }
  struct Heard {
    int status = 0;  // 0: nothing
    std::string body;
    std::string retry_after;
  };
  Heard ask(const std::string& target) const {
    ClientOptions wanted;
    wanted.unix_socket = folder + "/socket";
    const auto answer = Client(wanted).get(target);
    if (!answer) return {0, answer.error().message(), {}};
    return {answer->status(), std::string(answer->body()),
            std::string(answer->header("retry-after"))};
  }
  void load(const std::string& routes) {
    write("app.lua", kHead + routes);
    options.log = [this](const std::string& line) {
      const std::lock_guard lock(mutex);
      lines.push_back(line);
    };
    script.emplace(app, folder + "/app.lua", options);
  }
  bool has_logged(const std::string& text) {
    const std::lock_guard lock(mutex);
    return std::ranges::any_of(
        lines, [&text](const std::string& line) { return line.find(text) != std::string::npos; });
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
  unsigned pool_threads = 2;
  std::chrono::milliseconds request_timeout{60'000};
  LuaOptions options;
  App app;
  std::mutex mutex;
  std::vector<std::string> lines;
  std::optional<LuaScript> script;
  std::unique_ptr<TestClient> client;
};

}  // namespace weft::app::lua
