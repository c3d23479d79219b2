// ProxyTest: two Apps on ports of their own, the second of which is a proxy before the first or
// before upstreams that misbehave.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <future>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "http/client/scripted_server.hpp"
#include "http/letter_case.hpp"
#include "http/server/client.hpp"
#include "weft/weft.hpp"

namespace weft::app::test {

using http::test::always;
using http::test::Answer;
using http::test::Peer;
using http::test::ScriptedServer;
using RawClient = http::test::Client;
using std::chrono::milliseconds;

class ProxyTest : public testing::TestWithParam<const char*> {
 protected:
  Options options() const {
    Options made;
    made.port = 0;
    made.quiet = true;
    made.backend = GetParam();
    made.stack_bytes = 256 * 1024;  // sanitizers need more
    made.stall_after = milliseconds(0);
    made.limits.body_bytes = 64 * 1024 * 1024;
    made.trusted_proxies = trusted_;
    return made;
  }
  void start(App& app) const {
    try {
      app.start(options());
    } catch (const std::runtime_error& error) {
      GTEST_SKIP() << error.what();
    }
  }
  static std::string url_of(const App& app) {
    return "http://127.0.0.1:" + std::to_string(app.port());
  }
  // A proxy for everything.
  void proxy_with(const ProxyOptions& with) {
    front_.any("/*rest", proxy(with));
    front_.any("/", proxy(with));
    start(front_);
  }
  std::uint16_t port() const { return front_.port(); }
  Answer get(std::string_view target = "/") const { return RawClient(port()).get(target); }

  std::string trusted_;
  App upstream_;
  App front_;
  Client client_;
};

// What upstreams are sent; several connections at once.
class Heads {
 public:
  ScriptedServer::Script script(std::string answer) {
    return [this, answer = std::move(answer)](Peer& peer) {
      for (std::string head = peer.read_request(); !head.empty(); head = peer.read_request()) {
        {
          const std::lock_guard lock(mutex_);
          last_ = head;
        }
        peer.send(answer);
      }
    };
  }
  std::string last() const {
    const std::lock_guard lock(mutex_);
    return last_;
  }
  bool has(std::string_view line) const {
    return last().find("\r\n" + std::string(line) + "\r\n") != std::string::npos;
  }
  // In whatever case.
  bool names(std::string_view name) const {
    return http::in_lower_case(last()).find("\r\n" + std::string(name) + ":") != std::string::npos;
  }

 private:
  mutable std::mutex mutex_;
  std::string last_;
};

// An answer behind which the connection ends, so that no upstream waits for a proxy that keeps it.
inline std::string closing(std::string_view body, const std::string& fields = {}) {
  return http::test::answer_with(body, fields + "Connection: close\r\n");
}

inline std::string closed_port() {
  std::string url;
  {
    ScriptedServer server([](Peer&) {});
    url = server.url();
  }
  return url;
}

}  // namespace weft::app::test
