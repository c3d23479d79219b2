// What a running server answers to good and bad requests: statuses, fields, and when it closes.

#include <gtest/gtest.h>

#include "server_test.hpp"

namespace weft::http::test {

namespace {

class Conformance : public ServerTest {};
INSTANTIATE_TEST_SUITE_P(Topologies, Conformance, every_topology, backend_of);
INSTANTIATE_TEST_SUITE_P(SharedModels, Conformance, every_shared_model, backend_of);
INSTANTIATE_TEST_SUITE_P(Sq, Conformance, every_sq, backend_of);

struct Refused {
  const char* what;
  std::string request;
  int status;
};

std::string with_fields(std::string_view fields, std::string_view method = "GET") {
  return std::string(method) + " / HTTP/1.1\r\nHost: a\r\n" + std::string(fields) + "\r\n";
}

// To a route that reads it.
std::string with_body_fields(std::string_view fields) {
  return with_fields(fields, "POST").replace(5, 1, "/body");
}

std::string chunked(std::string_view body) {
  return with_body_fields("Transfer-Encoding: chunked\r\n") + std::string(body);
}

std::vector<Refused> refused_requests() {
  const std::string nul("X: a\0b\r\n", 8);
  return {
      {"no Host", "GET / HTTP/1.1\r\n\r\n", 400},
      {"two Hosts", with_fields("Host: b\r\n"), 400},
      {"a malformed Host", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400},
      {"length and chunked", with_fields("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n"),
       400},
      {"chunked in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
      {"chunked not last", with_fields("Transfer-Encoding: chunked, gzip\r\n"), 400},
      {"chunked twice", with_fields("Transfer-Encoding: chunked, chunked\r\n"), 400},
      {"an unknown coding", with_fields("Transfer-Encoding: gzip, chunked\r\n"), 501},
      {"a signed length", with_fields("Content-Length: +1\r\n"), 400},
      {"a length that is no number", with_fields("Content-Length: x\r\n"), 400},
      {"an overflowing length", with_fields("Content-Length: 99999999999999999999\r\n"), 400},
      {"a list of lengths", with_fields("Content-Length: 1, 1\r\n"), 400},
      {"two lengths", with_fields("Content-Length: 1\r\nContent-Length: 1\r\n"), 400},
      {"a space before the colon", with_fields("X : a\r\n"), 400},
      {"a folded line", with_fields("X: a\r\n b\r\n"), 400},
      {"a header that begins with a space", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400},
      {"a bare CR", with_fields("X: a\rb\r\n"), 400},
      {"a NUL", with_fields(nul), 400},
      {"a control byte", with_fields("X: a\x01z\r\n"), 400},
      {"a bad name", with_fields("X(y: a\r\n"), 400},
      {"a bare LF in the head", "GET / HTTP/1.1\nHost: a\r\n\r\n", 400},
      {"a bare LF in the chunk framing", chunked("1\na\r\n0\r\n\r\n"), 400},
      {"a signed chunk size", chunked("+1\r\na\r\n0\r\n\r\n"), 400},
      {"a chunk size with 0x", chunked("0x1\r\na\r\n0\r\n\r\n"), 400},
      {"an overflowing chunk size", chunked("fffffffffffffffff\r\n"), 400},
      {"a chunk without its CRLF", chunked("1\r\naX"), 400},
      {"a malformed chunk extension", chunked("1;\x01=b\r\na\r\n0\r\n\r\n"), 400},
      {"chunk extensions over the budget", chunked("1;a=" + std::string(2000, 'b') + "\r\n"), 400},
      {"trailers over the limit", chunked("0\r\nX: " + std::string(5000, 'b') + "\r\n\r\n"), 431},
      {"a target that is too long", "GET /" + std::string(9000, 'a') + " HTTP/1.1\r\n", 414},
      {"a field that is too long", with_fields("X: " + std::string(9000, 'a') + "\r\n"), 431},
      {"a body that is announced too large", with_fields("Content-Length: 1048577\r\n", "POST"),
       413},
      {"an encoded body", with_body_fields("Content-Encoding: gzip\r\nContent-Length: 1\r\n"), 415},
      {"an encoded body that nobody reads",
       with_body_fields("Content-Encoding: br\r\nTransfer-Encoding: chunked\r\n")
           .replace(5, 5, "/unread"),
       415},
      {"a bad version", "GET / HTTP/1.x\r\nHost: a\r\n\r\n", 400},
      {"an unknown major version", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505},
      {"an unknown method", "BREW / HTTP/1.1\r\nHost: a\r\n\r\n", 501},
      {"GET *", "GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"an unknown expectation", with_fields("Expect: tea\r\n"), 417},
  };
}

}  // namespace

TEST_P(Conformance, refused_requests_get_their_status_and_the_connection_is_closed) {
  start();
  for (const Refused& refused : refused_requests()) {
    SCOPED_TRACE(refused.what);
    Client client = connect();
    const Answer answer = client.ask(refused.request);
    EXPECT_EQ(answer.status, refused.status);
    EXPECT_TRUE(answer.announces_close());
    EXPECT_TRUE(client.is_ended());
  }
  EXPECT_TRUE(all_connections_closed());
}

TEST_P(Conformance, too_many_fields_are_refused_with_431) {
  start();
  std::string fields;
  for (int i = 0; i < 101; ++i) fields += "X: a\r\n";
  Client client = connect();
  EXPECT_EQ(client.ask(with_fields(fields)).status, 431);
  EXPECT_TRUE(client.is_ended());
}

TEST_P(Conformance, nothing_behind_a_refused_request_is_served) {
  start();
  Client client = connect();
  client.send("GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(client.read_answer().status, 400);
  EXPECT_TRUE(client.is_ended());
  EXPECT_EQ(app.stats().requests, 0U);
}

TEST_P(Conformance, a_refused_head_request_gets_no_body) {
  start();
  Client client = connect();
  client.send("HEAD / HTTP/1.1\r\n\r\n");
  EXPECT_EQ(client.read_answer(true).status, 400);
  EXPECT_EQ(client.read_to_end(), "");
}

TEST_P(Conformance, one_empty_line_before_a_request_is_skipped) {
  start();
  Client client = connect();
  EXPECT_EQ(client.ask("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n").body, "hello");
  EXPECT_EQ(client.ask("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n").body, "hello");
  EXPECT_EQ(client.ask("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n").status, 400);
}

TEST_P(Conformance, every_answer_carries_date_and_server) {
  start();
  Client client = connect();
  for (const char* request :
       {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET /no HTTP/1.1\r\nHost: a\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\n\r\n"}) {
    const Answer answer = client.ask(request);
    EXPECT_EQ(answer.field("date").size(), std::string("Sun, 06 Nov 1994 08:49:37 GMT").size());
    EXPECT_EQ(answer.field("server"), "weft");
  }
}

TEST_P(Conformance, unknown_paths_are_404_and_keep_the_connection) {
  start();
  Client client = connect();
  EXPECT_EQ(client.get("/nowhere").status, 404);
  EXPECT_EQ(client.get("/").status, 200);
}

TEST_P(Conformance, a_method_that_the_path_does_not_answer_is_405_with_allow) {
  start();
  Client client = connect();
  const Answer answer = client.ask(post_request("/", "body"));
  EXPECT_EQ(answer.status, 405);
  EXPECT_EQ(answer.field("allow"), "GET, HEAD, OPTIONS");
  EXPECT_EQ(client.get("/").status, 200);
}

TEST_P(Conformance, trace_and_connect_are_405) {
  start();
  Client client = connect();
  const Answer trace = client.ask("TRACE / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(trace.status, 405);
  EXPECT_EQ(trace.field("allow"), "GET, HEAD, OPTIONS");
  const Answer tunnel = client.ask("CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n");
  EXPECT_EQ(tunnel.status, 405);
  EXPECT_NE(tunnel.field("allow"), "");
}

TEST_P(Conformance, options_tells_what_a_path_answers) {
  start();
  Client client = connect();
  const Answer one = client.ask("OPTIONS /body HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(one.status, 204);
  EXPECT_EQ(one.field("allow"), "POST, OPTIONS");
  EXPECT_EQ(one.fields.count("content-length"), 0U);
  const Answer all = client.ask("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(all.status, 204);
  EXPECT_NE(all.field("allow"), "");
  EXPECT_EQ(client.ask("OPTIONS /no HTTP/1.1\r\nHost: a\r\n\r\n").status, 404);
}

TEST_P(Conformance, absolute_form_is_accepted) {
  start();
  Client client = connect();
  EXPECT_EQ(client.ask("GET http://b/echo/x HTTP/1.1\r\nHost: a\r\n\r\n").body, "x");
  EXPECT_EQ(client.ask("GET http://b HTTP/1.1\r\nHost: a\r\n\r\n").body, "hello");
}

TEST_P(Conformance, head_gets_the_length_and_no_bytes) {
  start();
  Client client = connect();
  client.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\nHEAD /no HTTP/1.1\r\nHost: a\r\n\r\n");
  const Answer head = client.read_answer(true);
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.field("content-length"), "5");
  EXPECT_EQ(client.read_answer(true).status, 404);
  EXPECT_EQ(client.get("/").body, "hello");
}

TEST_P(Conformance, statuses_without_a_body_get_none) {
  for (const int status : {204, 304}) {
    app.get("/" + std::to_string(status),
            [status](Context& c) { c.status(status).text("secret"); });
  }
  start();
  Client client = connect();
  for (const char* target : {"/204", "/304"}) {
    const Answer answer = client.get(target);
    EXPECT_EQ(answer.fields.count("content-length"), 0U);
    EXPECT_EQ(client.get("/").body, "hello") << "right behind " << target;
  }
}

TEST_P(Conformance, http_1_1_persists_until_close_is_asked_for) {
  start();
  Client client = connect();
  EXPECT_EQ(client.get("/").field("connection"), "");
  const Answer last = client.ask("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  EXPECT_TRUE(last.announces_close());
  EXPECT_TRUE(client.is_ended());
}

TEST_P(Conformance, http_1_0_persists_only_when_asked_to) {
  start();
  Client client = connect();
  const Answer kept = client.ask("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_EQ(kept.status, 200);
  EXPECT_EQ(kept.field("connection"), "keep-alive");
  EXPECT_TRUE(client.ask("GET / HTTP/1.0\r\n\r\n").announces_close());
  EXPECT_TRUE(client.is_ended());
}

TEST_P(Conformance, a_hundred_pipelined_requests_are_answered_in_order) {
  start();
  Client client = connect();
  const char* kinds[] = {"/echo/", "/park/", "/sleep/"};
  std::string requests;
  for (int i = 0; i < 100; ++i) {
    requests +=
        "GET " + std::string(kinds[i % 7 % 3]) + std::to_string(i) + " HTTP/1.1\r\nHost: a\r\n\r\n";
  }
  ASSERT_TRUE(client.send(requests));
  for (int i = 0; i < 100; ++i) ASSERT_EQ(client.read_answer().body, std::to_string(i));
}

TEST_P(Conformance, requests_behind_connection_close_are_not_served) {
  start();
  Client client = connect();
  client.send(
      "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
      "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(client.read_answer().status, 200);
  EXPECT_TRUE(client.is_ended());
  EXPECT_EQ(app.stats().requests, 1U);
}

}  // namespace weft::http::test
