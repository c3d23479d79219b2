// WorkerRoutes: a fixture with a server that has a pool of two threads, and a route that keeps
// them.
#pragma once

#include <gtest/gtest.h>
#include <pthread.h>

#include <array>
#include <atomic>
#include <chrono>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "http/server/server_test.hpp"

namespace weft::http::test {

using std::chrono::milliseconds;
using std::chrono::seconds;

inline std::string thread_name() {
  std::array<char, 16> name{};
  ::pthread_getname_np(::pthread_self(), name.data(), name.size());
  return name.data();
}
inline bool on_pool() { return thread_name().starts_with("weft-work"); }

inline std::string get_request(std::string_view target) {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: a\r\n\r\n";
}

// Handlers that compute until a test lets them go.
class Spinners {
 public:
  void spin() {
    const int now = ++spinning_;
    int most = most_.load();
    while (most < now && !most_.compare_exchange_weak(most, now)) {
    }
    ++begun_;
    while (!released_.load(std::memory_order_relaxed)) std::this_thread::yield();
    --spinning_;
  }
  void release() { released_ = true; }
  bool reach(int count) {
    return eventually([&] { return begun_ >= count; });
  }
  int begun() const { return begun_; }
  int most() const { return most_; }

 private:
  std::atomic<bool> released_{false};
  std::atomic<int> spinning_{0};
  std::atomic<int> most_{0};
  std::atomic<int> begun_{0};
};

class WorkerRoutes : public ServerTest {
 protected:
  void SetUp() override {
    ServerTest::SetUp();
    if (IsSkipped()) return;
    options.worker_pool_size = 2;
    app.get("/spin", worker({.queue_time = seconds(30)}), [this](Context& c) {
      spinners.spin();
      c.text("spun");
    });
  }
  void TearDown() override {
    spinners.release();
    // The server lingers for those who are still there.
    busy.clear();
    ServerTest::TearDown();
  }
  // So many threads spin, each for a client of its own.
  void occupy(int threads) {
    for (int i = 0; i < threads; ++i) {
      busy.push_back(connect());
      busy.back().send(get_request("/spin"));
    }
    ASSERT_TRUE(spinners.reach(threads));
  }
  // Counted at the beginning of each turn, so that it takes a request to have it counted.
  bool waiting_comes_to(std::uint64_t count) {
    Client client = connect();
    return eventually(
        [&] { return client.get("/").status == 200 && app.stats().green_threads_parked == count; });
  }
  void expect_all_spun() {
    for (Client& client : busy) EXPECT_EQ(client.read_final_answer().body, "spun");
  }
  bool metric_says(const std::string& line) {
    Client client = connect();
    return client.get("/metrics").body.find(line) != std::string::npos;
  }

  Spinners spinners;
  std::vector<Client> busy;
};

// What does not depend on the model or the back end.
class WorkerRoutesOnce : public WorkerRoutes {};

}  // namespace weft::http::test
