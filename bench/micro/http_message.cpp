// What a message costs with no kernel below it: building responses, and a mixed workload that is
// parsed, routed and answered. bench/http_message.py runs it and compares the rows.
//
//     http_message [ROUNDS] [CORE]

#include <time.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <weft/json.hpp>

#include "http/chunked_decoder.hpp"
#include "http/head_parser.hpp"
#include "http/output_arena.hpp"
#include "http/response.hpp"
#include "http/router.hpp"
#include "ksvc_rows.hpp"

namespace {

using namespace weft;

constexpr std::size_t kResponsesPerTurn = 64;
constexpr std::size_t kRepetitions = 20'000;
constexpr std::string_view kPlain = "text/plain; charset=utf-8";

// Of many sizes and kinds, as a server that is used for more than benchmarks sees them.
constexpr std::array<std::string_view, 10> kRequests{
    "GET / HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n",
    "GET /users/42 HTTP/1.1\r\nHost: api.example.com\r\nAccept: application/json\r\n\r\n",
    "GET /users/42/orders/7?page=2&size=50 HTTP/1.1\r\nHost: api.example.com\r\n"
    "Accept: application/json\r\nAuthorization: Bearer 0123456789abcdef0123456789abcdef\r\n"
    "User-Agent: client/1.0\r\n\r\n",
    "GET /articles/2024/blocking-style-code?utm_source=feed HTTP/1.1\r\n"
    "Host: www.example.com\r\nConnection: keep-alive\r\nUpgrade-Insecure-Requests: 1\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/124.0.0.0 Safari/537.36\r\nAccept: text/html,application/xhtml+xml;q=0.9,*/*;q=0.8\r\n"
    "Accept-Encoding: gzip, deflate, br\r\nAccept-Language: en-GB,en;q=0.9\r\n"
    "Cookie: session=4f8a0c1d2e3b4a5f6978; theme=dark; consent=all\r\n\r\n",
    "HEAD / HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: curl/8.5.0\r\nAccept: */*\r\n\r\n",
    "POST /users HTTP/1.1\r\nHost: api.example.com\r\nContent-Type: application/json\r\n"
    "Content-Length: 27\r\n\r\n{\"name\":\"ann\",\"tags\":[1,2]}",
    "PUT /users/42 HTTP/1.1\r\nHost: api.example.com\r\nTransfer-Encoding: chunked\r\n\r\n"
    "1b\r\n{\"name\":\"ann\",\"tags\":[1,2]}\r\n0\r\n\r\n",
    "GET /assets/js/application.js HTTP/1.1\r\nHost: www.example.com\r\n"
    "If-None-Match: \"5f8d0a\"\r\nAccept: */*\r\n\r\n",
    "GET /nothing/here HTTP/1.1\r\nHost: www.example.com\r\n\r\n",
    "DELETE /articles/2024/blocking-style-code HTTP/1.1\r\nHost: www.example.com\r\n\r\n"};

enum Route : http::RouteId { kRoot, kUser, kUsers, kOrder, kArticle, kAsset };

class Server {
 public:
  Server() : common_(true) {
    common_.set_date(1'700'000'000);
    add(http::Method::get, "/", kRoot);
    add(http::Method::get, "/users/:id", kUser);
    add(http::Method::put, "/users/:id", kUser);
    add(http::Method::post, "/users", kUsers);
    add(http::Method::get, "/users/:id/orders/:order", kOrder);
    add(http::Method::get, "/articles/:year/:slug", kArticle);
    add(http::Method::get, "/assets/*path", kAsset);
  }

  void text() {
    http::Response response;
    response.content_type = kPlain;
    response.body.assign("Hello, World!");
    send(response, {});
  }
  void json(std::size_t i) {
    http::Response response;
    response.content_type = "application/json";
    fill_json(response, "42", i);
    send(response, {});
  }
  void fields() {
    http::Response response;
    response.content_type = kPlain;
    response.add_field("Cache-Control", "max-age=3600");
    response.add_field("ETag", "\"5f8d0a\"");
    response.add_field("X-Request-Id", "0123456789abcdef");
    response.body.assign("Hello, World!");
    send(response, {});
  }
  void error() {
    http::Response response;
    response.status = 404;
    response.content_type = kPlain;
    response.body.assign("Not Found\n");
    send(response, {});
  }
  // As many bytes as text() sends, of which none has to be made.
  void copied() {
    constexpr std::string_view answer =
        "HTTP/1.1 200 OK\r\nServer: weft\r\nDate: Tue, 14 Nov 2023 22:13:20 GMT\r\n"
        "Content-Type: text/plain; charset=utf-8\r\nContent-Length: 13\r\n\r\nHello, World!";
    char* out = arena_.reserve(answer.size());
    std::memcpy(out, answer.data(), answer.size());
    arena_.commit(out + answer.size());
    end_response();
  }

  // From a request's bytes to those of its answer.
  void serve(std::string_view bytes) {
    http::HeadParser parser(limits_);
    if (parser.advance(bytes) != http::ParseState::complete) std::abort();
    const http::RequestHead& head = parser.head();
    const http::HeadView view(head, bytes.data());
    take_body(head, bytes.substr(parser.consumed()));
    http::Response response;
    http::Params params;
    const http::Match match = router_.match(head.method, view.path(), params);
    answer(match, params, response);
    send(response, {head.keep_alive, head.minor_version == 0, head.method != http::Method::head});
  }

 private:
  void add(http::Method method, std::string_view pattern, http::RouteId route) {
    if (router_.add(method, pattern, route)) std::abort();
  }

  void take_body(const http::RequestHead& head, std::string_view body) {
    if (!head.chunked) return bench::keep(body.substr(0, head.content_length));
    http::ChunkedDecoder decoder(limits_);
    bench::keep(decoder.advance(body, [](std::string_view data) { bench::keep(data); }));
  }

  static void answer(const http::Match& match, const http::Params& params,
                     http::Response& response) {
    response.content_type = kPlain;
    if (match.state == http::MatchState::method_not_allowed) {
      response.status = 405;
      response.add_field("Allow", match.allowed.allow_text());
      return response.body.assign("Method Not Allowed\n");
    }
    if (match.state == http::MatchState::not_found) {
      response.status = 404;
      return response.body.assign("Not Found\n");
    }
    if (match.route == kUser || match.route == kOrder) {
      response.content_type = "application/json";
      return fill_json(response, params.value(0), match.route);
    }
    response.body.assign(params.size() > 0 ? params.value(params.size() - 1) : "Hello, World!");
  }

  static void fill_json(http::Response& response, std::string_view id, std::size_t number) {
    response.body.fill([&](char* out, std::size_t capacity) {
      return write_json({{"id", id}, {"name", "user"}, {"number", number}}, out, capacity);
    });
  }

  void send(const http::Response& response, const http::Framing& framing) {
    const std::string_view body = response.body.view();
    char* out = arena_.reserve(http::head_size_bound(response, common_) + body.size());
    out = http::write_head(out, response, framing, common_);
    if (framing.body_allowed) {
      std::memcpy(out, body.data(), body.size());
      out += body.size();
    }
    arena_.commit(out);
    end_response();
  }

  void end_response() {
    bench::keep(arena_.take_piece());
    if (++responses_ % kResponsesPerTurn == 0) arena_.reset();
  }

  http::Limits limits_;
  http::Router router_;
  http::CommonFields common_;
  http::OutputArena arena_;
  std::size_t responses_ = 0;
};

double processor_nanoseconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

// Processor time, so that what else runs on the core is not in it.
template <class Operation>
void add(bench::Rows& rows, const char* name, Operation operation) {
  rows.add(name, "ns", [operation] {
    const double before = processor_nanoseconds();
    for (std::size_t i = 0; i < kRepetitions; ++i) operation(i);
    return (processor_nanoseconds() - before) / static_cast<double>(kRepetitions);
  });
}

}  // namespace

int main(int argc, char** argv) {
  const auto arguments = bench::RowsArguments::from(argc, argv);
  bench::pin_this_thread(arguments.first_core);
  Server server;
  bench::Rows rows;
  add(rows, "response_copied", [&](std::size_t) { server.copied(); });
  add(rows, "response_text", [&](std::size_t) { server.text(); });
  add(rows, "response_json", [&](std::size_t i) { server.json(i); });
  add(rows, "response_fields", [&](std::size_t) { server.fields(); });
  add(rows, "response_error", [&](std::size_t) { server.error(); });
  add(rows, "message_plaintext", [&](std::size_t) { server.serve(kRequests[0]); });
  add(rows, "message_mixed", [&](std::size_t i) { server.serve(kRequests[i % kRequests.size()]); });
  rows.run(arguments.rounds);
  rows.print();
}
