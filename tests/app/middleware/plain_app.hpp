// PlainApp: an App on a port of its own, for tests of middleware.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "app/refusal.hpp"
#include "http/server/server_test.hpp"

namespace weft::app::test {

using http::test::Answer;
using RawClient = http::test::Client;

class PlainApp : public testing::Test {
 protected:
  PlainApp() {
    options.port = 0;
    options.backend = "epoll";
    options.quiet = true;
    options.stall_after = std::chrono::milliseconds(0);
  }
  void TearDown() override { app.stop(); }

  RawClient start() {
    app.start(options);
    return RawClient(app.port());
  }
  // A request of lines ("Origin: x\r\n" and the like) beside its Host.
  static Answer ask(RawClient& client, const std::string& method, const std::string& target,
                    const std::string& lines = {}, const std::string& host = "a.example") {
    client.send(method + " " + target + " HTTP/1.1\r\nHost: " + host + "\r\n" + lines +
                (method == "POST" || method == "PUT" ? "Content-Length: 0\r\n\r\n" : "\r\n"));
    return client.read_answer(method == "HEAD");
  }

  Options options;
  App app;
};

}  // namespace weft::app::test
