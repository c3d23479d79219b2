#include "app/demo/demo.hpp"

#include <string>

#include <weft/middleware/compress.hpp>
#include <weft/middleware/etag.hpp>
#include <weft/middleware/health.hpp>
#include <weft/middleware/limiter.hpp>
#include <weft/middleware/recover.hpp>
#include <weft/middleware/request_id.hpp>
#include <weft/middleware/secure_headers.hpp>
#include <weft/route_description.hpp>
#include <weft/version.hpp>

#include "app/demo/cards.hpp"
#include "app/demo/page.hpp"

namespace weft::demo {
namespace {

// What is no page runs nothing. An opener policy is for TLS alone: without it browsers complain.
SecureHeadersOptions strict_headers() {
  return {.content_security_policy = "default-src 'none'; frame-ancestors 'none'",
          .frame_options = "DENY",
          .cross_origin_opener_policy = ""};
}

OpenApiOptions document() {
  return {.title = "weft demo",
          .version = std::string(version()),
          .description = "What the demonstration answers. Nothing that is sent to it is kept.",
          .tags = {{"Live", "What this server does"},
                   {"Green threads", "Handlers that wait"},
                   {"Requests", "What comes with them"},
                   {"Middleware", "What stands around handlers"}}};
}

}  // namespace

Demo::Demo(App& app) : live_(app, parking_, *figures_) {
  app.use(health(), request_id(), secure_headers(strict_headers()),
          recover({.shape = ErrorFormat::json}));
  // In front of what packs and tags answers: these are small, and never the same again.
  add_live_routes(app);
  app.use(etag(), compress());
  app.openapi(document());
  app.get("/", describe_route({.hidden = true}), show_page);
  app.get(kMetricsPath, describe_route({.hidden = true}), metrics({.registry = figures_}));
  add_parking_routes(app);
  add_cards(app, *figures_);
}

void Demo::add_live_routes(App& app) {
  app.get("/api/stats",
          describe_route({.summary = "The figures", .tags = {"Live"}})
              .answers(200, "The figures", "application/json"),
          [this](Context& c) { live_.show(c); });
  app.get("/api/events",
          describe_route({.summary = "The figures, pushed once a second", .tags = {"Live"}})
              .answers(200, "Events named \"figures\"", "text/event-stream")
              .answers(503, "Too many streams are open", "text/plain"),
          max_in_flight({.requests = kMostStreams}), [this](Context& c) { live_.push(c); });
}

void Demo::add_parking_routes(App& app) {
  app.get("/sleep/{ms}",
          describe_route({.summary = "Sleep, and say for how long", .tags = {"Green threads"}}),
          [this](Context& c) { parking_.nap(c); });
  app.post("/park/{count}/{ms}",
           describe_route({.summary = "Have many sleep at once", .tags = {"Green threads"}}),
           [this](Context& c) { parking_.park_many(c); });
}

}  // namespace weft::demo
