// Request bodies against a running server: framing, limits, expectations, unread rests, time-outs.

#include <gtest/gtest.h>

#include "server_test.hpp"

namespace weft::http::test {

namespace {

using std::chrono::milliseconds;

class Bodies : public ServerTest {};
INSTANTIATE_TEST_SUITE_P(Topologies, Bodies, every_topology, backend_of);

std::string announce(std::string_view target, std::size_t length, std::string_view fields = {}) {
  return "POST " + std::string(target) + " HTTP/1.1\r\nHost: a\r\n" + std::string(fields) +
         "Content-Length: " + std::to_string(length) + "\r\n\r\n";
}

std::string chunked_head(std::string_view target) {
  return "POST " + std::string(target) +
         " HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
}

std::string pattern(std::size_t size) {
  std::string text(size, ' ');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>('!' + i * 7 % 90);
  return text;
}

}  // namespace

TEST_P(Bodies, a_body_in_one_piece_with_its_head_is_read) {
  start();
  Client client = connect();
  EXPECT_EQ(client.ask(post_request("/body", "one piece")).body, "one piece");
  EXPECT_EQ(client.ask(post_request("/body", "")).body, "");
  EXPECT_EQ(client.get("/").body, "hello");
}

TEST_P(Bodies, a_body_in_many_pieces_is_put_together) {
  start();
  Client client = connect();
  const std::string body = pattern(300);
  client.send(announce("/body", body.size()));
  ASSERT_TRUE(eventually([this] { return reads_begun == 1; }));
  client.send_byte_by_byte(body);
  EXPECT_EQ(client.read_answer().body, body);
  client.send_byte_by_byte(post_request("/body", body));
  EXPECT_EQ(client.read_answer().body, body);
  EXPECT_EQ(client.get("/").body, "hello");
}

TEST_P(Bodies, what_follows_a_body_in_many_pieces_is_the_next_request) {
  start();
  Client client = connect();
  client.send(announce("/body", 6) + "abc");
  ASSERT_TRUE(eventually([this] { return reads_begun == 1; }));
  client.send("defGET /echo/next HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(client.read_answer().body, "abcdef");
  EXPECT_EQ(client.read_answer().body, "next");
}

TEST_P(Bodies, chunked_bodies_are_decoded_whole_and_in_pieces) {
  start();
  Client client = connect();
  const std::string request =
      chunked_head("/body") + "3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\nContent-Length: 9\r\n\r\n";
  EXPECT_EQ(client.ask(request).body, "abcdefg");
  client.send_byte_by_byte(request);
  EXPECT_EQ(client.read_answer().body, "abcdefg");
  client.send(request + request + "GET /echo/next HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(client.read_answer().body, "abcdefg");
  EXPECT_EQ(client.read_answer().body, "abcdefg");
  EXPECT_EQ(client.read_answer().body, "next");
}

TEST_P(Bodies, bodies_larger_than_a_receive_block_arrive_unchanged) {
  start();
  Client client = connect();
  for (const std::size_t size : {4095U, 16'384U, 65'537U, 300'000U}) {
    const std::string body = pattern(size);
    EXPECT_EQ(client.ask(post_request("/body", body)).body, body) << size;
    std::string chunks = chunked_head("/body");
    for (std::size_t at = 0; at < size; at += 5000) {
      char length[16];
      const std::string piece = body.substr(at, 5000);
      std::snprintf(length, sizeof length, "%zx\r\n", piece.size());
      chunks += length + piece + "\r\n";
    }
    EXPECT_EQ(client.ask(chunks + "0\r\n\r\n").body, body) << size << " in chunks";
  }
}

TEST_P(Bodies, a_body_at_the_limit_is_read_and_one_over_it_is_413) {
  options.limits.body_bytes = 100'000;
  start();
  Client client = connect();
  EXPECT_EQ(client.ask(post_request("/length", pattern(100'000))).body, "100000");
  EXPECT_EQ(
      client.ask(chunked_head("/length") + "186a0\r\n" + pattern(100'000) + "\r\n0\r\n\r\n").body,
      "100000");
  const Answer sized = client.ask(announce("/length", 100'001));
  EXPECT_EQ(sized.status, 413);
  EXPECT_TRUE(sized.announces_close());
  EXPECT_TRUE(client.is_ended());
  Client other = connect();
  const Answer chunks =
      other.ask(chunked_head("/length") + "186a0\r\n" + pattern(100'000) + "\r\n1\r\n");
  EXPECT_EQ(chunks.status, 413);
  EXPECT_TRUE(chunks.announces_close());
  EXPECT_TRUE(other.is_ended());
}

TEST_P(Bodies, an_unread_body_is_skipped_before_the_next_request) {
  start();
  Client client = connect();
  client.send(post_request("/unread", "GET /echo/smuggled HTTP/1.1\r\nHost: a\r\n\r\n") +
              "GET /echo/next HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(client.read_answer().body, "not read");
  EXPECT_EQ(client.read_answer().body, "next");
}

TEST_P(Bodies, an_unread_body_that_comes_later_is_skipped_before_the_next_request) {
  start();
  Client client = connect();
  client.send(announce("/unread", 60'000) + pattern(100));
  EXPECT_EQ(client.read_answer().body, "not read");
  client.send(pattern(59'900) + "GET /echo/next HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(client.read_answer().body, "next");
}

TEST_P(Bodies, an_unread_chunked_body_ends_the_connection_after_the_answer) {
  start();
  Client client = connect();
  client.send(chunked_head("/unread") + "1c\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n\r\n0\r\n\r\n");
  const Answer answer = client.read_answer();
  EXPECT_EQ(answer.body, "not read");
  EXPECT_TRUE(answer.announces_close());
  EXPECT_TRUE(client.is_ended());
}

TEST_P(Bodies, an_answer_reaches_a_client_that_is_still_sending_a_huge_body) {
  options.limits.body_bytes = 64U * 1024 * 1024;
  app.post("/unread-big", [](Context& c) { c.text(std::string(200'000, 'x')); });
  start();
  for (int i = 0; i < 5; ++i) {
    Client client = connect();
    // Far more than it sends, so that no server has all of it before it answers.
    client.send(announce("/unread-big", 40'000'000));
    // As much as the server takes: it may stop reading at some point, but only after the answer.
    const std::string piece = pattern(50'000);
    for (int j = 0; j < 80 && client.send(piece); ++j) {
    }
    const Answer answer = client.read_answer();
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.body.size(), 200'000U);
    EXPECT_TRUE(answer.announces_close());
    EXPECT_TRUE(client.is_ended());
  }
  EXPECT_TRUE(all_connections_closed());
}

// ---- Expect: 100-continue
// ------------------------------------------------------------------------

TEST_P(Bodies, continue_is_sent_when_the_handler_reads) {
  start();
  Client client = connect();
  client.send(announce("/body", 4, "Expect: 100-continue\r\n"));
  EXPECT_EQ(client.read_answer().status, 100);
  client.send("late");
  const Answer answer = client.read_answer();
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "late");
  EXPECT_EQ(client.get("/").body, "hello");
}

TEST_P(Bodies, no_continue_is_sent_when_the_body_is_there_already) {
  start();
  Client client = connect();
  EXPECT_EQ(client.ask(post_request("/body", "here", "Expect: 100-continue\r\n")).body, "here");
  EXPECT_EQ(client.get("/").body, "hello");
}

TEST_P(Bodies, an_expectation_gets_the_final_status_when_the_handler_does_not_read) {
  start();
  for (const char* target : {"/unread", "/nowhere"}) {
    Client client = connect();
    const Answer answer = client.ask(announce(target, 4, "Expect: 100-continue\r\n"));
    EXPECT_EQ(answer.status, std::string(target) == "/unread" ? 200 : 404);
    EXPECT_TRUE(answer.announces_close());
    EXPECT_TRUE(client.is_ended());
  }
}

// ---- Clients that stop in the middle
// -------------------------------------------------------------

TEST_P(Bodies, a_head_that_does_not_arrive_is_408) {
  options.limits.head_timeout = milliseconds(50);
  start();
  Client client = connect();
  client.send("GET / HTTP/1.1\r\nHo");
  const Answer answer = client.read_answer();
  EXPECT_EQ(answer.status, 408);
  EXPECT_TRUE(answer.announces_close());
  EXPECT_TRUE(client.is_ended());
}

TEST_P(Bodies, a_second_head_that_does_not_arrive_is_408) {
  options.limits.head_timeout = milliseconds(50);
  start();
  Client client = connect();
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET");
  EXPECT_EQ(client.read_answer().status, 200);
  EXPECT_EQ(client.read_answer().status, 408);
  EXPECT_TRUE(client.is_ended());
}

TEST_P(Bodies, a_body_that_does_not_arrive_is_408) {
  options.limits.body_timeout = milliseconds(50);
  start();
  for (const std::string& start_of_it :
       {announce("/body", 10), announce("/body", 10) + "half", chunked_head("/body"),
        chunked_head("/body") + "5\r\nab"}) {
    Client client = connect();
    const Answer answer = client.ask(start_of_it);
    EXPECT_EQ(answer.status, 408);
    EXPECT_TRUE(answer.announces_close());
    EXPECT_TRUE(client.is_ended());
  }
  expect_still_serving();
}

TEST_P(Bodies, a_body_that_ends_too_early_is_400) {
  start();
  for (const std::string& start_of_it :
       {announce("/body", 10), announce("/body", 10) + "half", chunked_head("/body"),
        chunked_head("/body") + "5\r\nab"}) {
    Client client = connect();
    client.send(start_of_it);
    client.shutdown_write();
    EXPECT_EQ(client.read_answer().status, 400);
    EXPECT_TRUE(client.is_ended());
  }
  expect_still_serving();
}

// The deadline passes in the same turn in which more of the body arrives.
TEST_P(Bodies, a_deadline_that_passes_while_the_worker_is_busy_is_not_forgotten) {
  options.limits.body_timeout = milliseconds(50);
  std::atomic<bool> blocked{false};
  std::atomic<bool> go_on{false};
  app.get("/block", [&](Context& c) {
    blocked = true;
    while (!go_on) std::this_thread::yield();
    c.text("done");
  });
  start();
  Client slow = connect();
  slow.send(announce("/body", 10) + "a");
  ASSERT_TRUE(eventually([this] { return reads_begun == 1; }));
  Client blocker = connect();
  blocker.send("GET /block HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_TRUE(eventually([&] { return blocked.load(); }));
  slow.send("b");
  std::this_thread::sleep_for(options.limits.body_timeout * 2);  // lets the deadline pass
  go_on = true;
  EXPECT_EQ(slow.read_answer().status, 408);
  EXPECT_EQ(blocker.read_answer().body, "done");
}

TEST_P(Bodies, a_handler_cannot_go_on_with_a_body_that_failed) {
  options.limits.body_timeout = milliseconds(50);
  app.post("/stubborn", [](Context& c) {
    std::string seen;
    for (int i = 0; i < 2; ++i) {
      try {
        seen = c.body();
      } catch (...) {
        seen += "failed ";
      }
    }
    c.text(seen);
  });
  start();
  for (const std::string& start_of_it :
       {announce("/stubborn", 10) + "half", chunked_head("/stubborn") + "5\r\nab"}) {
    Client client = connect();
    const Answer answer = client.ask(start_of_it);
    EXPECT_EQ(answer.body, "failed failed ");
    EXPECT_TRUE(answer.announces_close());
    EXPECT_TRUE(client.is_ended());
  }
}

TEST_P(Bodies, an_idle_connection_is_closed) {
  options.limits.idle_timeout = milliseconds(50);
  start();
  Client silent = connect();
  EXPECT_TRUE(silent.is_ended());
  Client client = connect();
  EXPECT_EQ(client.get("/").body, "hello");
  EXPECT_TRUE(client.is_ended());
  EXPECT_TRUE(all_connections_closed());
}

TEST_P(Bodies, a_handler_may_take_longer_than_the_idle_time) {
  options.limits.idle_timeout = milliseconds(20);
  options.limits.head_timeout = milliseconds(20);
  options.limits.body_timeout = milliseconds(20);
  app.get("/long", [](Context& c) {
    weft::sleep(milliseconds(100));
    c.text("at last");
  });
  start();
  Client client = connect();
  EXPECT_EQ(client.get("/long").body, "at last");
}

}  // namespace weft::http::test
