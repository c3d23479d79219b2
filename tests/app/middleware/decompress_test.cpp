// decompress() over sockets: packed bodies as handlers see them, bounds, and what is no coding.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "app/middleware/plain_app.hpp"
#include "app/middleware/proxy_test.hpp"
#include "app/middleware/unpack.hpp"
#include "http/exchange.hpp"
#include "http/server/server_test.hpp"
#include "http/server/stream_client.hpp"

namespace weft {

namespace {

using app::test::refusal;
using app::test::says;
using http::test::Answer;
using RawClient = http::test::Client;
using test::pack;
using test::prose;

const char* const kCodings[] = {"gzip", "deflate", "br", "zstd"};

std::string coded(std::string_view target, const std::string& coding, std::string_view packed) {
  return http::test::post_request(target, packed, "Content-Encoding: " + coding + "\r\n");
}
// In chunks of that many bytes.
std::string coded_in_chunks(std::string_view target, const std::string& coding,
                            std::string_view packed, std::size_t step) {
  std::string text = http::test::announce_chunks(target, "Content-Encoding: " + coding + "\r\n");
  for (; !packed.empty(); packed.remove_prefix(std::min(step, packed.size()))) {
    text += http::test::chunk(packed.substr(0, step));
  }
  return text + "0\r\n\r\n";
}

// What the client has received when that has come; what has come when nothing more does.
std::string read_up_to(RawClient& client, std::string_view text) {
  std::string received;
  while (received.find(text) == std::string::npos) {
    const std::string some = client.receive_some();
    if (some.empty()) break;
    received += some;
  }
  return received;
}

class Decompress : public http::test::ServerTest {
 protected:
  // The routes stand behind it, since "/body" and its like are made without.
  void add_routes(const DecompressOptions& with = {}) {
    auto group = app.group("/packed", decompress(with));
    group.post("/whole", [](Context& c) { c.text(c.body()); });
    group.post("/twice", [](Context& c) {
      const std::string first(c.body());
      c.text(first == c.body() ? "the same" : "another");
    });
    group.post("/parts", [](Context& c) {
      auto body = c.body_stream();
      auto answer = c.stream("text/plain");
      for (auto part = body.read(); !part.empty(); part = body.read()) answer.write(part);
    });
    group.post("/size", [](Context& c) {
      auto body = c.body_stream();
      std::size_t size = 0;
      char few[7];
      for (auto got = body.read(few); got > 0; got = body.read(few)) size += got;
      c.text(std::to_string(size));
    });
    group.post("/unread", [](Context& c) { c.text("not read"); });
    group.post("/form", [](Context& c) { c.text(c.form("who", "nobody")); });
    group.post("/limited", body_limit(1000), [](Context& c) { c.text(c.body()); });
    group.post("/later", [](Context& c) -> Task<void> {
      co_await coro::yield();
      c.text(c.body());
    });
  }
  Answer ask(const std::string& request) const {
    RawClient client = connect();
    return client.ask(request);
  }
};
INSTANTIATE_TEST_SUITE_P(Topologies, Decompress,
                         testing::Values("epoll", "io_uring", "io_uring_shared", "epoll_coroutine"),
                         http::test::backend_of);

void try_decompress(const DecompressOptions& options) { static_cast<void>(decompress(options)); }

}  // namespace

TEST_P(Decompress, handlers_read_what_was_packed_in_each_coding_on_one_connection) {
  add_routes();
  start();
  RawClient client = connect();
  const std::string body = prose(300'000);
  for (const char* const coding : kCodings) {
    SCOPED_TRACE(coding);
    const std::string packed = pack(coding, body);
    ASSERT_LT(packed.size(), body.size());
    EXPECT_EQ(client.ask(coded("/packed/whole", coding, packed)).body, body);
    EXPECT_EQ(client.ask(coded("/packed/twice", coding, packed)).body, "the same");
    EXPECT_EQ(client.ask(coded("/packed/size", coding, packed)).body, "300000");
    EXPECT_EQ(client.ask(coded("/packed/later", coding, packed)).body, body);
    EXPECT_EQ(client.ask(coded_in_chunks("/packed/whole", coding, packed, 1000)).body, body);
    EXPECT_EQ(client.ask(coded_in_chunks("/packed/size", coding, packed, 3)).body, "300000");
    const std::string form = pack(coding, "who=Ada&what=nothing");
    std::string request = coded("/packed/form", coding, form);
    request.insert(request.find("Host:"), "Content-Type: application/x-www-form-urlencoded\r\n");
    EXPECT_EQ(client.ask(request).body, "Ada");
    EXPECT_EQ(client.ask(coded("/packed/unread", coding, packed)).body, "not read");
    // Nothing of it is left in front of the next.
    EXPECT_EQ(client.ask(coded("/packed/whole", coding, pack(coding, ""))).status, 200);
  }
  EXPECT_EQ(client.ask(http::test::post_request("/packed/whole", "plain")).body, "plain");
  EXPECT_EQ(client.ask(coded("/packed/whole", "Identity", "plain")).body, "plain");
  EXPECT_EQ(client.ask(coded("/packed/whole", "X-GZIP", pack("gzip", "old"))).body, "old");
}

TEST_P(Decompress, a_stream_is_unpacked_while_it_comes) {
  add_routes();
  start();
  RawClient client = connect();
  const std::string body = prose(200'000);
  const std::string request = coded_in_chunks("/packed/parts", "gzip", pack("gzip", body), 2000);
  const std::size_t half = request.size() / 2;
  client.send(std::string_view(request).substr(0, half));
  // Some of the answer is there before the rest of the body.
  const std::string head = read_up_to(client, "\r\n\r\n");
  EXPECT_TRUE(head.starts_with("HTTP/1.1 200"));
  client.send(std::string_view(request).substr(half));
  EXPECT_TRUE(says(read_up_to(client, "\r\n0\r\n\r\n"), body.substr(body.size() - 20)));
}

TEST_P(Decompress, without_it_and_outside_of_it_a_coded_body_is_415_and_says_what_is_taken) {
  add_routes({.codings = {"br", "gzip"}});
  app.use([](Context& c, Next& next) {
    if (c.path() == "/outside") c.body();
    next();
  });
  app.post("/outside", decompress(), [](Context& c) { c.text(c.body()); });
  start();
  const std::string packed = pack("gzip", "hello");
  for (const char* const target : {"/body", "/unread", "/outside"}) {
    const Answer answer = ask(coded(target, "gzip", packed));
    EXPECT_EQ(answer.status, 415) << target;
    EXPECT_EQ(answer.field("accept-encoding"), "identity") << target;
    EXPECT_TRUE(answer.announces_close()) << target;
  }
  EXPECT_EQ(ask(coded("/packed/whole", "gzip", packed)).body, "hello");
  for (const char* const coding : {"zstd", "compress", "gzip, br", "gzip, gzip", "", "*"}) {
    const Answer answer = ask(coded("/packed/whole", coding, packed));
    EXPECT_EQ(answer.status, 415) << coding;
    EXPECT_EQ(answer.field("accept-encoding"), "br, gzip") << coding;
    EXPECT_TRUE(says(answer.body, "br, gzip")) << answer.body;
  }
  // Without a body there is nothing to unpack.
  EXPECT_EQ(ask(coded("/packed/whole", "compress", "")).status, 200);
}

TEST_P(Decompress, what_is_not_what_its_coding_says_is_400_wherever_it_is_cut) {
  add_routes();
  start();
  const std::string body = prose(3'000);
  for (const char* const coding : kCodings) {
    SCOPED_TRACE(coding);
    const std::string packed = pack(coding, body);
    for (std::size_t size = 1; size < packed.size(); size += 1 + packed.size() / 40) {
      EXPECT_EQ(ask(coded("/packed/whole", coding, packed.substr(0, size))).status, 400) << size;
    }
    EXPECT_EQ(ask(coded("/packed/whole", coding, packed + "x")).status, 400);
    EXPECT_EQ(ask(coded("/packed/size", coding, packed + "x")).status, 400);
    EXPECT_EQ(ask(coded("/packed/whole", coding, "hello")).status, 400);
    EXPECT_EQ(ask(coded_in_chunks("/packed/whole", coding, "", 1)).status, 400);
  }
  // gzip and zstd may be put behind one another.
  for (const char* const coding : {"gzip", "zstd"}) {
    const std::string both = pack(coding, "one, ") + pack(coding, "two");
    EXPECT_EQ(ask(coded("/packed/whole", coding, both)).body, "one, two") << coding;
    EXPECT_EQ(ask(coded_in_chunks("/packed/whole", coding, both, 1)).body, "one, two") << coding;
  }
  expect_still_serving();
}

TEST_P(Decompress, bombs_are_413_before_they_are_unpacked) {
  add_routes({.max_bytes = 600'000, .max_ratio = 20, .ratio_from_bytes = 100'000});
  start();
  for (const char* const coding : kCodings) {
    SCOPED_TRACE(coding);
    // Dense enough for the ratio: only its size is wrong.
    const std::string long_text = prose(600'001);
    ASSERT_GT(pack(coding, long_text).size() * 20, long_text.size());
    const Answer answer = ask(coded("/packed/whole", coding, pack(coding, long_text)));
    EXPECT_EQ(answer.status, 413);
    EXPECT_TRUE(says(answer.body, "unpacks to more")) << answer.body;
    EXPECT_EQ(ask(coded("/packed/size", coding, pack(coding, long_text))).status, 413);
    EXPECT_EQ(ask(coded("/packed/size", coding, pack(coding, prose(600'000)))).body, "600000");
    // A limit of the route's is one of what comes out.
    EXPECT_EQ(ask(coded("/packed/limited", coding, pack(coding, prose(1'000)))).status, 200);
    EXPECT_EQ(ask(coded("/packed/limited", coding, pack(coding, prose(1'001)))).status, 413);
    const std::string blanks(500'000, ' ');
    const Answer bomb = ask(coded("/packed/whole", coding, pack(coding, blanks)));
    EXPECT_EQ(bomb.status, 413);
    EXPECT_TRUE(says(bomb.body, "too many times")) << bomb.body;
    EXPECT_EQ(ask(coded("/packed/size", coding, pack(coding, blanks))).status, 413);
    // What is short may be all blanks.
    EXPECT_EQ(ask(coded("/packed/size", coding, pack(coding, std::string(90'000, ' ')))).body,
              "90000");
  }
  // A frame that wants a window of 1 GiB (RFC 8878 §3.1.1.1.2).
  const Answer wide =
      ask(coded("/packed/whole", "zstd", std::string("\x28\xb5\x2f\xfd\x00\xa0", 6)));
  EXPECT_EQ(wide.status, 413);
  EXPECT_TRUE(says(wide.body, "memory")) << wide.body;
  expect_still_serving();
}

TEST_P(Decompress, so_many_are_unpacked_at_a_time_and_their_places_come_back) {
  add_routes({.at_a_time = 2});
  start();
  const std::string packed = pack("gzip", prose(200'000));
  const std::string request = coded("/packed/parts", "gzip", packed);
  {
    RawClient first = connect();
    RawClient second = connect();
    for (RawClient* const client : {&first, &second}) {
      client->send(std::string_view(request).substr(0, request.size() - 10));
      EXPECT_TRUE(read_up_to(*client, "\r\n\r\n").starts_with("HTTP/1.1 200"));
    }
    const Answer answer = ask(coded("/packed/whole", "gzip", packed));
    EXPECT_EQ(answer.status, 503);
    EXPECT_EQ(answer.field("retry-after"), "1");
    // One that ends has given its place back; one that goes does, too.
    first.send(std::string_view(request).substr(request.size() - 10));
    EXPECT_FALSE(read_up_to(first, "\r\n0\r\n\r\n").empty());
    EXPECT_EQ(ask(coded("/packed/whole", "gzip", packed)).status, 200);
  }
  EXPECT_TRUE(all_connections_closed());
  // More than once each: nothing is counted that has failed, or that nobody reads.
  for (int round = 0; round < 3; ++round) {
    EXPECT_EQ(ask(coded("/packed/whole", "gzip", "hello")).status, 400);
    EXPECT_EQ(ask(coded("/packed/unread", "gzip", packed)).status, 200);
  }
  EXPECT_EQ(ask(coded("/packed/whole", "gzip", packed)).status, 200);
}

TEST_P(Decompress, a_body_that_has_failed_stays_failed) {
  add_routes();
  std::string second;
  app.post("/again", decompress(), [&](Context& c) {
    try {
      c.body();
    } catch (const http::RequestAborted&) {
      try {
        c.body();
      } catch (const http::RequestAborted& aborted) {
        second = std::to_string(aborted.status);
      }
    }
    c.text("whatever");
  });
  start();
  EXPECT_EQ(ask(coded("/again", "gzip", "hello")).status, 200);
  EXPECT_EQ(second, "400");
}

TEST(DecompressOptions, what_makes_no_sense_is_refused_at_once) {
  EXPECT_TRUE(
      says(refusal([] { try_decompress({.codings = {"lzma"}}); }), "unknown coding 'lzma'"));
  EXPECT_TRUE(says(refusal([] { try_decompress({.codings = {}}); }), "no codings"));
  EXPECT_TRUE(says(refusal([] { try_decompress({.max_bytes = 0}); }), "max_bytes must not be 0"));
  EXPECT_TRUE(says(refusal([] { try_decompress({.max_ratio = 0}); }), "max_ratio must not be 0"));
  EXPECT_TRUE(says(refusal([] { try_decompress({.at_a_time = 0}); }), "at_a_time must not be 0"));
}

// ---- In front of a proxy

class DecompressedProxy : public app::test::ProxyTest {};
INSTANTIATE_TEST_SUITE_P(Backends, DecompressedProxy, testing::Values("epoll", "io_uring"));

TEST_P(DecompressedProxy, upstreams_get_the_body_as_it_was_and_no_coding) {
  upstream_.post("/*rest", [](Context& c) {
    c.set_header("X-Coding", c.header("content-encoding", "none"));
    c.text(c.body());
  });
  start(upstream_);
  if (IsSkipped()) return;
  front_.post("/packed/*rest", decompress(), proxy({.upstreams = {url_of(upstream_)}}));
  front_.post("/raw/*rest", proxy({.upstreams = {url_of(upstream_)}}));
  start(front_);
  const std::string body = prose(100'000);
  RawClient client(port());
  const Answer answer = client.ask(coded("/packed/x", "gzip", pack("gzip", body)));
  EXPECT_EQ(answer.body, body);
  EXPECT_EQ(answer.field("x-coding"), "none");
  EXPECT_EQ(client.ask(http::test::post_request("/packed/x", "plain")).body, "plain");
  EXPECT_EQ(RawClient(port()).ask(coded("/raw/x", "gzip", pack("gzip", body))).status, 415);
}

}  // namespace weft
