#include "sim_site.hpp"

#include <chrono>
#include <stdexcept>

#include "ask.hpp"
#include "weft/green.hpp"

namespace weft::http::test {

namespace {

constexpr std::size_t kMostRoutes = 32;

void answer(Exchange& exchange, std::string_view body) {
  exchange.response().content_type = "text/plain";
  exchange.response().body.assign(body);
}

std::string_view only_param(Exchange& exchange) { return exchange.params().value(0); }

int number(Exchange& exchange) { return std::stoi(std::string(only_param(exchange))); }

struct Odd {};

}  // namespace

SimSite::SimSite() {
  using std::chrono::milliseconds;
  routes_.reserve(kMostRoutes);
  site.log = [this](const std::string& line) { complaints.push_back(line); };
  site.limits.request_timeout = milliseconds(5'000);
  site.limits.idle_timeout = milliseconds(8'000);
  site.limits.write_timeout = milliseconds(5'000);
  site.limits.early_response_linger = milliseconds(3'000);
  site.limits.drain_grace = milliseconds(60'000);

  add(Method::get, "/hello", [](SimSite&, Exchange& x) { answer(x, "hello"); });
  add(Method::get, "/sleep/:ms", [](SimSite&, Exchange& x) {
    weft::sleep(milliseconds(number(x)));
    answer(x, only_param(x));
  });
  add(Method::get, "/yield/:times", [](SimSite&, Exchange& x) {
    for (int i = number(x); i > 0; --i) weft::yield();
    answer(x, only_param(x));
  });
  add(Method::get, "/big/:bytes",
      [](SimSite&, Exchange& x) { answer(x, big_body(static_cast<std::size_t>(number(x)))); });
  add(Method::post, "/echo", [](SimSite&, Exchange& x) { answer(x, x.read_body()); });
  add(Method::post, "/park-echo", [](SimSite&, Exchange& x) {
    const std::string_view body = x.read_body();
    weft::sleep(milliseconds(3));
    answer(x, body);
  });
  add(Method::post, "/length",
      [](SimSite&, Exchange& x) { answer(x, std::to_string(x.read_body().size())); });
  add(Method::post, "/unread", [](SimSite&, Exchange& x) { answer(x, "not read"); });
  add(Method::get, "/throw",
      [](SimSite&, Exchange&) { throw std::runtime_error("as it was asked to"); });
  add(Method::get, "/throw-oddly", [](SimSite&, Exchange&) { throw Odd(); });
  add(Method::get, "/park-throw", [](SimSite&, Exchange& x) {
    answer(x, "never seen");
    weft::sleep(milliseconds(2));
    throw std::runtime_error("after a park");
  });
}

void SimSite::add(Method method, std::string_view pattern, Handle handle) {
  const auto id = static_cast<RouteId>(routes_.size());
  if (routes_.size() == kMostRoutes || site.router.add(method, pattern, id)) {
    throw std::logic_error("a route of the simulated site is refused");
  }
  routes_.push_back({this, handle});
  site.endpoints.push_back(Endpoint{[](void* self, Exchange& exchange) {
                                      const auto& route = *static_cast<Route*>(self);
                                      route.handle(*route.self, exchange);
                                    },
                                    &routes_.back()});
}

}  // namespace weft::http::test
