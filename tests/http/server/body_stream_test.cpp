// Request bodies that a handler reads as they come, against a running server.

#include <gtest/gtest.h>

#include "server_test.hpp"
#include "stream_client.hpp"

namespace weft::http::test {

namespace {

using std::chrono::milliseconds;

class BodyStreams : public ServerTest {
 protected:
  void SetUp() override {
    ServerTest::SetUp();
    app.post("/copy/:most", [this](Context& c) {
      std::string buffer(std::stoul(std::string(c.param("most"))), ' ');
      std::string seen;
      BodyReader body = c.body_stream();
      ++reads_begun;
      while (const std::size_t size = body.read(buffer)) seen.append(buffer, 0, size);
      c.text(seen + std::string(c.trailer("X-Sum")) + std::string(c.trailer("host", "")));
    });
    app.post("/views", [this](Context& c) {
      std::string seen;
      BodyReader body = c.body_stream();
      ++reads_begun;
      for (auto part = body.read(); !part.empty(); part = body.read()) seen.append(part);
      EXPECT_TRUE(body.read().empty());
      c.text(seen);
    });
    app.post("/some/:most", [](Context& c) {
      std::string buffer(std::stoul(std::string(c.param("most"))), ' ');
      buffer.resize(c.body_stream().read(buffer));
      c.text(buffer);
    });
  }
};
INSTANTIATE_TEST_SUITE_P(Topologies, BodyStreams, every_topology, backend_of);

const std::string kNext = "GET /echo/next HTTP/1.1\r\nHost: a\r\n\r\n";

}  // namespace

TEST_P(BodyStreams, a_body_that_is_there_is_given_whole) {
  start();
  Client client = connect();
  EXPECT_EQ(client.ask(post_request("/views", "one piece")).body, "one piece");
  EXPECT_EQ(client.ask(post_request("/views", "")).body, "");
  EXPECT_EQ(client.ask(announce_chunks("/views") + "0\r\n\r\n").body, "");
  EXPECT_EQ(client.ask(announce_chunks("/views") + "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n").body,
            "abcde");
  EXPECT_EQ(client.get("/").body, "hello");
}

TEST_P(BodyStreams, a_body_is_the_same_wherever_it_is_cut) {
  start();
  Client client = connect();
  const std::string chunked = announce_chunks("/views") + "3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\n\r\n";
  const std::string sized = post_request("/views", "abcdefg");
  for (const std::string& request : {chunked, sized}) {
    for (std::size_t cut = 1; cut < request.size(); ++cut) {
      client.send(request.substr(0, cut));
      client.send(request.substr(cut) + kNext);
      ASSERT_EQ(client.read_answer().body, "abcdefg") << cut;
      ASSERT_EQ(client.read_answer().body, "next") << cut;
    }
    const int begun = reads_begun;
    client.send(request.substr(0, request.find("\r\n\r\n") + 4));
    ASSERT_TRUE(eventually([&] { return reads_begun > begun; }));
    client.send_byte_by_byte(request.substr(request.find("\r\n\r\n") + 4) + kNext);
    EXPECT_EQ(client.read_answer().body, "abcdefg");
    EXPECT_EQ(client.read_answer().body, "next");
  }
}

TEST_P(BodyStreams, reads_of_any_size_give_the_same_bytes) {
  start();
  Client client = connect();
  const std::string body = pattern(300'000);
  std::string chunks = announce_chunks("/copy/4096");
  for (std::size_t at = 0; at < body.size(); at += 7777) chunks += chunk(body.substr(at, 7777));
  EXPECT_EQ(client.ask(chunks + "0\r\nX-Sum: 17\r\nHost: no\r\n\r\n").body, body + "17");
  for (const char* most : {"4096", "1000000"}) {
    EXPECT_EQ(client.ask(post_request("/copy/" + std::string(most), body)).body, body) << most;
  }
  const std::string small = body.substr(0, 3000);
  EXPECT_EQ(client.ask(post_request("/copy/1", small)).body, small);
  EXPECT_EQ(client.ask(announce_chunks("/copy/1") + chunk(small) + "0\r\n\r\n").body, small);
  EXPECT_EQ(client.get("/").body, "hello");
}

TEST_P(BodyStreams, what_is_not_read_is_skipped_or_ends_the_connection) {
  start();
  Client client = connect();
  client.send(post_request("/some/3", "abcGET / HTTP/1.1\r\n\r\n") + kNext);
  EXPECT_EQ(client.read_answer().body, "abc");
  EXPECT_EQ(client.read_answer().body, "next");
  client.send(announce("/some/3", 50'000));
  client.send(pattern(50'000) + kNext);
  EXPECT_FALSE(client.read_answer().body.empty());
  EXPECT_EQ(client.read_answer().body, "next");
  // Of a chunked one nobody knows how long its rest is, and a rest may be too long.
  for (const std::string& first : {announce_chunks("/some/3") + chunk("abcdef") + "0\r\n\r\n",
                                   announce("/some/3", 200'000) + "abcdef"}) {
    Client other = connect();
    other.send(first + kNext);
    const Answer last = other.read_answer();
    EXPECT_EQ(last.body, "abc");
    EXPECT_TRUE(last.announces_close());
    EXPECT_TRUE(other.is_ended());
  }
}

TEST_P(BodyStreams, a_deadline_of_the_handlers_own_ends_a_read_and_the_next_one_goes_on) {
  app.post("/patient", [this](Context& c) {
    BodyReader body = c.body_stream();
    std::string seen(body.read());
    const auto late = weft::with_timeout(milliseconds(20), [&] { seen += body.read(); });
    if (!late.ok() && late.error().code == ErrorCode::timed_out) ++reads_begun;
    for (auto part = body.read(); !part.empty(); part = body.read()) seen.append(part);
    c.text(seen);
  });
  start();
  Client client = connect();
  client.send(announce("/patient", 8) + "four");
  ASSERT_TRUE(eventually([this] { return reads_begun == 1; }));
  client.send("more");
  EXPECT_EQ(client.read_answer().body, "fourmore");
  EXPECT_EQ(client.get("/").body, "hello");
}

TEST_P(BodyStreams, continue_is_sent_at_the_first_read_that_has_to_wait) {
  start();
  Client client = connect();
  client.send(announce("/views", 4, "Expect: 100-continue\r\n"));
  EXPECT_EQ(client.read_answer().status, 100);
  client.send("late");
  EXPECT_EQ(client.read_answer().body, "late");
  client.send(announce_chunks("/views", "Expect: 100-continue\r\n"));
  EXPECT_EQ(client.read_answer().status, 100);
  client.send(chunk("later"));
  client.send("0\r\n\r\n");
  EXPECT_EQ(client.read_answer().body, "later");
  EXPECT_EQ(client.ask(post_request("/views", "here", "Expect: 100-continue\r\n")).body, "here");
}

TEST_P(BodyStreams, a_body_over_the_limit_is_413_and_ends_the_connection) {
  options.limits.body_bytes = 10'000;
  start();
  for (const std::size_t first : {std::size_t{9'999}, std::size_t{10'000}}) {
    Client client = connect();
    client.send(announce_chunks("/views") + chunk(pattern(first)));
    const Answer answer = client.ask(chunk("ab"));
    EXPECT_EQ(answer.status, 413);
    EXPECT_TRUE(answer.announces_close());
    EXPECT_TRUE(client.is_ended());
  }
  Client client = connect();
  client.send(announce_chunks("/views") + chunk(pattern(10'000)) + "0\r\n\r\n");
  EXPECT_EQ(client.read_answer().body, pattern(10'000));
}

TEST_P(BodyStreams, a_body_that_stops_is_408_and_one_that_ends_400) {
  options.limits.body_timeout = milliseconds(50);
  start();
  for (const std::string& begun :
       {announce("/views", 10) + "half", announce_chunks("/views") + "5\r\nab"}) {
    Client stops = connect();
    const Answer late = stops.ask(begun);
    EXPECT_EQ(late.status, 408);
    EXPECT_TRUE(late.announces_close());
    EXPECT_TRUE(stops.is_ended());
    Client ends = connect();
    ends.send(begun);
    ends.shutdown_write();
    EXPECT_EQ(ends.read_answer().status, 400);
    EXPECT_TRUE(ends.is_ended());
  }
  Client wrong = connect();
  EXPECT_EQ(wrong.ask(announce_chunks("/views") + "2\r\nabc\r\n").status, 400);
  expect_still_serving();
}

TEST_P(BodyStreams, the_time_for_a_body_begins_anew_with_each_step) {
  options.limits.body_timeout = milliseconds(400);
  options.limits.body_step_bytes = 2;
  start();
  Client client = connect();
  client.send(announce("/views", 12));
  for (int i = 0; i < 6; ++i) {
    std::this_thread::sleep_for(milliseconds(100));  // as a slow client does
    client.send("xx");
  }
  EXPECT_EQ(client.read_answer().body, "xxxxxxxxxxxx");
}

TEST_P(BodyStreams, a_client_that_trickles_is_408_however_the_body_is_read) {
  options.limits.body_timeout = milliseconds(300);
  start();
  for (const char* const target : {"/views", "/body"}) {
    for (const bool in_chunks : {false, true}) {
      Client client = connect();
      client.send(in_chunks ? announce_chunks(target) : announce(target, 1'000));
      const auto begin = std::chrono::steady_clock::now();
      std::size_t sent = 0;
      for (; !client.has_input(milliseconds(20)) && sent < 500; ++sent) {
        client.send(in_chunks ? chunk("x") : "x");
      }
      EXPECT_LT(sent, 500U);
      EXPECT_GE(std::chrono::steady_clock::now() - begin, milliseconds(280));
      EXPECT_EQ(client.read_answer().status, 408) << target;
      EXPECT_TRUE(client.is_ended());
    }
  }
  expect_still_serving();
}

TEST_P(BodyStreams, what_a_handler_does_not_read_stays_with_its_client) {
  options.limits.body_bytes = 1U << 30U;
  app.post("/later", [this](Context& c) {
    BodyReader body = c.body_stream();
    std::size_t size = body.read().size();
    gate.pass();
    for (auto part = body.read(); !part.empty(); part = body.read()) size += part.size();
    c.text(std::to_string(size));
  });
  start();
  constexpr std::size_t kSize = 64U << 20U;
  Client client = connect();
  client.send(announce("/later", kSize) + "x");
  ASSERT_TRUE(eventually([this] { return gate.waiting() == 1; }));
  const std::size_t before = resident_bytes();
  const std::string piece(1U << 20U, 'x');
  // The server's kernel takes some megabytes, the server next to nothing.
  std::size_t sent = 1;
  for (int still = 0; sent < kSize && still < 20;) {
    const std::size_t step = client.send_some(piece);
    sent += step;
    still = step > 0 ? 0 : still + 1;
    if (step == 0) std::this_thread::sleep_for(milliseconds(5));
  }
  EXPECT_LT(sent, kSize);
  if (!sanitized) {
    // A shared reactor has some more under way by the time that it is told to stop.
    EXPECT_LT(resident_bytes(), before + ((is_shared() ? 16U : 2U) << 20U));
  }
  gate.open();
  while (sent < kSize) {
    const std::size_t step = std::min(piece.size(), kSize - sent);
    ASSERT_TRUE(client.send({piece.data(), step}));
    sent += step;
  }
  EXPECT_EQ(client.read_answer().body, std::to_string(kSize));
  EXPECT_EQ(client.get("/").body, "hello");
}

TEST_P(BodyStreams, whole_and_streamed_bodies_mix_in_one_way_only) {
  app.post("/twice", [](Context& c) {
    std::string seen(c.body());
    BodyReader body = c.body_stream();
    for (auto part = body.read(); !part.empty(); part = body.read()) seen.append(part);
    c.text(seen + std::string(c.body()));
  });
  app.post("/wrong", [](Context& c) {
    static_cast<void>(c.body_stream().read());
    c.text(c.body());
  });
  start();
  Client client = connect();
  EXPECT_EQ(client.ask(post_request("/twice", "ab")).body, "ababab");
  EXPECT_EQ(client.ask(announce_chunks("/twice") + chunk("ab") + "0\r\n\r\n").body, "ababab");
  EXPECT_EQ(client.ask(post_request("/wrong", "ab")).status, 500);
  EXPECT_EQ(client.get("/").body, "hello");
}

TEST_P(BodyStreams, a_client_that_goes_away_ends_the_handler) {
  std::atomic<int> ended{0};
  app.post("/until-gone", [&](Context& c) {
    struct Ended {
      ~Ended() { ++count; }
      std::atomic<int>& count;
    } const at_the_end{ended};
    ++reads_begun;
    BodyReader body = c.body_stream();
    while (!body.read().empty()) {
    }
  });
  start();
  for (int i = 0; i < 3; ++i) {
    Client client = connect();
    client.send(announce("/until-gone", 1000) + pattern(static_cast<std::size_t>(i)));
    ASSERT_TRUE(eventually([&] { return reads_begun == i + 1; }));
    client.reset();
    EXPECT_TRUE(eventually([&] { return ended == i + 1; }));
  }
  EXPECT_TRUE(all_connections_closed());
}

TEST_P(BodyStreams, trailers_are_there_behind_either_way_of_reading) {
  app.post("/trailer", [](Context& c) {
    const std::size_t size = c.body().size();
    c.text(std::to_string(size) + std::string(c.trailer("x-sum", "none")) +
           std::string(c.trailer("Content-Length", "none")));
  });
  start();
  Client client = connect();
  EXPECT_EQ(client
                .ask(announce_chunks("/trailer") +
                     "1\r\na\r\n0\r\nX-SUM:\t 5 \r\nContent-Length: 9\r\n\r\n")
                .body,
            "15none");
  EXPECT_EQ(client.ask(announce_chunks("/copy/9") + "1\r\na\r\n0\r\nx-sum:5\r\n\r\n").body, "a5");
  EXPECT_EQ(client.ask(post_request("/trailer", "ab")).body, "2nonenone");
}

}  // namespace weft::http::test
