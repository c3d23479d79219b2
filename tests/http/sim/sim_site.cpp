#include "sim_site.hpp"

#include <chrono>
#include <stdexcept>
#include <utility>

#include "ask.hpp"
#include "gvt/sanitizer.hpp"
#include "weft/context.hpp"
#include "weft/coro.hpp"
#include "weft/green.hpp"
#include "weft/respond.hpp"

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

// Beside a request, so that it may be left on its stack when the simulation ends.
template <class Function>
void spawn_beside(Function function) {
  weft::spawn([function = std::move(function)]() mutable {
    gvt::sanitizer::leave_for_good(&function);
    function();
  }).detach();
}

}  // namespace

SimSite::SimSite(Model model) {
  using std::chrono::milliseconds;
  routes_.reserve(kMostRoutes);
  site.log = [this](const std::string& line) { complaints.push_back(line); };
  site.limits.head_timeout = milliseconds(5'000);
  site.limits.body_timeout = milliseconds(5'000);
  site.limits.request_timeout = milliseconds(20'000);
  site.limits.idle_timeout = milliseconds(8'000);
  site.limits.write_timeout = milliseconds(5'000);
  site.limits.early_response_linger = milliseconds(3'000);
  site.limits.drain_grace = milliseconds(60'000);

  add(Method::get, "/hello", [](SimSite&, Exchange& x) { answer(x, "hello"); });
  add(Method::get, "/big/:bytes",
      [](SimSite&, Exchange& x) { answer(x, big_body(static_cast<std::size_t>(number(x)))); });
  add(Method::post, "/echo", [](SimSite&, Exchange& x) { answer(x, x.read_body()); });
  add(Method::get, "/stream/:bytes", [](SimSite&, Exchange& x) {
    const std::string body = big_body(static_cast<std::size_t>(number(x)));
    x.response().content_type = "text/plain";
    x.bodies().begin_answer_stream(body.size());
    for (std::size_t at = 0, step = 1; at < body.size(); at += step, step = step * 3 % 50'021) {
      x.bodies().write_part(std::string_view(body).substr(at, step));
      if (step % 5 == 0) weft::yield();
    }
  });
  add(Method::get, "/file/:bytes", [](SimSite& self, Exchange& x) {
    const auto size = static_cast<std::uint64_t>(number(x));
    x.response().content_type = "text/plain";
    x.bodies().begin_answer_stream(size);
    x.bodies().write_file(self.file, 0, size);
  });
  add(Method::get, "/chunks/:count", [](SimSite&, Exchange& x) {
    const auto count = static_cast<std::size_t>(number(x));
    x.response().content_type = "text/plain";
    x.bodies().begin_answer_stream(std::nullopt);
    x.bodies().add_trailer("Last", "yes");
    for (std::size_t i = 0; i < count; ++i) {
      x.bodies().write_part(numbered_part(i));
      x.bodies().flush_parts();
      if (i % 7 == 3) weft::sleep(milliseconds(1));
    }
  });
  add(Method::post, "/parts", [](SimSite&, Exchange& x) {
    std::string body;
    std::size_t step = 1;
    for (auto part = x.bodies().read_part(step); !part.empty(); part = x.bodies().read_part(step)) {
      body += part;
      step = step * 3 % 5'003;
      if (step % 5 == 0) weft::sleep(milliseconds(1));
    }
    answer(x, body);
  });
  add(Method::post, "/length",
      [](SimSite&, Exchange& x) { answer(x, std::to_string(x.read_body().size())); });
  add(Method::post, "/unread", [](SimSite&, Exchange& x) { answer(x, "not read"); });
  add(Method::get, "/throw",
      [](SimSite&, Exchange&) { throw std::runtime_error("as it was asked to"); });
  add(Method::get, "/throw-oddly", [](SimSite&, Exchange&) { throw Odd(); });
  switch (model) {
    case Model::green: add_parking(); break;
    case Model::coroutine: add_coroutines(); break;
    case Model::callback: add_callbacks(); break;
  }
}

void SimSite::add_parking() {
  add(Method::get, "/sleep/:ms", [](SimSite&, Exchange& x) {
    weft::sleep(std::chrono::milliseconds(number(x)));
    answer(x, only_param(x));
  });
  add(Method::get, "/yield/:times", [](SimSite&, Exchange& x) {
    for (int i = number(x); i > 0; --i) weft::yield();
    answer(x, only_param(x));
  });
  add(Method::post, "/park-echo", [](SimSite&, Exchange& x) {
    const std::string_view body = x.read_body();
    weft::sleep(std::chrono::milliseconds(3));
    answer(x, body);
  });
  add(Method::get, "/park-throw", [](SimSite&, Exchange& x) {
    answer(x, "never seen");
    weft::sleep(std::chrono::milliseconds(2));
    throw std::runtime_error("after a park");
  });
}

void SimSite::add_coroutines() {
  add(Method::get, "/sleep/:ms", Endpoint{[](void*, Exchange& x) -> Task<void> {
        co_await coro::sleep(std::chrono::milliseconds(number(x)));
        answer(x, only_param(x));
      }});
  add(Method::get, "/yield/:times", Endpoint{[](void*, Exchange& x) -> Task<void> {
        for (int i = number(x); i > 0; --i) co_await coro::yield();
        answer(x, only_param(x));
      }});
  add(Method::post, "/park-echo", Endpoint{[](void*, Exchange& x) -> Task<void> {
        const std::string_view body = x.read_body();
        co_await coro::sleep(std::chrono::milliseconds(3));
        answer(x, body);
      }});
  add(Method::get, "/park-throw", Endpoint{[](void*, Exchange& x) -> Task<void> {
        answer(x, "never seen");
        co_await coro::sleep(std::chrono::milliseconds(2));
        throw std::runtime_error("after a park");
      }});
}

void SimSite::add_callbacks() {
  // A green thread beside the request answers it.
  add(Method::get, "/sleep/:ms", Endpoint{[](void*, Exchange& x, Respond respond) {
        answer(x, only_param(x));
        spawn_beside([ms = number(x), respond = std::move(respond)]() mutable {
          weft::sleep(std::chrono::milliseconds(ms));
          respond();
        });
      }});
  add(Method::get, "/yield/:times", Endpoint{[](void*, Exchange& x, Respond respond) {
        answer(x, only_param(x));
        spawn_beside([times = number(x), respond = std::move(respond)]() mutable {
          for (int i = times; i > 0; --i) weft::yield();
          respond();
        });
      }});
  add(Method::post, "/park-echo", Endpoint{[](void*, Exchange& x, Respond respond) {
        answer(x, x.read_body());
        spawn_beside([respond = std::move(respond)]() mutable {
          weft::sleep(std::chrono::milliseconds(3));
          respond();
        });
      }});
  add(Method::get, "/park-throw", Endpoint{[](void*, Exchange& x, Respond respond) {
        x.show_as<Context>();
        spawn_beside([respond = std::move(respond)]() mutable {
          weft::sleep(std::chrono::milliseconds(2));
          respond([](Context&) { throw std::runtime_error("after a park"); });
        });
      }});
}

void SimSite::add(Method method, std::string_view pattern, Handle handle) {
  if (routes_.size() == kMostRoutes) throw std::logic_error("the simulated site has no room");
  routes_.push_back({this, handle});
  add(method, pattern,
      Endpoint{[](void* self, Exchange& exchange) {
                 const auto& route = *static_cast<Route*>(self);
                 route.handle(*route.self, exchange);
               },
               &routes_.back()});
}

void SimSite::add(Method method, std::string_view pattern, const Endpoint& endpoint) {
  const auto id = static_cast<RouteId>(site.endpoints.size());
  if (site.router.add(method, pattern, id)) {
    throw std::logic_error("a route of the simulated site is refused");
  }
  site.endpoints.push_back(endpoint);
}

}  // namespace weft::http::test
