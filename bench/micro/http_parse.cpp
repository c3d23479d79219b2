// What the HTTP message layer costs per request: head parsing, route lookup, JSON literals.
//
// Each row is the best of several rounds, in nanoseconds of wall-clock time per operation, with the
// median beside it; the inputs stay in the cache, so this is the cost of the code alone.

#include <sys/utsname.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>
#include <weft/json.hpp>
#include <weft/version.hpp>

#include "http/chunked_decoder.hpp"
#include "http/date.hpp"
#include "http/head_parser.hpp"
#include "http/query.hpp"
#include "http/route_feed.hpp"
#include "http/router.hpp"

namespace {

using namespace weft;

template <class Value>
void keep(const Value& value) {
  asm volatile("" : : "r"(&value) : "memory");
}

template <class Operation>
void measure(const char* what, std::size_t bytes, Operation&& operation) {
  constexpr int rounds = 201;
  constexpr std::size_t repetitions = 5'000;
  std::array<double, rounds> results;
  for (double& result : results) {
    const auto begin = std::chrono::steady_clock::now();
    for (std::size_t i = 0; i < repetitions; ++i) operation(i);
    const std::chrono::duration<double, std::nano> spent = std::chrono::steady_clock::now() - begin;
    result = spent.count() / static_cast<double>(repetitions);
  }
  std::sort(results.begin(), results.end());
  std::printf("%-44s %6zu %9.1f %9.1f\n", what, bytes, results.front(), results[rounds / 2]);
}

constexpr std::string_view minimal_get = "GET / HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n";
constexpr std::string_view wrk_get =
    "GET /users/42?verbose=1 HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nAccept: */*\r\n"
    "Connection: keep-alive\r\nUser-Agent: wrk/4.2.0\r\n\r\n";
constexpr std::string_view browser_get =
    "GET /articles/2024/blocking-style-code?utm_source=feed&page=2 HTTP/1.1\r\n"
    "Host: www.example.com\r\nConnection: keep-alive\r\n"
    "sec-ch-ua: \"Chromium\";v=\"124\", \"Not-A.Brand\";v=\"99\"\r\nsec-ch-ua-mobile: ?0\r\n"
    "sec-ch-ua-platform: \"Linux\"\r\nUpgrade-Insecure-Requests: 1\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/124.0.0.0 Safari/537.36\r\n"
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,"
    "*/*;q=0.8\r\nSec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: navigate\r\n"
    "Sec-Fetch-User: ?1\r\nSec-Fetch-Dest: document\r\nReferer: https://www.example.com/\r\n"
    "Accept-Encoding: gzip, deflate, br\r\nAccept-Language: en-GB,en;q=0.9\r\n"
    "Cookie: session=4f8a0c1d2e3b4a5f6978; theme=dark; consent=all\r\n\r\n";

void measure_parser(const char* what, std::string_view bytes) {
  static const http::Limits limits;
  measure(what, bytes.size(), [bytes](std::size_t) {
    http::HeadParser parser(limits);
    keep(parser.advance(bytes));
    keep(parser);
  });
}

void measure_router(const char* what, std::size_t routes, std::string_view path) {
  http::Router router;
  for (std::size_t i = 0; i < routes / 2; ++i) {
    const std::string base = "/api/v1/resource" + std::to_string(i);
    const auto id = static_cast<http::RouteId>(2 * i);
    if (router.add(http::Method::get, base, id) ||
        router.add(http::Method::get, base + "/:id", id + 1)) {
      std::abort();
    }
  }
  if (router.add(http::Method::get, "/org/:org/team/:team/user/:user/posts/:post", 0)) std::abort();
  measure(what, path.size(), [&](std::size_t) {
    http::Params params;
    keep(router.match(http::Method::get, path, params));
    keep(params);
  });
}

}  // namespace

int main() {
  utsname system{};
  uname(&system);
  std::printf("weft %.*s, commit %.*s, %s %s %s\n", static_cast<int>(version().size()),
              version().data(), static_cast<int>(commit().size()), commit().data(), system.sysname,
              system.release, system.machine);
  std::printf("%-44s %6s %9s %9s\n", "operation", "bytes", "best ns", "median ns");

  measure_parser("parse: minimal GET", minimal_get);
  measure_parser("parse: wrk-like GET", wrk_get);
  measure_parser("parse: browser-like GET", browser_get);
  const std::string cookie_get = std::string(browser_get.substr(0, browser_get.size() - 4)) +
                                 "; tracking=" + std::string(4096, 'c') + "\r\n\r\n";
  measure_parser("parse: browser-like GET, 4 KiB of cookies", cookie_get);

  for (const std::size_t routes : {10U, 1'000U, 10'000U}) {
    const std::string number = std::to_string(routes / 2 - 2);
    const std::string what = "route: " + std::to_string(routes) + " routes, ";
    const std::string path = "/api/v1/resource" + number;
    measure_router((what + "static").c_str(), routes, path);
    measure_router((what + "one parameter").c_str(), routes, path + "/42");
    measure_router((what + "four parameters").c_str(), routes,
                   "/org/acme/team/blue/user/42/posts/1234567");
  }

  static http::RouteFeed feed;
  static const http::NewRoute fresh;
  measure("route: put into a feed and taken out", 0, [](std::size_t) {
    fresh.untaken.add();
    keep(feed.put(fresh));
    feed.take_up([](const http::NewRoute&) { return true; });
  });

  std::array<char, 512> out;
  measure("json: {id, name, n, ok, list}", 0, [&out](std::size_t i) {
    keep(write_json({{"id", "42"}, {"name", "user42"}, {"n", i}, {"ok", true}, {"list", {1, 2, 3}}},
                    out.data(), out.size()));
  });
  measure("query: third of three parameters", 0,
          [](std::size_t) { keep(http::Query("page=2&size=50&sort=name").find_raw("sort")); });
  measure("date: format", http::http_date_length, [&out](std::size_t i) {
    http::format_http_date(1'700'000'000 + static_cast<std::time_t>(i), out.data());
    keep(out);
  });
  static const http::Limits limits;
  const std::string chunks = "400\r\n" + std::string(1024, 'x') + "\r\n0\r\n\r\n";
  measure("chunked: one chunk of 1 KiB", chunks.size(), [&chunks](std::size_t) {
    http::ChunkedDecoder decoder(limits);
    keep(decoder.advance(chunks, [](std::string_view data) { keep(data); }));
  });
}
