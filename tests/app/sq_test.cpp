// Servers whose rings have a thread of the kernel's, which takes what is submitted.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

#include "http/server/server_test.hpp"
#include "ksvc/router/kernel_features.hpp"
#include "weft/app.hpp"
#include "weft/green.hpp"

namespace weft {
namespace {

using http::test::eventually;
using RawClient = http::test::Client;

bool can_be_had() {
  const auto features = ksvc::probe_kernel_features();
  return features.io_uring && features.setup.sqpoll;
}

// The kernel's threads that belong to rings of this process.
std::size_t polling_threads() {
  std::size_t count = 0;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream file(task.path() / "comm");
    std::string name;
    std::getline(file, name);
    if (name.starts_with("iou-sqp-")) ++count;
  }
  return count;
}

Options sq_options(const char* topology, const char* model) {
  Options options;
  options.port = 0;
  options.quiet = true;
  options.workers = 2;
  options.topology = topology;
  options.model = model;
  options.sq = true;
  return options;
}

std::string refusal_of(const Options& options) {
  App app;
  try {
    app.start(options);
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "(it has started)";
}

}  // namespace

TEST(SqServer, answers_in_every_topology_and_model) {
  if (!can_be_had()) GTEST_SKIP() << "no ring with a thread of the kernel's can be had here";
  const std::string large(1'000'000, 'x');
  for (const char* const topology : {"per-worker", "shared"}) {
    for (const char* const model : {"green", "coroutine", "callback"}) {
      SCOPED_TRACE(std::string(topology) + " " + model);
      App app;
      app.get("/", [](Context& c) { c.text("hello"); });
      app.get("/large", [&large](Context& c) { c.text(large); });
      app.get("/waits", [](Context& c) {
        weft::sleep(std::chrono::milliseconds(2));
        c.text("waited");
      });
      app.post("/body", [](Context& c) { c.text(std::to_string(c.body().size())); });
      app.start(sq_options(topology, model));
      // Those of rings that were made to see what the kernel has end a little later.
      const std::size_t rings = topology == std::string_view("shared") ? 1 : 2;
      EXPECT_TRUE(eventually([rings] { return polling_threads() == rings; }));
      for (int round = 0; round < 3; ++round) {
        RawClient client(app.port());
        EXPECT_EQ(client.get("/").body, "hello");
        EXPECT_EQ(client.get("/waits").body, "waited");
        EXPECT_EQ(client.get("/large").body, large);
        const std::string body(100'000, 'y');
        EXPECT_EQ(
            client.ask("POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n" + body)
                .body,
            "100000");
        // Many at once, and the answers in their order.
        std::string burst;
        for (int i = 0; i < 50; ++i) burst += "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        ASSERT_TRUE(client.send(burst));
        for (int i = 0; i < 50; ++i) ASSERT_EQ(client.read_answer().body, "hello");
      }
      app.stop();
      EXPECT_TRUE(eventually([] { return polling_threads() == 0; }));
    }
  }
}

TEST(SqServer, others_have_no_such_thread) {
  App app;
  app.get("/", [](Context& c) { c.text("hello"); });
  Options options = sq_options("per-worker", "green");
  options.sq = false;
  app.start(options);
  EXPECT_EQ(RawClient(app.port()).get("/").status, 200);
  EXPECT_TRUE(eventually([] { return polling_threads() == 0; }));
}

TEST(SqServer, who_cannot_have_it_is_told) {
  Options options = sq_options("per-worker", "green");
  options.backend = "epoll";
  EXPECT_EQ(refusal_of(options),
            "sq needs io_uring, and the back end is epoll (epoll was asked for); leave sq out, or "
            "see that io_uring can be used");
}

}  // namespace weft
