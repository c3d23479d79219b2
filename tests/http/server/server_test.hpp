// ServerTest: a weft::App on a port of its own, once per back end that this kernel offers.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include "client.hpp"
#include "ksvc/router/backend_choice.hpp"
#include "weft/weft.hpp"

namespace weft::http::test {

// Sanitizers keep freed memory and need more stack.
#if defined(WEFT_ASAN) || defined(WEFT_TSAN)
inline constexpr bool sanitized = true;
#else
inline constexpr bool sanitized = false;
#endif

inline std::string why_not(const std::string& backend) {
  const auto kind = ksvc::parse_backend_kind(backend);
  const auto choice = ksvc::choose_backend(ksvc::probe_kernel_features(), kind);
  return choice ? std::string() : choice.reason;
}

// Waits for what another thread brings about; false when it does not come.
inline bool eventually(const std::function<bool()>& condition) {
  const auto give_up = std::chrono::steady_clock::now() + hang_guard;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > give_up) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

inline std::size_t open_descriptors() {
  const std::filesystem::directory_iterator begin("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin, std::filesystem::directory_iterator()));
}

inline std::size_t resident_bytes() {
  std::size_t pages = 0;
  if (FILE* file = std::fopen("/proc/self/statm", "r")) {
    if (std::fscanf(file, "%*u %zu", &pages) != 1) pages = 0;
    std::fclose(file);
  }
  return pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

inline std::string post_request(std::string_view target, std::string_view body,
                                std::string_view fields = {}) {
  return "POST " + std::string(target) + " HTTP/1.1\r\nHost: a\r\n" + std::string(fields) +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

// A gate that handlers park at until a test opens it.
class Gate {
 public:
  void pass() {
    ++waiting_;
    while (!open_) weft::sleep(std::chrono::milliseconds(1));
    --waiting_;
  }
  Task<void> pass_awaited() {
    ++waiting_;
    while (!open_) co_await coro::sleep(std::chrono::milliseconds(1));
    --waiting_;
  }
  void open() { open_ = true; }
  void close() { open_ = false; }
  int waiting() const { return waiting_; }

 private:
  std::atomic<bool> open_{false};
  std::atomic<int> waiting_{0};
};

// Over every back end, each as the workers' own and as one that they share, and every connection
// model: the parameter is the back end's name, with "_shared" behind it or not, the model's if that
// is not green, and "_sq" or not. The handlers of the common routes that wait are of the model's
// own kind.
class ServerTest : public testing::TestWithParam<std::string> {
 protected:
  static bool names(std::string_view part) { return GetParam().find(part) != std::string::npos; }
  bool is_shared() const { return names("_shared"); }
  std::string backend() const { return names("io_uring") ? "io_uring" : "epoll"; }
  std::string model() const {
    return names("_coroutine") ? "coroutine" : names("_callback") ? "callback" : "green";
  }

  void SetUp() override {
    if (const std::string reason = why_not(backend()); !reason.empty()) GTEST_SKIP() << reason;
    options.host = "127.0.0.1";
    options.port = 0;
    options.backend = backend();
    options.topology = is_shared() ? "shared" : "per-worker";
    options.model = model();
    options.sq = names("_sq");
    if (options.sq && !ksvc::probe_kernel_features().setup.sqpoll) {
      GTEST_SKIP() << "no ring with a thread of the kernel's can be had here";
    }
    options.stall_after = std::chrono::milliseconds(0);
    options.quiet = true;
    if (sanitized) options.stack_bytes = 256 * 1024;
    add_common_routes();
    if (model() == "green") add_parking_routes();
    if (model() == "coroutine") add_coroutine_routes();
    if (model() == "callback") add_callback_routes();
  }
  void TearDown() override {
    gate.open();
    app.stop();
  }

  void start() { app.start(options); }
  Client connect(int receive_bytes = 0) const { return Client(app.port(), receive_bytes); }
  bool all_connections_closed() const {
    return eventually([this] { return app.stats().connections_open == 0; });
  }
  // The server is still there for others.
  void expect_still_serving() const {
    Client client = connect();
    EXPECT_EQ(client.get("/").body, "hello");
  }

  // Declared before the app: handlers use them until it has stopped.
  Gate gate;
  std::atomic<int> reads_begun{0};
  Options options;
  App app;

 private:
  void add_common_routes() {
    app.get("/", [](Context& c) { c.text("hello"); });
    app.get("/echo/:text", [](Context& c) { c.text(c.param("text")); });
    app.get("/big/:kib", [](Context& c) {
      c.text(std::string(std::stoul(std::string(c.param("kib"))) * 1024, 'b'));
    });
    app.post("/unread", [](Context& c) { c.text("not read"); });
    app.post("/length", [this](Context& c) {
      ++reads_begun;
      c.text(std::to_string(c.body().size()));
    });
    app.post("/body", [this](Context& c) {
      ++reads_begun;
      c.text(c.body());
    });
  }
  void add_parking_routes() {
    app.get("/park/:text", [](Context& c) {
      weft::yield();
      c.text(c.param("text"));
    });
    app.get("/sleep/:text", [](Context& c) {
      weft::sleep(std::chrono::milliseconds(2));
      c.text(c.param("text"));
    });
    app.get("/gate/:text", [this](Context& c) {
      gate.pass();
      c.text(c.param("text"));
    });
  }
  void add_coroutine_routes() {
    app.get("/park/:text", [](Context& c) -> Task<void> {
      co_await coro::yield();
      c.text(c.param("text"));
    });
    app.get("/sleep/:text", [](Context& c) -> Task<void> {
      co_await coro::sleep(std::chrono::milliseconds(2));
      c.text(c.param("text"));
    });
    app.get("/gate/:text", [this](Context& c) -> Task<void> {
      co_await gate.pass_awaited();
      c.text(c.param("text"));
    });
  }
  // Something else on the worker answers.
  void add_callback_routes() {
    const auto answer = [](Context& c) { c.text(c.param("text")); };
    app.get("/park/:text", [answer](Context&, Respond respond) {
      weft::spawn([answer, respond = std::move(respond)]() mutable { respond(answer); }).detach();
    });
    app.get("/sleep/:text", [answer](Context&, Respond respond) {
      weft::spawn([answer, respond = std::move(respond)]() mutable {
        weft::sleep(std::chrono::milliseconds(2));
        respond(answer);
      }).detach();
    });
    app.get("/gate/:text", [this, answer](Context&, Respond respond) {
      weft::spawn([this, answer, respond = std::move(respond)]() mutable {
        gate.pass();
        respond(answer);
      }).detach();
    });
  }
};

inline const auto every_topology =
    testing::Values(std::string("epoll"), std::string("io_uring"), std::string("epoll_shared"),
                    std::string("io_uring_shared"), std::string("epoll_coroutine"),
                    std::string("io_uring_coroutine"), std::string("epoll_callback"),
                    std::string("io_uring_callback"));
// What every_topology leaves out.
inline const auto every_shared_model =
    testing::Values(std::string("epoll_shared_coroutine"), std::string("io_uring_shared_coroutine"),
                    std::string("epoll_shared_callback"), std::string("io_uring_shared_callback"));
// Those of them whose rings have a thread of the kernel's.
inline const auto every_sq =
    testing::Values(std::string("io_uring_sq"), std::string("io_uring_shared_sq"),
                    std::string("io_uring_coroutine_sq"), std::string("io_uring_callback_sq"));
inline const auto every_backend = testing::Values(std::string("epoll"), std::string("io_uring"));
inline std::string backend_of(const testing::TestParamInfo<std::string>& info) {
  return info.param;
}

}  // namespace weft::http::test
