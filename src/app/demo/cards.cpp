#include "app/demo/cards.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include <weft/bind.hpp>
#include <weft/middleware/body_limit.hpp>
#include <weft/middleware/csrf.hpp>
#include <weft/middleware/limiter.hpp>
#include <weft/middleware/sessions.hpp>
#include <weft/multipart.hpp>
#include <weft/secrets.hpp>
#include <weft/typed.hpp>

#include "app/demo/page.hpp"

namespace weft::demo {
namespace {

// What a person types into a page, many times over.
constexpr std::size_t kMostTextBytes = 64 * 1024;
// A form with its file. It is kept in memory, and gone with its request.
constexpr std::size_t kMostUploadBytes = 1024 * 1024;
// At a time, so that they take 32 MiB at most.
constexpr std::size_t kMostUploads = 32;
// Clients that are told apart by the limiter, at 40 bytes each.
constexpr std::size_t kMostLimited = 4'096;

enum class Weave : std::uint8_t { plain, twill, satin };

struct Order {
  std::string name;
  Weave weave = Weave::plain;
  int metres = 0;
  std::optional<std::string> mail;
};

struct Receipt {
  std::string name;
  Weave weave = Weave::plain;
  int metres = 0;
  int cents = 0;
};

struct Visits {
  std::int64_t visits = 0;
};

}  // namespace
}  // namespace weft::demo

template <>
struct weft::Names<weft::demo::Weave> {
  using Weave = weft::demo::Weave;
  static constexpr auto names = weft::names<Weave>(
      {{"plain", Weave::plain}, {"twill", Weave::twill}, {"satin", Weave::satin}});
};
template <>
struct weft::Schema<weft::demo::Order> {
  using Order = weft::demo::Order;
  static constexpr auto fields = weft::fields(
      weft::field("name", &Order::name, weft::length(1, 40)), weft::field("weave", &Order::weave),
      weft::field("metres", &Order::metres, weft::range(1, 50)),
      weft::field("mail", &Order::mail, weft::length(1, 100), weft::email()));
};
template <>
struct weft::Schema<weft::demo::Receipt> {
  using Receipt = weft::demo::Receipt;
  static constexpr auto fields =
      weft::fields(weft::field("name", &Receipt::name), weft::field("weave", &Receipt::weave),
                   weft::field("metres", &Receipt::metres), weft::field("cents", &Receipt::cents));
};
template <>
struct weft::Schema<weft::demo::Visits> {
  static constexpr auto fields = weft::fields(weft::field("visits", &weft::demo::Visits::visits));
};

namespace weft::demo {
namespace {

Receipt receipt_for(const Order& order) {
  int cents_a_metre = 300;
  if (order.weave == Weave::twill) cents_a_metre = 400;
  if (order.weave == Weave::satin) cents_a_metre = 550;
  return {order.name, order.weave, order.metres, order.metres * cents_a_metre};
}

void echo(Context& c) {
  // Always plain text, so that what a stranger sends is never run as a page.
  c.text(c.body());
}

void count_visit(Context& c) {
  Session session = weft::session(c);
  const std::int64_t visits = session.get<std::int64_t>("visits").value_or(0) + 1;
  session.set("visits", visits);
  c.json(Visits{visits});
}

void forget_visits(Context& c) {
  weft::session(c).destroy();
  c.json(Visits{});
}

void measure(Context& c) {
  c.read_form({.parts = 4,
               .field_bytes = 1024,
               .fields_bytes = 4 * 1024,
               .memory_bytes = kMostUploadBytes,
               .file_bytes = kMostUploadBytes});
  const Upload* const file = c.upload("file");
  if (file == nullptr) {
    c.status(400).json({{"error", "send a form with a file in its field \"file\""}});
    return;
  }
  c.json({{"name", file->file_name()}, {"size", file->size()}, {"type", file->content_type()}});
}

void show_text(Context& c) {
  c.set_header("Cache-Control", "no-cache");
  c.text(page_script());
}

// The key is made at each start, and no other process has it: cookies of an earlier one count as
// none. Without TLS, as here, browsers keep no Secure cookie and none called __Host-.
Middleware visit_sessions() {
  return sessions(
      {.keys = {random_token()},
       .cookie_name = "weft-demo-visits",
       .cookie = {
           .path = "/visits", .secure = false, .http_only = true, .same_site = SameSite::strict}});
}

void add_requests(App& app, Metrics& figures) {
  app.get("/users/{id}",
          describe_route({.summary = "A parameter of the path", .tags = {"Requests"}}),
          [](Context& c) { c.json({{"id", c.param("id")}}); });
  app.post("/echo",
           describe_route({.summary = "The body, sent back", .tags = {"Requests"}})
               .answers(200, "The body", "text/plain"),
           body_limit(kMostTextBytes), echo);
  auto& orders = figures.counter("demo_orders_total", "Orders with nothing wrong in them.");
  app.post("/orders",
           describe_route({.summary = "An order, checked field by field", .tags = {"Requests"}}),
           body_limit(kMostTextBytes), typed([&orders](const Order& order) -> Created<Receipt> {
             orders.add();
             return {receipt_for(order)};
           }));
  app.post("/upload",
           describe_route({.summary = "The size of a file of a form", .tags = {"Requests"}}),
           body_limit(kMostUploadBytes), max_in_flight({.requests = kMostUploads}), measure);
}

void add_middleware(App& app) {
  app.group("/visits", visit_sessions(), csrf())
      .describe({.tags = {"Middleware"}})
      .post("", describe_route({.summary = "Count one more"}).answers<Visits>(), count_visit)
      .del("", describe_route({.summary = "Begin anew"}).answers<Visits>(), forget_visits);
  app.get("/limited",
          describe_route({.summary = "Five requests in ten seconds", .tags = {"Middleware"}})
              .answers(200, "One of the five", "text/plain")
              .answers(429, "One too many", "text/plain"),
          limiter({.requests = 5, .window = std::chrono::seconds(10), .keys = kMostLimited}),
          [](Context& c) { c.text("in time\n"); });
  app.get("/text",
          describe_route({.summary = "A text that packs well", .tags = {"Middleware"}})
              .answers(200, "The script of the demonstration's page", "text/plain"),
          show_text);
}

}  // namespace

void add_cards(App& app, Metrics& figures) {
  add_requests(app, figures);
  add_middleware(app);
}

}  // namespace weft::demo
