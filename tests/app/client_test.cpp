// The client and the server of one program: handlers that ask others, in each topology.

#include "weft/client.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "weft/weft.hpp"

namespace weft {

namespace {

Options options_for(const std::string& topology, const std::string& backend, unsigned workers) {
  Options options;
  options.port = 0;
  options.topology = topology;
  options.backend = backend;
  options.workers = workers;
  options.quiet = true;
  return options;
}

std::string url_of(const App& app, const std::string& target) {
  return "http://127.0.0.1:" + std::to_string(app.port()) + target;
}

void add_backend_routes(App& app) {
  app.get("/users/:id", [](Context& c) { c.text("user" + std::string(c.param("id"))); });
  app.post("/copy", [](Context& c) {
    BodyReader in = c.body_stream();
    ResponseWriter out = c.stream("application/octet-stream");
    for (auto part = in.read(); !part.empty(); part = in.read()) out.write(part);
    out.trailer("X-End", "yes");
  });
}

// Sends on what comes, both ways, without keeping any of it.
void pass_on(Context& c, Client& client, const std::string& url) {
  ClientRequest request;
  request.method = c.method();
  request.url = url;
  request.body_of_unknown_length = true;
  auto exchange = client.stream(request);
  if (!exchange) return c.status(502).text(exchange.error().message());
  BodyReader in = c.body_stream();
  for (auto part = in.read(); !part.empty(); part = in.read()) {
    if (!exchange->write(part)) break;
  }
  if (!exchange->finish()) return c.status(502).text("the body was not taken");
  const auto head = exchange->answer();
  if (!head) return c.status(502).text(head.error().message());
  ResponseWriter out = c.status(head->status()).stream("application/octet-stream");
  for (auto part = exchange->read(); part && !part->empty(); part = exchange->read()) {
    out.write(*part);
  }
  out.trailer("X-End", exchange->trailer("x-end"));
}

struct Setting {
  const char* topology;
  const char* backend;
};

class ClientInHandlers : public testing::TestWithParam<Setting> {};

}  // namespace

TEST_P(ClientInHandlers, many_of_them_on_several_workers_share_one_client) {
  App backend;
  add_backend_routes(backend);
  backend.start(options_for(GetParam().topology, GetParam().backend, 2));
  ClientOptions client_options;
  client_options.connections_per_origin = 16;
  Client client(client_options);
  App front;
  front.get("/ask/:id", [&](Context& c) {
    const auto got = client.get(url_of(backend, "/users/" + std::string(c.param("id"))));
    c.status(got ? got->status() : 502).text(got ? got->body() : got.error().message());
  });
  front.post("/pass", [&](Context& c) { pass_on(c, client, url_of(backend, "/copy")); });
  front.start(options_for(GetParam().topology, GetParam().backend, 2));

  constexpr int kThreads = 4;
  constexpr int kRequests = 50;
  Client outside;
  std::atomic<int> good{0};
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      for (int i = 0; i < kRequests; ++i) {
        const std::string id = std::to_string(thread * kRequests + i);
        const auto got = outside.get(url_of(front, "/ask/" + id));
        good += got && got->status() == 200 && got->body() == "user" + id ? 1 : 0;
        if (!got) ADD_FAILURE() << got.error().message();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good, kThreads * kRequests);
  EXPECT_LE(client.stats().connections_kept, 16U);
  EXPECT_EQ(client.stats().connections_in_use, 0U);

  const std::string body(200 * 1000, 'b');
  const auto copied = outside.post(url_of(front, "/pass"), body, "text/plain");
  ASSERT_TRUE(copied) << copied.error().message();
  EXPECT_EQ(copied->status(), 200);
  EXPECT_TRUE(copied->body() == body);
  EXPECT_EQ(copied->trailer("X-End"), "yes");
  // While the workers that the kept connections were made on still run.
  client.close_idle();
  EXPECT_EQ(client.stats().connections_kept, 0U);
  EXPECT_EQ(outside.get(url_of(front, "/ask/last"))->body(), "userlast");
}

TEST_P(ClientInHandlers, a_long_body_that_is_answered_while_it_comes_does_not_stall) {
  App app;
  add_backend_routes(app);
  app.route("PUT", "/copy", [](Context& c) {
    BodyReader in = c.body_stream();
    ResponseWriter out = c.stream("application/octet-stream");
    for (auto part = in.read(); !part.empty(); part = in.read()) out.write(part);
  });
  Options options = options_for(GetParam().topology, GetParam().backend, 1);
  options.limits.body_bytes = 64 * 1024 * 1024;
  app.start(options);
  const std::string body(16 * 1024 * 1024, 'c');
  const bool ring = std::string(GetParam().backend) == "auto";
  run(
      [&] {
        ClientOptions client_options;
        client_options.limits.body_bytes = 64 * 1024 * 1024;
        Client client(client_options);
        ClientRequest request;
        request.method = "PUT";
        request.url = url_of(app, "/copy");
        request.body = body;
        const auto got = client.request(request);
        ASSERT_TRUE(got) << got.error().message();
        EXPECT_TRUE(got->body() == body);
      },
      {.backend = ring ? RunOptions::Backend::automatic : RunOptions::Backend::epoll});
}

INSTANTIATE_TEST_SUITE_P(All, ClientInHandlers,
                         testing::Values(Setting{"per-worker", "auto"},
                                         Setting{"per-worker", "epoll"}, Setting{"shared", "auto"},
                                         Setting{"shared", "epoll"}),
                         [](const auto& info) {
                           std::string name = info.param.topology;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name + "_" + info.param.backend;
                         });

TEST(Client, asks_through_unix_sockets_and_below_a_base_url) {
  run([] {
    const std::string path = "@weft-client-" + std::to_string(::getpid());
    auto listener = UnixListener::bind(path);
    ASSERT_TRUE(listener);
    std::string asked;
    auto server = spawn([&] {
      auto stream = listener->accept();
      char bytes[1024];
      while (asked.find("\r\n\r\n") == std::string::npos) {
        const auto got = stream->read(bytes);
        if (!got || *got == 0) return;
        asked.append(bytes, *got);
      }
      static_cast<void>(stream->write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
    });
    ClientOptions options;
    options.base_url = "http://service/api/";
    options.unix_socket = path;
    Client client(options);
    const auto got = client.get("/x?y");
    ASSERT_TRUE(got) << got.error().message();
    EXPECT_EQ(got->body(), "ok");
    server.join();
    EXPECT_TRUE(asked.starts_with("GET /api/x?y HTTP/1.1\r\nHost: service\r\n")) << asked;
  });
}

}  // namespace weft
