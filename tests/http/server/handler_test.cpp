// Handlers in a running server: exceptions, parks, views across parks, long answers.

#include <gtest/gtest.h>

#include <deque>

#include "server_test.hpp"

namespace weft::http::test {

namespace {

using std::chrono::milliseconds;

class Handlers : public ServerTest {};
INSTANTIATE_TEST_SUITE_P(Topologies, Handlers, every_topology, backend_of);

std::string get_request(std::string_view target) {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: a\r\n\r\n";
}

}  // namespace

TEST_P(Handlers, an_exception_is_500_and_neighbours_are_unaffected) {
  app.get("/throw", [](Context&) { throw std::runtime_error("on purpose"); });
  app.get("/throw-int", [](Context&) { throw 1; });
  start();
  Client neighbour = connect();
  neighbour.send(get_request("/gate/there"));
  Client client = connect();
  client.send(get_request("/echo/a") + get_request("/throw") + get_request("/echo/b") +
              get_request("/throw-int") + get_request("/echo/c"));
  EXPECT_EQ(client.read_answer().body, "a");
  const Answer failed = client.read_answer();
  EXPECT_EQ(failed.status, 500);
  EXPECT_EQ(failed.body.find("on purpose"), std::string::npos);
  EXPECT_EQ(client.read_answer().body, "b");
  EXPECT_EQ(client.read_answer().status, 500);
  EXPECT_EQ(client.read_answer().body, "c");
  gate.open();
  EXPECT_EQ(neighbour.read_answer().body, "there");
  EXPECT_EQ(app.stats().handler_errors, 2U);
  EXPECT_EQ(app.stats().answers_5xx, 2U);
}

TEST_P(Handlers, cookies_and_query_values_are_read_when_asked_for) {
  app.get("/text", [](Context& c) {
    std::string all;
    for (const std::string_view value : c.query_all("t")) all += "[" + std::string(value) + "]";
    c.text(all + std::string(c.query("t", "none")) + "|" + std::string(c.cookie("sid", "none")));
  });
  start();
  Client client = connect();
  EXPECT_EQ(client
                .ask("GET /text?t=a+b&u=1&%74=%21&t=%4 HTTP/1.1\r\nHost: a\r\n"
                     "Cookie: x=1; sid=\"q%20\"; sid=2\r\n\r\n")
                .body,
            "[a b][!][%4]a b|\"q%20\"");
  EXPECT_EQ(client.get("/text?T=1").body, "none|none");
}

TEST_P(Handlers, an_exception_after_a_park_is_500) {
  app.get("/throw-later", [](Context& c) {
    c.text("forgotten");
    c.set_header("X-Forgotten", "yes");
    weft::sleep(milliseconds(1));
    throw std::runtime_error("later");
  });
  start();
  std::deque<Client> clients;
  for (int i = 0; i < 50; ++i) {
    clients.push_back(connect());
    clients.back().send(get_request("/throw-later") + get_request("/echo/after"));
  }
  for (Client& client : clients) {
    const Answer failed = client.read_answer();
    EXPECT_EQ(failed.status, 500);
    EXPECT_EQ(failed.field("x-forgotten"), "");
    EXPECT_EQ(client.read_answer().body, "after");
  }
}

TEST_P(Handlers, handlers_may_park_while_an_exception_is_being_handled) {
  app.get("/catch/:text", [](Context& c) {
    try {
      throw std::runtime_error(std::string(c.param("text")));
    } catch (const std::exception& error) {
      weft::sleep(milliseconds(1));
      try {
        throw std::logic_error("another");
      } catch (const std::logic_error&) {
        weft::yield();
      }
      c.text(error.what());
    }
  });
  start();
  std::deque<Client> clients;
  for (int i = 0; i < 50; ++i) {
    clients.push_back(connect());
    clients.back().send(get_request("/catch/" + std::to_string(i)));
  }
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(clients[static_cast<std::size_t>(i)].read_answer().body, std::to_string(i));
  }
}

TEST_P(Handlers, a_header_that_would_break_out_of_its_line_is_500) {
  app.get("/cr", [](Context& c) { c.set_header("X", "a\rb").text("sent"); });
  app.get("/lf", [](Context& c) { c.set_header("X", "a\nSet-Cookie: b").text("sent"); });
  app.get("/nul", [](Context& c) { c.set_header("X", std::string_view("a\0b", 3)).text("sent"); });
  app.get("/name", [](Context& c) { c.set_header("X\r\nY", "a").text("sent"); });
  app.get("/own", [](Context& c) { c.set_header("Content-Length", "1").text("sent"); });
  app.get("/status", [](Context& c) { c.status(1000).text("sent"); });
  start();
  Client client = connect();
  for (const char* target : {"/cr", "/lf", "/nul", "/name", "/own", "/status"}) {
    SCOPED_TRACE(target);
    const Answer answer = client.get(target);
    EXPECT_EQ(answer.status, 500);
    EXPECT_EQ(answer.field("x"), "");
    EXPECT_EQ(answer.field("set-cookie"), "");
  }
}

TEST_P(Handlers, what_a_client_chooses_cannot_break_out_of_the_content_type) {
  app.get("/type", [](Context& c) { c.bytes("x", c.query("t")); });
  app.get("/server", [](Context& c) { c.set_header("Server", "another"); });
  start();
  Client client = connect();
  client.send(get_request("/type?t=image/png") + get_request("/type?t=a%0d%0aX-Evil:1") +
              get_request("/server"));
  EXPECT_EQ(client.read_answer().field("content-type"), "image/png");
  const Answer answer = client.read_answer();
  EXPECT_EQ(answer.status, 500);
  EXPECT_EQ(answer.field("x-evil"), "");
  EXPECT_EQ(client.read_answer().status, 500);
}

TEST_P(Handlers, statuses_without_a_body_say_so) {
  app.get("/status/:code", [](Context& c) {
    c.text("not to be sent");
    c.status(std::stoi(std::string(c.param("code"))));
  });
  start();
  Client client = connect();
  for (const int code : {204, 205, 304}) {
    client.send(get_request("/status/" + std::to_string(code)) + get_request("/echo/next"));
    const Answer answer = client.read_answer();
    EXPECT_EQ(answer.status, code);
    EXPECT_EQ(answer.field("content-type"), "");
    EXPECT_EQ(answer.field("content-length"), code == 205 ? "0" : "");
    EXPECT_EQ(client.read_answer().body, "next");
  }
}

TEST_P(Handlers, a_content_type_that_was_set_is_sent_once_and_kept) {
  app.get("/csv", [](Context& c) {
    c.set_header("Content-Type", "text/csv");
    c.text("a,b\n");
  });
  app.get("/cr-type", [](Context& c) { c.set_header("content-type", "text/csv\r\nX: y"); });
  start();
  Client client = connect();
  client.send(get_request("/csv") + get_request("/cr-type"));
  const Answer answer = client.read_answer();
  EXPECT_EQ(answer.field("content-type"), "text/csv");
  EXPECT_EQ(answer.head.find("Content-Type"), answer.head.rfind("Content-Type"));
  EXPECT_EQ(client.read_answer().status, 500);
}

TEST_P(Handlers, a_park_in_the_middle_of_a_batch_holds_back_what_is_behind_it) {
  start();
  Client client = connect();
  client.send(get_request("/echo/a") + get_request("/gate/b") + get_request("/echo/c"));
  EXPECT_EQ(client.read_answer().body, "a");
  ASSERT_TRUE(eventually([this] { return gate.waiting() == 1; }));
  client.send(get_request("/echo/d"));
  expect_still_serving();
  EXPECT_FALSE(client.has_input());
  gate.open();
  for (const char* text : {"b", "c", "d"}) EXPECT_EQ(client.read_answer().body, text);
}

TEST_P(Handlers, views_stay_valid_across_a_park_while_others_use_the_buffers) {
  app.post("/views/:one/:two", [this](Context& c) {
    const std::string_view one = c.param("one");
    const std::string_view two = c.param("two");
    const std::string_view query = c.query("q");
    const std::string_view header = c.header("X-Text");
    const std::string_view path = c.path();
    const std::string_view body = c.body();
    gate.pass();
    c.text(std::string(one) + "|" + std::string(two) + "|" + std::string(query) + "|" +
           std::string(header) + "|" + std::string(path) + "|" + std::string(body));
  });
  start();
  const std::string body(500, 'b');
  std::deque<Client> parked;
  for (int i = 0; i < 40; ++i) {
    parked.push_back(connect());
    const std::string number = std::to_string(i);
    const std::string request = post_request("/views/one" + number + "/tw%6F?q=a%20" + number,
                                             body + number, "X-Text: text " + number + "\r\n");
    // In one piece, and in pieces that must be put together.
    const std::size_t cut = i % 2 == 0 ? 0 : request.size() - 10 - static_cast<std::size_t>(i);
    parked.back().send(request.substr(0, cut));
    parked.back().send(request.substr(cut));
  }
  ASSERT_TRUE(eventually([this] { return gate.waiting() == 40; }));
  std::deque<Client> others;
  for (int i = 0; i < 20; ++i) others.push_back(connect());
  for (int round = 0; round < 10; ++round) {
    for (Client& other : others) {
      std::string batch;
      for (int i = 0; i < 15; ++i) batch += post_request("/body", std::string(200, 'z'));
      other.send(batch);
    }
    for (Client& other : others) {
      for (int i = 0; i < 15; ++i) ASSERT_EQ(other.read_answer().body, std::string(200, 'z'));
    }
  }
  gate.open();
  for (int i = 0; i < 40; ++i) {
    const std::string number = std::to_string(i);
    EXPECT_EQ(parked[static_cast<std::size_t>(i)].read_answer().body,
              "one" + number + "|two|a " + number + "|text " + number + "|/views/one" + number +
                  "/tw%6F|" + body + number);
  }
}

TEST_P(Handlers, two_thousand_handlers_may_be_parked_at_once) {
  start();
  constexpr int kCount = 2000;
  std::deque<Client> clients;
  for (int i = 0; i < kCount; ++i) {
    clients.push_back(connect());
    clients.back().send(get_request("/gate/" + std::to_string(i)));
  }
  ASSERT_TRUE(eventually([this] { return gate.waiting() == kCount; })) << gate.waiting();
  expect_still_serving();
  gate.open();
  for (int i = 0; i < kCount; ++i) {
    ASSERT_EQ(clients[static_cast<std::size_t>(i)].read_answer().body, std::to_string(i));
  }
}

TEST_P(Handlers, long_answers_reach_a_slow_reader_with_requests_behind) {
  start();
  Client client = connect(4096);
  client.send(get_request("/echo/before") + get_request("/big/5120") + get_request("/echo/a") +
              get_request("/big/5120") + get_request("/park/b") + get_request("/big/100") +
              get_request("/echo/c"));
  expect_still_serving();
  EXPECT_EQ(client.read_answer().body, "before");
  const std::string big(5120U * 1024, 'b');
  EXPECT_TRUE(client.read_answer().body == big);
  EXPECT_EQ(client.read_answer().body, "a");
  expect_still_serving();
  EXPECT_TRUE(client.read_answer().body == big);
  EXPECT_EQ(client.read_answer().body, "b");
  EXPECT_EQ(client.read_answer().body.size(), 100U * 1024);
  EXPECT_EQ(client.read_answer().body, "c");
}

TEST_P(Handlers, answers_of_every_length_interleave_with_parks_in_order) {
  start();
  Client client = connect(64 * 1024);
  const int sizes[] = {0, 1, 63, 64, 100, 127, 128, 129, 200, 255, 256, 257, 600};
  std::string batch;
  for (const int size : sizes) {
    batch += get_request("/big/" + std::to_string(size)) + get_request("/park/p") +
             get_request("/big/" + std::to_string(size)) + get_request("/sleep/s");
  }
  client.send(batch);
  for (const int size : sizes) {
    const auto bytes = static_cast<std::size_t>(size) * 1024;
    ASSERT_EQ(client.read_answer().body.size(), bytes);
    ASSERT_EQ(client.read_answer().body, "p");
    ASSERT_EQ(client.read_answer().body.size(), bytes);
    ASSERT_EQ(client.read_answer().body, "s");
  }
}

TEST_P(Handlers, statistics_may_be_read_in_a_handler) {
  app.get("/stats", [this](Context& c) { c.text(std::to_string(app.stats().requests)); });
  start();
  Client client = connect();
  EXPECT_EQ(client.get("/stats").body, "0");
  EXPECT_EQ(client.get("/stats").body, "1");
}

}  // namespace weft::http::test
