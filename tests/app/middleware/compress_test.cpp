// compress() over sockets: what is packed, what is left alone, and that streams stay live.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <string>

#include "app/middleware/encoder.hpp"
#include "app/middleware/unpack.hpp"
#include "http/server/server_test.hpp"
#include "http/server/stream_client.hpp"

namespace weft {

namespace {

using http::test::Answer;
using http::test::Chunks;
using RawClient = http::test::Client;
using test::prose;
using test::unpack;

class Compress : public http::test::ServerTest {
 protected:
  // Last in a test whose handlers use its locals.
  void stop_before_locals_go() {
    gate.open();
    app.stop();
  }
  static std::string request(std::string_view target, std::string_view accept,
                             std::string_view method = "GET") {
    std::string text = std::string(method) + " " + std::string(target) + " HTTP/1.1\r\nHost: a\r\n";
    if (!accept.empty()) text.append("Accept-Encoding: ").append(accept).append("\r\n");
    return text + "\r\n";
  }
  Answer ask(std::string_view target, std::string_view accept, std::string_view method = "GET") {
    RawClient client = connect();
    client.send(request(target, accept, method));
    return client.read_answer(method == "HEAD");
  }
  // Of an answer in chunks, all of it.
  std::pair<Answer, Chunks> ask_in_chunks(std::string_view target, std::string_view accept) {
    RawClient client = connect();
    std::string text = request(target, accept);
    text.insert(text.size() - 2, "Connection: close\r\n");
    Answer answer = client.ask(text);
    return {std::move(answer), http::test::take_chunks(client.read_to_end())};
  }
};
INSTANTIATE_TEST_SUITE_P(Topologies, Compress,
                         testing::Values("epoll", "io_uring", "io_uring_shared", "epoll_coroutine"),
                         http::test::backend_of);

const char* const kCodings[] = {"gzip", "br", "zstd"};

void try_compress(const CompressOptions& options = {}) { static_cast<void>(compress(options)); }

}  // namespace

TEST_P(Compress, whole_answers_are_packed_in_each_coding_and_unpack_to_what_was_said) {
  app.use(compress());
  const std::string body = prose(50'000);
  app.get("/text", [&](Context& c) { c.text(body); });
  app.get("/later", [&](Context& c) -> Task<void> {
    co_await coro::yield();
    c.json(JsonValue(std::string_view(body)));
  });
  start();
  RawClient client = connect();
  // More than once: encoders are used again.
  for (int round = 0; round < 3; ++round) {
    for (const char* const coding : kCodings) {
      const Answer answer = client.ask(request("/text", coding));
      EXPECT_EQ(answer.status, 200);
      EXPECT_EQ(answer.field("content-encoding"), coding);
      EXPECT_EQ(answer.field("vary"), "Accept-Encoding");
      EXPECT_LT(answer.body.size(), body.size() / 2) << coding;
      EXPECT_EQ(unpack(coding, answer.body), body) << coding;
      EXPECT_EQ(unpack(coding, client.ask(request("/later", coding)).body).size(),
                client.ask(request("/later", "")).body.size());
    }
  }
  const Answer plain = ask("/text", "");
  EXPECT_EQ(plain.body, body);
  EXPECT_EQ(plain.field("content-encoding"), "");
  EXPECT_EQ(plain.field("vary"), "Accept-Encoding");
  EXPECT_EQ(ask("/text", "gzip;q=0.5, br;q=0.7, zstd;q=0.1").field("content-encoding"), "br");
  EXPECT_EQ(ask("/text", "gzip;q=0").body, body);
  stop_before_locals_go();
}

TEST_P(Compress, head_says_what_get_says) {
  app.use(compress());
  app.get("/whole", [](Context& c) { c.text(prose(5'000)); });
  app.get("/stream", [](Context& c) { c.stream("text/plain").write(prose(5'000)); });
  app.get("/sized", [](Context& c) { c.stream("text/plain", 5'000).write(prose(5'000)); });
  start();
  for (const char* const coding : kCodings) {
    const Answer got = ask("/whole", coding);
    const Answer head = ask("/whole", coding, "HEAD");
    EXPECT_EQ(head.field("content-length"), got.field("content-length"));
    EXPECT_EQ(head.field("content-encoding"), coding);
    for (const char* const path : {"/stream", "/sized"}) {
      const Answer streamed = ask(path, coding, "HEAD");
      EXPECT_EQ(streamed.field("content-encoding"), coding) << path;
      EXPECT_EQ(streamed.field("transfer-encoding"), "chunked") << path;
      EXPECT_EQ(streamed.field("content-length"), "") << path;
    }
  }
  EXPECT_EQ(ask("/sized", "", "HEAD").field("content-length"), "5000");
}

TEST_P(Compress, what_is_not_to_be_packed_is_left_as_it_is) {
  app.use(compress({.min_bytes = 100}));
  const std::string body = prose(4'000);
  app.get("/short", [](Context& c) { c.text(prose(99)); });
  app.get("/enough", [](Context& c) { c.text(prose(200)); });
  app.get("/image", [&](Context& c) { c.bytes(body, "image/png"); });
  app.get("/untyped", [&](Context& c) { c.bytes(body, ""); });
  app.get("/encoded", [&](Context& c) {
    c.set_header("Content-Encoding", "deflate");
    c.text(body);
  });
  app.get("/kept", [&](Context& c) {
    c.set_header("Cache-Control", "public, no-transform");
    c.text(body);
  });
  app.get("/part", [&](Context& c) {
    c.status(206).set_header("Content-Range", "bytes 0-3999/9000");
    c.text(body);
  });
  app.get("/nothing", [&](Context& c) { c.no_content(); });
  app.get("/same", [&](Context& c) { c.status(304).set_header("ETag", "\"a\""); });
  app.get("/fails", [&](Context& c) { c.abort(418, prose(4'000)); });
  std::string noise(4'000, ' ');
  std::mt19937 random(7);
  for (char& byte : noise) byte = static_cast<char>(random());
  app.get("/noise", [&](Context& c) { c.text(noise); });
  app.get("/SVG", [&](Context& c) { c.bytes(body, "IMAGE/SVG+XML; charset=utf-8"); });
  start();
  for (const char* const path : {"/short", "/image", "/untyped", "/kept", "/part", "/nothing",
                                 "/same", "/fails", "/noise"}) {
    EXPECT_EQ(ask(path, "gzip, br, zstd").field("content-encoding"), "") << path;
  }
  EXPECT_EQ(ask("/noise", "gzip").body, noise);
  EXPECT_EQ(ask("/encoded", "gzip").field("content-encoding"), "deflate");
  EXPECT_EQ(ask("/encoded", "gzip").body, body);
  EXPECT_EQ(ask("/image", "gzip").field("vary"), "");
  // The client may have what was packed.
  EXPECT_EQ(ask("/same", "gzip").field("vary"), "Accept-Encoding");
  EXPECT_EQ(ask("/SVG", "gzip").field("content-encoding"), "gzip");
  EXPECT_EQ(ask("/enough", "gzip").field("content-encoding"), "gzip");
  // Who takes nothing else gets even what is short or does not shrink.
  EXPECT_EQ(unpack("gzip", ask("/short", "gzip, identity;q=0").body), prose(99));
  for (const char* const coding : kCodings) {
    EXPECT_EQ(unpack(coding, ask("/noise", std::string(coding) + ", *;q=0").body), noise);
  }
  stop_before_locals_go();
}

TEST_P(Compress, a_strong_tag_becomes_a_weak_one) {
  app.use(compress());
  app.get("/strong", [](Context& c) {
    c.set_header("ETag", "\"a\"");
    c.text(prose(4'000));
  });
  app.get("/weak", [](Context& c) {
    c.set_header("ETag", "W/\"a\"");
    c.text(prose(4'000));
  });
  app.get("/same", [](Context& c) { c.status(304).set_header("ETag", "\"a\""); });
  start();
  EXPECT_EQ(ask("/strong", "gzip").field("etag"), "W/\"a\"");
  EXPECT_EQ(ask("/weak", "gzip").field("etag"), "W/\"a\"");
  EXPECT_EQ(ask("/strong", "").field("etag"), "\"a\"");
  RawClient client = connect();
  const Answer same = client.ask(
      "GET /same HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n"
      "If-None-Match: W/\"a\"\r\n\r\n");
  EXPECT_EQ(same.field("etag"), "W/\"a\"");
  EXPECT_EQ(same.field("vary"), "Accept-Encoding");
  EXPECT_EQ(ask("/same", "gzip").field("etag"), "\"a\"");
}

TEST_P(Compress, a_304_made_inside_of_it_varies_as_the_200_does) {
  app.use(compress(), etag());
  app.get("/text", [](Context& c) { c.text(prose(4'000)); });
  app.get("/image", [](Context& c) { c.bytes(prose(4'000), "image/png"); });
  app.get("/dated", [](Context& c) { c.status(304); });
  start();
  for (const std::string path : {"/text", "/image"}) {
    const Answer full = ask(path, "gzip");
    ASSERT_EQ(full.status, 200);
    RawClient client = connect();
    const Answer same =
        client.ask("GET " + path + " HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n" +
                   "If-None-Match: " + full.field("etag") + "\r\n\r\n");
    EXPECT_EQ(same.status, 304) << path;
    EXPECT_EQ(same.field("vary"), full.field("vary")) << path;
    EXPECT_EQ(same.field("etag"), full.field("etag")) << path;
    EXPECT_EQ(same.field("content-encoding"), "") << path;
  }
  EXPECT_EQ(ask("/dated", "gzip").field("vary"), "Accept-Encoding");
}

TEST_P(Compress, streams_are_packed_as_they_are_written) {
  app.use(compress());
  const std::string body = prose(300'000);
  app.get("/pieces", [&](Context& c) {
    auto out = c.stream("text/plain");
    for (std::size_t at = 0; at < body.size(); at += 7'001) out.write(body.substr(at, 7'001));
    out.trailer("x-end", "1");
  });
  app.get("/announced", [&](Context& c) { c.stream("text/plain", body.size()).write(body); });
  app.get("/image", [&](Context& c) { c.stream("image/png", body.size()).write(body); });
  app.get("/empty", [&](Context& c) { c.stream("text/plain"); });
  start();
  for (const char* const coding : kCodings) {
    for (const char* const path : {"/pieces", "/announced"}) {
      const auto [answer, chunks] = ask_in_chunks(path, coding);
      EXPECT_EQ(answer.field("content-encoding"), coding) << path;
      EXPECT_EQ(answer.field("vary"), "Accept-Encoding") << path;
      EXPECT_EQ(answer.field("content-length"), "") << path;
      EXPECT_TRUE(chunks.is_whole) << path;
      EXPECT_LT(chunks.body.size(), body.size() / 2) << path;
      EXPECT_EQ(unpack(coding, chunks.body), body) << path << " in " << coding;
      EXPECT_EQ(chunks.trailers, std::string(path) == "/pieces" ? "x-end: 1\r\n" : "");
    }
  }
  EXPECT_EQ(ask("/announced", "").body, body);
  EXPECT_EQ(ask("/image", "gzip").body, body);
  EXPECT_EQ(ask("/empty", "gzip").body, "");
  EXPECT_EQ(ask("/empty", "gzip").field("content-encoding"), "");
  stop_before_locals_go();
}

TEST_P(Compress, what_is_flushed_arrives_before_the_next_is_written) {
  app.use(compress());
  std::map<std::string, http::test::Gate, std::less<>> second;
  for (const char* const coding : kCodings) second[coding];
  app.get("/live", [&](Context& c) {
    auto out = c.stream("text/plain");
    out.write("first").flush().flush();
    second.find(c.header("accept-encoding"))->second.pass();
    out.write("second").flush();
    gate.pass();
  });
  app.get("/events", [&](Context& c) {
    auto events = c.events();
    events.send("one");
    gate.pass();
  });
  start();
  for (const char* const coding : kCodings) {
    RawClient client = connect();
    const Answer answer = client.ask(request("/live", coding));
    EXPECT_EQ(answer.field("content-encoding"), coding);
    std::string received;
    const auto wait_for = [&](RawClient& from, const std::string& text) {
      while (test::unpack_begun(coding, http::test::take_chunks(received).body) != text) {
        const std::string more = from.receive_some();
        if (more.empty()) return false;
        received += more;
      }
      return true;
    };
    EXPECT_TRUE(wait_for(client, "first")) << coding;
    second[coding].open();
    EXPECT_TRUE(wait_for(client, "firstsecond")) << coding;
    RawClient listener = connect();
    received.clear();
    EXPECT_EQ(listener.ask(request("/events", coding)).field("content-encoding"), coding);
    EXPECT_TRUE(wait_for(listener, "data: one\n\n")) << coding;
  }
  stop_before_locals_go();
}

TEST_P(Compress, a_stream_that_fails_is_not_taken_for_whole) {
  app.use(compress());
  app.get("/late", [](Context& c) {
    c.stream("text/plain").write(prose(4'000)).flush();
    throw std::runtime_error("it broke");
  });
  app.get("/early", [](Context& c) {
    c.stream("text/plain").write("a");
    throw std::runtime_error("it broke");
  });
  app.get("/little", [](Context& c) { c.stream("text/plain", 5'000).write(prose(4'000)).flush(); });
  app.get("/much", [](Context& c) { c.stream("text/plain", 5'000).write(prose(5'001)); });
  app.get("/twice", [](Context& c) {
    c.stream("text/plain");
    c.stream("text/plain");
  });
  start();
  EXPECT_FALSE(ask_in_chunks("/late", "gzip").second.is_whole);
  EXPECT_FALSE(ask_in_chunks("/little", "gzip").second.is_whole);
  for (const char* const path : {"/early", "/much", "/twice"}) {
    const Answer answer = ask(path, "gzip");
    EXPECT_EQ(answer.status, 500) << path;
    EXPECT_EQ(answer.body, "Internal Server Error\n") << path;
    EXPECT_EQ(answer.field("content-encoding"), "") << path;
  }
  expect_still_serving();
}

TEST_P(Compress, files_are_packed_and_parts_of_them_are_not) {
  app.use(compress());
  const std::filesystem::path path =
      std::filesystem::temp_directory_path() / ("weft-compress-" + std::to_string(::getpid()));
  const std::string body = prose(200'000);
  std::ofstream(path) << body;
  app.get("/file", [&](Context& c) {
    c.set_header("Content-Type", "text/css");
    c.file(path.string());
  });
  start();
  for (const char* const coding : kCodings) {
    const auto [answer, chunks] = ask_in_chunks("/file", coding);
    EXPECT_EQ(answer.field("content-encoding"), coding);
    EXPECT_EQ(answer.field("accept-ranges"), "");
    EXPECT_TRUE(answer.field("etag").starts_with("W/\"")) << answer.head;
    EXPECT_EQ(unpack(coding, chunks.body), body);
    const Answer head = ask("/file", coding, "HEAD");
    EXPECT_EQ(head.field("content-encoding"), coding);
    EXPECT_EQ(head.field("content-length"), "");
    RawClient client = connect();
    const Answer same =
        client.ask("GET /file HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\nIf-None-Match: " +
                   answer.field("etag") + "\r\n\r\n");
    EXPECT_EQ(same.status, 304);
    EXPECT_EQ(same.field("etag"), answer.field("etag"));
  }
  RawClient client = connect();
  const Answer part = client.ask(
      "GET /file HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\nRange: bytes=10-5009\r\n\r\n");
  EXPECT_EQ(part.status, 206);
  EXPECT_EQ(part.field("content-encoding"), "");
  EXPECT_EQ(part.body, body.substr(10, 5'000));
  EXPECT_EQ(ask("/file", "").body, body);
  std::filesystem::remove(path);
  stop_before_locals_go();
}

TEST_P(Compress, streams_beyond_the_bound_are_sent_as_they_are) {
  app.use(compress({.streams_per_worker = 2}));
  app.get("/live", [&](Context& c) {
    c.stream("text/plain").write("text").flush();
    gate.pass();
  });
  start();
  std::vector<RawClient> clients;
  for (const char* const expected : {"gzip", "gzip", ""}) {
    clients.push_back(connect());
    EXPECT_EQ(clients.back().ask(request("/live", "gzip")).field("content-encoding"), expected);
  }
  gate.open();
  clients.clear();
  ASSERT_TRUE(http::test::eventually([&] { return gate.waiting() == 0; }));
  RawClient client = connect();
  EXPECT_TRUE(http::test::eventually([&] {
    RawClient again = connect();
    return again.ask(request("/live", "gzip")).field("content-encoding") == "gzip";
  }));
}

TEST_P(Compress, long_bodies_are_packed_beside_the_worker) {
  app.use(compress({.zstd_level = 9, .brotli_level = 6, .gzip_level = 9, .offload_bytes = 10'000}));
  const std::string body = prose(1'000'000);
  app.get("/long", [&](Context& c) { c.text(body); });
  start();
  for (const char* const coding : kCodings) {
    EXPECT_EQ(unpack(coding, ask("/long", coding).body), body) << coding;
  }
  stop_before_locals_go();
}

TEST_P(Compress, other_protocols_pass_through) {
  app.use(compress());
  app.get("/echo", [](Context& c) {
    auto stream = c.upgrade("echo");
    while (const auto bytes = stream.read()) {
      if (bytes->empty() || !stream.write(*bytes) || !stream.flush()) break;
    }
  });
  start();
  RawClient client = connect();
  EXPECT_EQ(client
                .ask("GET /echo HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n"
                     "Connection: upgrade\r\nUpgrade: echo\r\n\r\n")
                .status,
            101);
  client.send("hello");
  EXPECT_EQ(client.receive_some(), "hello");
}

TEST(Encoders, any_pieces_and_flushes_unpack_to_what_was_put_in) {
  using app::Encoder;
  std::mt19937 random(20'261'130);
  for (int round = 0; round < 90; ++round) {
    const char* const name = kCodings[round % 3];
    const auto coding = *http::content_coding_of(name);
    const int most_level = coding == http::ContentCoding::brotli ? 7 : 9;
    app::EncoderSetup setup{coding, 1 + static_cast<int>(random() % most_level), std::nullopt};
    std::string body = test::prose(random() % 60'000);
    // Some of it does not shrink.
    for (std::size_t at = random() % 10'000; at < body.size(); at += 1 + random() % 50) {
      body[at] = static_cast<char>(random());
    }
    if (round % 2 == 0) setup.size = body.size();
    const app::TakenEncoder encoder = app::take_encoder(setup);
    std::string packed;
    std::string room(16 + random() % 5'000, ' ');
    std::string_view left = body;
    const auto put = [&](std::string_view bytes, Encoder::Until until) {
      app::CodingStep step{bytes};
      for (bool done = false; !done;) {
        step.out = room.data();
        step.room = room.size();
        done = encoder->step(step, until);
        packed.append(room, 0, room.size() - step.room);
      }
      ASSERT_TRUE(step.in.empty());
    };
    while (!left.empty()) {
      const std::string_view piece = left.substr(0, random() % 9'000);
      left.remove_prefix(piece.size());
      const bool flush = random() % 4 == 0;
      put(piece, flush ? Encoder::Until::flushed : Encoder::Until::input_taken);
      if (!flush) continue;
      ASSERT_EQ(test::unpack_begun(name, packed).size(), body.size() - left.size()) << name;
    }
    put({}, Encoder::Until::finished);
    ASSERT_EQ(unpack(name, packed), body) << name << " in round " << round;
  }
}

TEST(Encoders, are_used_again_by_their_thread_and_counted_while_they_stream) {
  for (const char* const name : kCodings) {
    const auto coding = *http::content_coding_of(name);
    for (const auto size : {std::optional<std::size_t>(5'000), std::optional<std::size_t>()}) {
      const app::Encoder* first = nullptr;
      {
        const app::TakenEncoder taken = app::take_encoder({coding, 3, size});
        first = taken.get();
      }
      const app::TakenEncoder again = app::take_encoder({coding, 3, size});
      EXPECT_EQ(again.get(), first) << name;
      EXPECT_EQ(app::streams_under_way(), size ? 0U : 1U) << name;
    }
  }
  EXPECT_EQ(app::streams_under_way(), 0U);
}

TEST(CompressOptions, what_makes_no_sense_is_refused) {
  EXPECT_THROW(try_compress({.codings = {}}), std::invalid_argument);
  EXPECT_THROW(try_compress({.codings = {"deflate"}}), std::invalid_argument);
  EXPECT_THROW(try_compress({.codings = {"identity"}}), std::invalid_argument);
  EXPECT_THROW(try_compress({.zstd_level = 20}), std::invalid_argument);
  EXPECT_THROW(try_compress({.brotli_level = 12}), std::invalid_argument);
  EXPECT_THROW(try_compress({.gzip_level = 0}), std::invalid_argument);
  for (const char* const type : {"text", "*", "*/*", "te*t/x", "", "text/html; charset=utf-8"}) {
    EXPECT_THROW(try_compress({.types = {type}}), std::invalid_argument) << type;
  }
  EXPECT_NO_THROW(try_compress({.codings = {"gzip"}, .types = {"text/html", "font/*", "*+cbor"}}));
}

}  // namespace weft
