// Routes that are added while the server runs, by its owner, by other threads and by handlers.

#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "server_test.hpp"

namespace weft::http::test {

namespace {

class LiveRoutes : public ServerTest {
 protected:
  void SetUp() override {
    ServerTest::SetUp();
    options.workers = 3;
  }
  void add(const std::string& path) {
    app.get(path, [path](Context& c) { c.text(path); });
  }
  // Enough that every worker has some of them.
  std::vector<Client> connect_many() const {
    std::vector<Client> clients;
    for (int i = 0; i < 24; ++i) clients.push_back(connect());
    return clients;
  }
};
INSTANTIATE_TEST_SUITE_P(Backends, LiveRoutes, every_topology, backend_of);

}  // namespace

TEST_P(LiveRoutes, every_worker_serves_a_route_once_the_call_has_returned) {
  start();
  std::vector<Client> clients = connect_many();
  for (Client& client : clients) ASSERT_EQ(client.get("/new/0").status, 404);
  for (int i = 0; i < 20; ++i) {
    const std::string path = "/new/" + std::to_string(i);
    add(path);
    for (Client& client : clients) ASSERT_EQ(client.get(path).body, path);
  }
}

TEST_P(LiveRoutes, a_handler_may_add_routes_and_goes_on_when_they_are_served) {
  app.post("/routes/:name", [this](Context& c) {
    add("/made/" + std::string(c.param("name")));
    c.text("made");
  });
  start();
  std::vector<Client> clients = connect_many();
  for (std::size_t i = 0; i < clients.size(); ++i) {
    const std::string name = std::to_string(i);
    ASSERT_EQ(clients[i].ask(post_request("/routes/" + name, "")).body, "made");
    ASSERT_EQ(clients[(i + 7) % clients.size()].get("/made/" + name).body, "/made/" + name);
  }
}

TEST_P(LiveRoutes, handlers_of_all_workers_may_add_routes_at_once) {
  app.post("/routes/:name", [this](Context& c) {
    add("/made/" + std::string(c.param("name")));
    c.text("made");
  });
  start();
  std::vector<Client> clients = connect_many();
  for (std::size_t i = 0; i < clients.size(); ++i) {
    clients[i].send(post_request("/routes/" + std::to_string(i), ""));
  }
  for (Client& client : clients) EXPECT_EQ(client.read_answer().body, "made");
  for (std::size_t i = 0; i < clients.size(); ++i) {
    const std::string path = "/made/" + std::to_string(i);
    EXPECT_EQ(clients[(i + 5) % clients.size()].get(path).body, path);
  }
}

TEST_P(LiveRoutes, routes_added_under_load_disturb_no_request) {
  start();
  std::atomic<bool> stop{false};
  std::atomic<int> wrong{0};
  std::vector<std::thread> load;
  for (int i = 0; i < 3; ++i) {
    load.emplace_back([&, i] {
      Client client = connect();
      const std::string text = "t" + std::to_string(i);
      const std::string path = (i % 2 == 0 ? "/echo/" : "/park/") + text;
      while (!stop) wrong += client.get(path).body == text ? 0 : 1;
    });
  }
  Client client = connect();
  for (int i = 0; i < 200; ++i) {
    const std::string path = "/new/" + std::to_string(i) + "/x";
    add(path);
    EXPECT_EQ(client.get(path).body, path);
  }
  stop = true;
  for (std::thread& thread : load) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST_P(LiveRoutes, a_conflict_is_refused_and_changes_nothing) {
  start();
  add("/once");
  EXPECT_THROW(add("/once"), std::invalid_argument);
  EXPECT_THROW(add("nowhere"), std::invalid_argument);
  Client client = connect();
  EXPECT_EQ(client.get("/once").body, "/once");
  add("/twice");
  EXPECT_EQ(client.get("/twice").body, "/twice");
}

TEST_P(LiveRoutes, a_parked_handler_keeps_its_parameters_while_routes_come) {
  start();
  Client client = connect();
  client.send("GET /gate/kept HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_TRUE(eventually([this] { return gate.waiting() == 1; }));
  for (int i = 0; i < 100; ++i) add("/gate" + std::to_string(i) + "/:x" + std::to_string(i));
  gate.open();
  EXPECT_EQ(client.read_answer().body, "kept");
}

TEST_P(LiveRoutes, they_are_there_when_the_server_starts_again) {
  start();
  add("/later");
  app.stop();
  add("/between");
  start();
  Client client = connect();
  EXPECT_EQ(client.get("/later").body, "/later");
  EXPECT_EQ(client.get("/between").body, "/between");
}

TEST_P(LiveRoutes, who_adds_routes_while_the_server_stops_is_not_held_up) {
  start();
  std::atomic<int> added{0};
  std::thread other([&] {
    for (int i = 0; i < 300; ++i) {
      add("/new/" + std::to_string(i));
      ++added;
    }
  });
  ASSERT_TRUE(eventually([&] { return added > 10; }));
  app.stop();
  other.join();
  EXPECT_EQ(added, 300);
}

namespace {

class HeldUp : public LiveRoutes {};
INSTANTIATE_TEST_SUITE_P(Backends, HeldUp, testing::Values(std::string("epoll")), backend_of);

}  // namespace

TEST_P(HeldUp, a_worker_that_does_not_come_back_fills_its_queue_and_then_routes_are_refused) {
  std::atomic<bool> held{false};
  std::atomic<bool> go_on{false};
  // Nothing parks in it, on purpose.
  app.get("/hold", [&](Context& c) {
    held = true;
    while (!go_on) std::this_thread::yield();
    c.text("held");
  });
  options.workers = 1;
  start();
  Client client = connect();
  client.send("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_TRUE(eventually([&] { return held.load(); }));
  std::string refusal;
  int added = 0;
  try {
    for (; added < 5'000; ++added) add("/new/" + std::to_string(added));
  } catch (const std::runtime_error& error) {
    refusal = error.what();
  }
  EXPECT_EQ(added, 1024);
  EXPECT_NE(refusal.find("/new/1024"), std::string::npos) << refusal;
  EXPECT_NE(refusal.find("weft::blocking()"), std::string::npos) << refusal;

  go_on = true;
  EXPECT_EQ(client.read_answer().body, "held");
  EXPECT_EQ(client.get("/new/1023").body, "/new/1023");
  EXPECT_EQ(client.get("/new/1024").status, 404);
  add("/new/1024");
  EXPECT_EQ(client.get("/new/1024").body, "/new/1024");
}

}  // namespace weft::http::test
