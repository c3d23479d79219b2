// MetricsHandler: what metrics() gives, so that an App can tell it from other handlers.
#pragma once

#include <string_view>

#include "app/metrics/exposition.hpp"
#include "weft/metrics.hpp"

namespace weft::app {

struct MetricsHandler {
  void operator()(Context& context) const;

  MetricsOptions options;
};

// Whether the handler shows the figures of the server, so that these have to be counted.
bool wants_counts(Handler& handler) noexcept;

// What an Accept field prefers.
TextFormat preferred_format(std::string_view accept);

}  // namespace weft::app
