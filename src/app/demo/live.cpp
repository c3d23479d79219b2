#include "app/demo/live.hpp"

#include <weft/events.hpp>
#include <weft/green.hpp>
#include <weft/json.hpp>
#include <weft/version.hpp>

namespace weft::demo {
namespace {

// Counted for as long as it is there, however its handler ends.
class Counted {
 public:
  explicit Counted(Metrics::Gauge& gauge) : gauge_(gauge) { gauge_.add(1); }
  ~Counted() { gauge_.add(-1); }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;

 private:
  Metrics::Gauge& gauge_;
};

}  // namespace

Live::Live(const App& app, const Parking& parking, Metrics& figures)
    : app_(app),
      parking_(parking),
      streams_(figures.gauge("demo_event_streams", "Streams of live figures that are open.")) {}

void Live::show(Context& c) const {
  c.set_header("Cache-Control", "no-store");
  c.bytes(figures(), "application/json");
}

void Live::push(Context& c) {
  const Counted counted(streams_);
  Events events = c.events();
  for (unsigned pushed = 0; pushed < kMostPushes; ++pushed) {
    events.send({.event = "figures", .data = figures(), .id = {}, .retry = kPause});
    weft::sleep(kPause);
  }
}

std::string Live::figures() const {
  const ServerStats stats = app_.stats();
  std::string text;
  write_json(
      {
          {"version", version()},
          {"commit", commit()},
          {"uptime_seconds", std::chrono::duration<double>(stats.uptime).count()},
          {"workers", stats.workers},
          {"asleep", parking_.asleep()},
          {"streams", streams_.value()},
          {"backend", {{"name", stats.backend}, {"reason", stats.backend_reason}}},
          {"requests", stats.requests},
          {"handler_errors", stats.handler_errors},
          {"connections",
           {{"open", stats.connections_open}, {"accepted", stats.connections_accepted}}},
          {"answers",
           {{"2xx", stats.answers_2xx},
            {"3xx", stats.answers_3xx},
            {"4xx", stats.answers_4xx},
            {"5xx", stats.answers_5xx}}},
      },
      text);
  return text;
}

}  // namespace weft::demo
