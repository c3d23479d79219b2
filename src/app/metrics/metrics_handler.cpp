#include "app/metrics/metrics_handler.hpp"

#include <algorithm>
#include <charconv>
#include <string>
#include <utility>

#include "app/application.hpp"
#include "app/metrics/observation.hpp"
#include "app/metrics/process_figures.hpp"
#include "http/exchange.hpp"
#include "http/header_text.hpp"
#include "http/response_fields.hpp"
#include "http/site.hpp"
#include "weft/context.hpp"

namespace weft {

namespace app {

namespace {

constexpr std::string_view kPrometheusType = "text/plain; version=0.0.4; charset=utf-8";
constexpr std::string_view kOpenMetricsType =
    "application/openmetrics-text; version=1.0.0; charset=utf-8";

// Of one element of an Accept field; 1 where it says nothing.
double weight_of(std::string_view element) {
  std::size_t at = element.find(';');
  while (at != element.npos) {
    element.remove_prefix(at + 1);
    const std::string_view parameter = http::trim_blanks(element.substr(0, element.find(';')));
    if (parameter.starts_with("q=") || parameter.starts_with("Q=")) {
      double weight = 0;
      const std::string_view digits = parameter.substr(2);
      std::from_chars(digits.data(), digits.data() + digits.size(), weight,
                      std::chars_format::fixed);
      return weight;
    }
    at = element.find(';');
  }
  return 1;
}

}  // namespace

// Whoever names it gets it, unless something else is named that fits and is wanted more.
TextFormat preferred_format(std::string_view accept) {
  double openmetrics = 0;
  double plain = 0;
  while (!accept.empty()) {
    const std::string_view element = http::take_element(accept);
    const std::string_view type = http::trim_blanks(element.substr(0, element.find(';')));
    if (http::equals_ignoring_case(type, "application/openmetrics-text")) {
      openmetrics = std::max(openmetrics, weight_of(element));
    } else if (http::equals_ignoring_case(type, "text/plain")) {
      plain = std::max(plain, weight_of(element));
    }
  }
  return openmetrics > 0 && openmetrics >= plain ? TextFormat::openmetrics : TextFormat::prometheus;
}

void MetricsHandler::operator()(Context& context) const {
  const TextFormat format = preferred_format(context.header("accept"));
  Exposition exposition(format);
  const http::Site& site = context.exchange().site();
  if (options.server) {
    if (const auto* const watched = static_cast<const Observation*>(site.observation)) {
      watched->write_to(exposition);
    }
    write_process(exposition);
  }
  const Metrics* registry = options.registry.get();
  if (registry == nullptr) {
    const auto* const application = static_cast<const Application*>(site.application);
    if (application != nullptr) {
      registry = static_cast<const Metrics*>(application->find_state(typeid(Metrics)));
    }
  }
  if (registry != nullptr) registry->write_to(exposition);
  const bool open = format == TextFormat::openmetrics;
  context.set_header("content-type", open ? kOpenMetricsType : kPrometheusType);
  http::add_vary(context.exchange().response(), "Accept", "accept");
  context.text(std::move(exposition).finish());
}

bool wants_counts(Handler& handler) noexcept {
  const auto* const call = handler.get_if<Handler::Call>();
  if (call == nullptr) return false;
  const auto* const shown = call->target<MetricsHandler>();
  return shown != nullptr && shown->options.server;
}

}  // namespace app

Handler metrics(const MetricsOptions& options) { return app::MetricsHandler{options}; }

}  // namespace weft
