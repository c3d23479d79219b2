// Demo: a small application on the public interface, which `weft demo` serves.
//
// Adds its routes to the application when it is made, before that runs, and must outlive the run.
// Its handlers may be called on several workers at once. Nothing that a client sends is kept.
#pragma once

#include <memory>

#include <weft/app.hpp>
#include <weft/metrics.hpp>

#include "app/demo/live.hpp"
#include "app/demo/parking.hpp"

namespace weft::demo {

// Where the figures of the server are.
inline constexpr const char* kMetricsPath = "/metrics";

class Demo {
 public:
  explicit Demo(App& app);
  Demo(const Demo&) = delete;
  Demo& operator=(const Demo&) = delete;

 private:
  void add_live_routes(App& app);
  void add_parking_routes(App& app);

  std::shared_ptr<Metrics> figures_ = std::make_shared<Metrics>();
  Parking parking_;
  Live live_;
};

}  // namespace weft::demo
