// Live: what the running server does, asked for and pushed.
//
// Must outlive the App's run; its handlers may be called on several workers at once.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>

#include <weft/app.hpp>
#include <weft/metrics.hpp>

#include "app/demo/parking.hpp"

namespace weft::demo {

// Streams of events at a time; each is a connection and a parked handler. Whoever comes beyond is
// answered 503, and his page asks in place of being told.
constexpr std::size_t kMostStreams = 64;
// Then a stream ends, and a browser that is still there comes again: nobody holds a place for ever.
constexpr unsigned kMostPushes = 600;
constexpr std::chrono::seconds kPause{1};

class Live {
 public:
  Live(const App& app, const Parking& parking, Metrics& figures);
  Live(const Live&) = delete;
  Live& operator=(const Live&) = delete;

  // The figures as JSON.
  void show(Context& c) const;
  // The same as an event, once a second, until the client goes.
  void push(Context& c);

 private:
  std::string figures() const;

  const App& app_;
  const Parking& parking_;
  Metrics::Gauge& streams_;
};

}  // namespace weft::demo
