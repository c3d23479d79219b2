// Answers that a handler writes piece by piece, against a running server.

#include <gtest/gtest.h>

#include "server_test.hpp"
#include "stream_client.hpp"

namespace weft::http::test {

namespace {

using std::chrono::milliseconds;

std::string request(std::string_view target, std::string_view version = "1.1",
                    std::string_view method = "GET", std::string_view fields = {}) {
  return std::string(method) + " " + std::string(target) + " HTTP/" + std::string(version) +
         "\r\nHost: a\r\n" + std::string(fields) + "\r\n";
}

const std::string kNext = request("/echo/next");

class AnswerStreams : public ServerTest {
 protected:
  void SetUp() override {
    ServerTest::SetUp();
    for (const char* method : {"GET", "HEAD"}) {
      app.route(method, "/numbers/:count", [](Context& c) { write_numbers(c, false); });
      app.route(method, "/parking/:count", [](Context& c) { write_numbers(c, true); });
      app.route(method, "/known/:bytes", [](Context& c) {
        const std::string body = pattern(std::stoul(std::string(c.param("bytes"))));
        c.stream("text/plain", body.size()).write(body);
      });
    }
    app.get("/large/:bytes", [this](Context& c) {
      const std::string body = pattern(std::stoul(std::string(c.param("bytes"))));
      ++writes_begun;
      c.stream("text/plain").write(body);
    });
    app.get("/awaited", [](Context& c) -> Task<void> {
      co_await coro::yield();
      c.stream("text/plain", 13).write("one ").write("two ").write("three");
    });
    app.post("/answer-first", [](Context& c) {
      ResponseWriter out = c.stream("text/plain");
      out.write("first ");
      out.write(c.body());
    });
    app.get("/endless", [this](Context& c) {
      struct Ended {
        ~Ended() { ++count; }
        std::atomic<int>& count;
      } const at_the_end{handlers_ended};
      const std::string piece(10'000, 'e');
      ResponseWriter out = c.stream("text/plain");
      for (;;) {
        out.write(piece);
        written += piece.size();
      }
    });
  }
  static void write_numbers(Context& c, bool park) {
    ResponseWriter out = c.stream("text/plain");
    const int count = std::stoi(std::string(c.param("count")));
    for (int i = 0; i < count; ++i) {
      out.write(std::to_string(i)).write({}).write(" ");
      if (park) weft::yield();
    }
  }
  static std::string numbers(int count) {
    std::string out;
    for (int i = 0; i < count; ++i) out += std::to_string(i) + " ";
    return out;
  }
  // All that comes for this and for a last request.
  std::string ask_all(const std::string& first) const {
    Client client = connect();
    client.send(first + request("/echo/next", "1.1", "GET", "Connection: close\r\n"));
    return client.read_to_end();
  }

  std::atomic<int> writes_begun{0};
  std::atomic<int> handlers_ended{0};
  std::atomic<std::size_t> written{0};
};
INSTANTIATE_TEST_SUITE_P(Topologies, AnswerStreams, every_topology, backend_of);

}  // namespace

TEST_P(AnswerStreams, what_a_coroutine_writes_just_before_its_end_is_sent) {
  start();
  Client client = connect();
  // Nothing else that the client does makes the connection run.
  for (int i = 0; i < 20; ++i) EXPECT_EQ(client.get("/awaited").body, "one two three");
}

TEST_P(AnswerStreams, small_writes_are_gathered_into_one_chunk) {
  start();
  Client client = connect();
  client.send(request("/numbers/100") + kNext);
  const Answer head = client.read_answer();
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.field("transfer-encoding"), "chunked");
  EXPECT_EQ(head.field("content-length"), "");
  EXPECT_EQ(head.field("connection"), "");
  client.shutdown_write();
  const Chunks chunks = take_chunks(client.read_to_end());
  EXPECT_TRUE(chunks.is_whole);
  EXPECT_EQ(chunks.count, 1U);
  EXPECT_EQ(chunks.body, numbers(100));
  EXPECT_NE(chunks.behind.find("\r\n\r\nnext"), std::string::npos);
}

TEST_P(AnswerStreams, what_is_written_goes_out_when_the_handler_parks) {
  app.get("/two-parts", [this](Context& c) {
    ResponseWriter out = c.stream("text/plain");
    out.write("first");
    gate.pass();
    out.write("second");
  });
  start();
  Client client = connect();
  client.send(request("/two-parts"));
  EXPECT_EQ(client.read_answer().status, 200);
  ASSERT_TRUE(client.has_input(hang_guard));
  gate.open();
  client.shutdown_write();
  const Chunks chunks = take_chunks(client.read_to_end());
  EXPECT_TRUE(chunks.is_whole);
  EXPECT_EQ(chunks.count, 2U);
  EXPECT_EQ(chunks.body, "firstsecond");
}

TEST_P(AnswerStreams, many_parks_and_large_writes_keep_order) {
  start();
  const std::string parked = ask_all(request("/parking/500"));
  const Chunks many = take_chunks(parked.substr(parked.find("\r\n\r\n") + 4));
  EXPECT_EQ(many.body, numbers(500));
  EXPECT_NE(many.behind.find("\r\n\r\nnext"), std::string::npos);
  for (const std::size_t size : {16'383U, 16'384U, 65'537U, 3'000'000U}) {
    const std::string all = ask_all(kNext + request("/large/" + std::to_string(size)));
    const std::size_t begin = all.find("\r\n\r\n", all.find("Transfer-Encoding")) + 4;
    const Chunks large = take_chunks(std::string_view(all).substr(begin));
    EXPECT_TRUE(large.is_whole) << size;
    EXPECT_TRUE(large.body == pattern(size)) << size;
    EXPECT_NE(large.behind.find("\r\n\r\nnext"), std::string::npos) << size;
  }
}

TEST_P(AnswerStreams, http_1_0_gets_the_bytes_until_the_connection_ends) {
  start();
  Client client = connect();
  client.send(request("/parking/20", "1.0", "GET", "Connection: keep-alive\r\n") + kNext);
  const Answer head = client.read_answer();
  EXPECT_EQ(head.field("transfer-encoding"), "");
  EXPECT_EQ(head.field("content-length"), "");
  EXPECT_TRUE(head.announces_close());
  EXPECT_EQ(client.read_to_end(), numbers(20));
}

TEST_P(AnswerStreams, a_known_length_is_announced_and_keeps_the_connection) {
  start();
  Client client = connect();
  for (const char* version : {"1.1", "1.0"}) {
    for (const std::size_t size : {std::size_t{0}, std::size_t{5}, std::size_t{300'000}}) {
      const Answer answer = client.ask(
          request("/known/" + std::to_string(size), version, "GET", "Connection: keep-alive\r\n"));
      EXPECT_EQ(answer.field("content-length"), std::to_string(size));
      EXPECT_EQ(answer.field("transfer-encoding"), "");
      EXPECT_TRUE(answer.body == pattern(size));
    }
  }
  EXPECT_EQ(client.get("/").body, "hello");
}

TEST_P(AnswerStreams, head_gets_no_bytes) {
  start();
  Client client = connect();
  client.send(request("/numbers/50", "1.1", "HEAD") + request("/known/50", "1.1", "HEAD") +
              request("/large/0", "1.1", "GET") + kNext);
  EXPECT_EQ(client.read_answer(true).field("transfer-encoding"), "chunked");
  EXPECT_EQ(client.read_answer(true).field("content-length"), "50");
  EXPECT_EQ(client.read_answer().field("content-length"), "0");
  EXPECT_EQ(client.read_answer().body, "next");
}

TEST_P(AnswerStreams, head_of_an_endless_stream_holds_up_nobody_and_ends_with_its_time_or_client) {
  start();
  Client client = connect();
  client.send(request("/endless", "1.1", "HEAD"));
  EXPECT_EQ(client.read_answer(true).status, 200);
  expect_still_serving();
  EXPECT_EQ(handlers_ended, 0);
  client.reset();
  EXPECT_TRUE(eventually([this] { return handlers_ended == 1; }));
  app.stop();
  options.limits.request_timeout = milliseconds(100);
  start();
  Client stays = connect();
  stays.send(request("/endless", "1.1", "HEAD"));
  EXPECT_EQ(stays.read_answer(true).status, 200);
  EXPECT_TRUE(eventually([this] { return handlers_ended == 2; }));
  EXPECT_TRUE(stays.is_ended());
}

TEST_P(AnswerStreams, no_100_continue_goes_into_an_answer_that_has_begun) {
  start();
  for (const std::string& fields : {std::string("Expect: 100-continue\r\n"), std::string()}) {
    Client client = connect();
    client.send(announce("/answer-first", 4, fields + "Connection: close\r\n"));
    EXPECT_EQ(client.read_answer().status, 200);
    ASSERT_TRUE(client.has_input(hang_guard));
    client.send("body");
    EXPECT_EQ(take_chunks(client.read_to_end()).body, "first body");
  }
}

TEST_P(AnswerStreams, a_stream_of_nothing_is_an_empty_answer) {
  app.get("/nothing", [](Context& c) { c.stream("text/plain").write("").write({}); });
  app.get("/flushed", [](Context& c) { c.stream("text/plain").flush().flush(); });
  start();
  Client client = connect();
  const Answer nothing = client.get("/nothing");
  EXPECT_EQ(nothing.status, 200);
  EXPECT_EQ(nothing.field("content-length"), "0");
  const std::string flushed = ask_all(request("/flushed"));
  EXPECT_NE(flushed.find("\r\n\r\n0\r\n\r\nHTTP/1.1 200"), std::string::npos) << flushed;
}

TEST_P(AnswerStreams, trailers_go_out_behind_the_last_chunk) {
  app.get("/trailers", [](Context& c) {
    ResponseWriter out = c.stream("text/plain");
    out.trailer("X-Sum", "17");
    EXPECT_THROW(out.trailer("Content-Length", "3"), std::invalid_argument);
    EXPECT_THROW(out.trailer("X-Bad", "a\r\nb"), std::invalid_argument);
    out.write("body").trailer("X-More", "yes");
    EXPECT_THROW(c.set_header("X-Late", "1"), std::logic_error);
    EXPECT_THROW(c.status(404), std::logic_error);
  });
  start();
  const std::string all = ask_all(request("/trailers"));
  const Chunks chunks = take_chunks(all.substr(all.find("\r\n\r\n") + 4));
  EXPECT_EQ(chunks.body, "body");
  EXPECT_EQ(chunks.trailers, "X-Sum: 17\r\nX-More: yes\r\n");
  EXPECT_EQ(all.find("X-Late"), std::string::npos);
}

TEST_P(AnswerStreams, a_failure_before_the_first_bytes_is_answered_500) {
  app.get("/early", [](Context& c) {
    static_cast<void>(c.stream("text/plain"));
    throw std::runtime_error("too early");
  });
  app.get("/too-few-at-all", [](Context& c) { static_cast<void>(c.stream("text/plain", 10)); });
  app.get("/too-many-at-once", [](Context& c) { c.stream("text/plain", 3).write("four"); });
  start();
  Client client = connect();
  for (const char* target : {"/early", "/too-few-at-all", "/too-many-at-once"}) {
    EXPECT_EQ(client.get(target).status, 500) << target;
  }
  EXPECT_EQ(client.get("/").body, "hello");
  EXPECT_EQ(app.stats().handler_errors, 3U);
}

TEST_P(AnswerStreams, a_failure_after_the_first_bytes_cuts_the_connection_off) {
  app.get("/late", [](Context& c) {
    c.stream("text/plain").write("some");
    throw std::runtime_error("too late");
  });
  app.get("/too-few", [](Context& c) { c.stream("text/plain", 10).write("four"); });
  app.get("/too-many", [](Context& c) { c.stream("text/plain", 5).write("four").write("more"); });
  start();
  Client client = connect();
  client.send(request("/late") + kNext);
  const std::string all = client.read_to_end();
  const Chunks chunks = take_chunks(all.substr(all.find("\r\n\r\n") + 4));
  EXPECT_EQ(chunks.body, "some");
  EXPECT_FALSE(chunks.is_whole);
  for (const std::string& what :
       {request("/too-few"), request("/too-many"), request("/late", "1.0")}) {
    Client other = connect();
    other.send(what);
    EXPECT_TRUE(eventually([&] { return other.sees_reset(); })) << what;
  }
  EXPECT_EQ(app.stats().handler_errors, 4U);
  expect_still_serving();
}

TEST_P(AnswerStreams, a_reader_that_stops_holds_little_memory_until_it_goes) {
  start();
  Client client = connect(4096);
  client.send(request("/endless"));
  const std::size_t before = resident_bytes();
  EXPECT_EQ(client.read_answer().status, 200);
  // It stands still when nothing is taken any more.
  std::size_t last = 0;
  ASSERT_TRUE(eventually([&] {
    const std::size_t now = written;
    const bool stands = now == last && now > 0;
    last = now;
    if (!stands) std::this_thread::sleep_for(milliseconds(30));
    return stands;
  }));
  EXPECT_LT(last, 16U << 20U);  // the kernel's buffers
  if (!sanitized) {
    EXPECT_LT(resident_bytes(), before + (1U << 20U));
  }
  EXPECT_EQ(handlers_ended, 0);
  client.reset();
  EXPECT_TRUE(eventually([this] { return handlers_ended == 1; }));
  EXPECT_TRUE(all_connections_closed());
  expect_still_serving();
}

TEST_P(AnswerStreams, a_slow_reader_gets_all_of_it) {
  start();
  Client client = connect(4096);
  client.send(request("/large/2000000", "1.1", "GET", "Connection: close\r\n"));
  EXPECT_EQ(client.read_answer().status, 200);
  ASSERT_TRUE(eventually([this] { return writes_begun == 1; }));
  const Chunks chunks = take_chunks(client.read_to_end());
  EXPECT_TRUE(chunks.is_whole);
  EXPECT_TRUE(chunks.body == pattern(2'000'000));
}

TEST_P(AnswerStreams, a_client_that_goes_ends_the_handler_at_any_stage) {
  start();
  for (const bool after_the_head : {false, true}) {
    const int ended = handlers_ended;
    const std::size_t before = written;
    Client client = connect();
    client.send(request("/endless"));
    ASSERT_TRUE(eventually([&] { return written > before; }));
    if (after_the_head) {
      EXPECT_EQ(client.read_answer().status, 200);
    }
    client.reset();
    EXPECT_TRUE(eventually([&] { return handlers_ended == ended + 1; }));
  }
  EXPECT_TRUE(all_connections_closed());
}

TEST_P(AnswerStreams, an_echo_streams_both_ways) {
  app.post("/stream-echo", [](Context& c) {
    BodyReader in = c.body_stream();
    ResponseWriter out = c.stream("text/plain");
    for (auto part = in.read(); !part.empty(); part = in.read()) out.write(part);
  });
  start();
  Client client = connect();
  const std::string body = pattern(100'000);
  for (int i = 0; i < 3; ++i) {
    client.send(announce_chunks("/stream-echo", i == 2 ? "Connection: close\r\n" : "") +
                chunk(body.substr(0, 5)));
    EXPECT_EQ(client.read_answer().status, 200);
    if (i < 2) {
      client.send(chunk(body.substr(5)) + "0\r\n\r\n");
      std::string seen;
      // Chunk by chunk, up to the last.
      while (!take_chunks(seen).is_whole) seen += client.receive_some();
      EXPECT_TRUE(take_chunks(seen).body == body);
    } else {
      client.send(chunk(body.substr(5)) + "0\r\n\r\n");
      EXPECT_TRUE(take_chunks(client.read_to_end()).body == body);
    }
  }
}

TEST_P(AnswerStreams, what_a_handler_spawns_may_write) {
  app.get("/spawned", [](Context& c) {
    ResponseWriter out = c.stream("text/plain");
    weft::scope([&](Scope& scope) {
      scope.spawn([&] {
        for (int i = 0; i < 300; ++i) {
          out.write(std::to_string(i)).write(" ");
          if (i % 10 == 0) weft::yield();
        }
      });
    });
  });
  start();
  const std::string all = ask_all(request("/spawned"));
  const Chunks chunks = take_chunks(all.substr(all.find("\r\n\r\n") + 4));
  EXPECT_EQ(chunks.body, numbers(300));
  EXPECT_TRUE(chunks.is_whole);
}

TEST_P(AnswerStreams, coroutines_stream_too) {
  app.post("/coroutine", [](Context& c) -> Task<void> {
    BodyReader in = c.body_stream();
    ResponseWriter out = c.stream("text/plain");
    for (auto part = in.read(); !part.empty(); part = in.read()) {
      out.write(part);
      co_await coro::sleep(milliseconds(1));
    }
    out.write("!");
  });
  start();
  Client client = connect();
  const std::string body = pattern(200'000);
  client.send(announce("/coroutine", body.size(), "Connection: close\r\n") + body.substr(0, 9));
  EXPECT_EQ(client.read_answer().status, 200);
  client.send(body.substr(9));
  EXPECT_TRUE(take_chunks(client.read_to_end()).body == body + "!");
}

TEST_P(AnswerStreams, a_deadline_of_the_handlers_own_ends_a_write_that_waits) {
  app.get("/impatient", [this](Context& c) {
    const std::string piece(100'000, 'i');
    ResponseWriter out = c.stream("text/plain");
    const auto result = weft::with_timeout(milliseconds(50), [&] {
      for (;;) out.write(piece);
    });
    if (!result.ok() && result.error().code == ErrorCode::timed_out) ++handlers_ended;
  });
  start();
  Client client = connect(4096);
  client.send(request("/impatient"));
  EXPECT_TRUE(eventually([this] { return handlers_ended == 1; }));
  const std::string all = client.read_to_end();
  EXPECT_FALSE(take_chunks(all.substr(all.find("\r\n\r\n") + 4)).is_whole);
}

TEST_P(AnswerStreams, a_reader_that_takes_nothing_for_the_write_timeout_is_reset) {
  options.limits.write_timeout = milliseconds(100);
  start();
  Client client = connect(4096);
  client.send(request("/endless"));
  EXPECT_TRUE(eventually([this] { return handlers_ended == 1; }));
  EXPECT_TRUE(eventually([&] { return client.sees_reset(); }));
  EXPECT_TRUE(all_connections_closed());
  expect_still_serving();
}

TEST_P(AnswerStreams, the_end_of_the_grace_period_ends_whoever_waits_to_read_or_to_write) {
  options.limits.drain_grace = milliseconds(50);
  std::atomic<int> readers{0};
  app.post("/reads", [&](Context& c) {
    struct Ended {
      ~Ended() { ++count; }
      std::atomic<int>& count;
    } const at_the_end{handlers_ended};
    ++readers;
    static_cast<void>(c.body_stream().read());
  });
  start();
  Client reader = connect();
  reader.send(announce("/reads", 10));
  Client writer = connect(4096);
  writer.send(request("/endless"));
  ASSERT_TRUE(eventually([&] { return readers == 1 && written > 0; }));
  app.stop();
  EXPECT_EQ(handlers_ended, 2);
  EXPECT_EQ(reader.read_answer().status, 503);
  EXPECT_TRUE(reader.is_ended());
}

}  // namespace weft::http::test
