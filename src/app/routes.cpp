#include "weft/routes.hpp"

#include <chrono>
#include <mutex>
#include <stdexcept>
#include <utility>

#include "app/app_state.hpp"
#include "app/handler_endpoint.hpp"
#include "http/route_pattern.hpp"
#include "weft/green.hpp"

namespace weft {

namespace {

std::optional<http::Method> known_method(std::string_view method, const std::string& pattern) {
  const http::Method known = http::method_from(method);
  if (known != http::Method::unknown) return known;
  throw std::invalid_argument("unknown method " + std::string(method) + " for route " + pattern);
}

// The last of a container, taken out again unless it is to stay.
template <class Container>
class Provisional {
 public:
  explicit Provisional(Container& container) : container_(&container) { container.emplace_back(); }
  ~Provisional() {
    if (container_ != nullptr) container_->pop_back();
  }
  Provisional(const Provisional&) = delete;
  Provisional& operator=(const Provisional&) = delete;

  auto& operator*() const { return container_->back(); }
  void stay() { container_ = nullptr; }

 private:
  Container* container_;
};

// Workers that a handler holds up do not empty their queues.
void wait_for_room(http::Server& server, std::chrono::milliseconds patience,
                   const std::string& pattern) {
  constexpr std::chrono::milliseconds kStep{1};
  for (auto waited = kStep; !server.has_room_for_route(); waited += kStep) {
    if (waited > patience) {
      throw std::runtime_error(
          "route " + pattern + ": in " + std::to_string(patience.count()) +
          " ms a worker has not got to the " + std::to_string(http::RouteFeed::kCapacity) +
          " routes before it; a handler holds that worker up: let it wait with weft::sleep() or "
          "weft::blocking(), or add the routes before the server starts");
    }
    weft::sleep(kStep);
  }
}

}  // namespace

void App::add(std::optional<std::string_view> method, std::string pattern, Handler handler) {
  const auto known = method ? known_method(*method, pattern) : std::nullopt;
  if (!handler) throw std::invalid_argument("no handler for route " + pattern);
  std::unique_lock lock(routes_->mutex);
  const auto running = this->running();
  const auto patience = routes_->site.limits.route_patience;
  if (running) wait_for_room(running->server, patience, pattern);

  Provisional kept(routes_->handlers);
  *kept = std::move(handler);
  Provisional added(routes_->live);
  http::NewRoute& route = *added;
  route.method = known;
  route.pattern = std::move(pattern);
  route.endpoint = app::endpoint_of(*kept);
  if (const auto refused = http::add_route(route, routes_->site.router, routes_->site.endpoints)) {
    throw std::invalid_argument(refused->text);
  }
  kept.stay();
  if (!running) return;
  added.stay();
  running->server.add_route(route);

  const bool held_up = routes_->late != nullptr && !routes_->late->untaken.wait_for({});
  lock.unlock();
  if (held_up || route.untaken.wait_for(patience)) return;
  lock.lock();
  routes_->late = &route;
}

App& App::route(std::string_view method, std::string_view pattern, Handler handler) {
  add(method, std::string(pattern), std::move(handler));
  return *this;
}

App& App::any(std::string_view pattern, Handler handler) {
  add(std::nullopt, std::string(pattern), std::move(handler));
  return *this;
}

RouteGroup App::group(std::string_view prefix) { return RouteGroup(*this, {}).group(prefix); }

std::string RouteGroup::whole(std::string_view pattern) const {
  if (!pattern.empty() && !pattern.starts_with('/')) {
    throw std::invalid_argument("route " + std::string(pattern) + " in group \"" + prefix_ +
                                "\": a pattern begins with '/'");
  }
  return prefix_ + std::string(pattern);
}

RouteGroup& RouteGroup::route(std::string_view method, std::string_view pattern, Handler handler) {
  app_->add(method, whole(pattern), std::move(handler));
  return *this;
}

RouteGroup& RouteGroup::any(std::string_view pattern, Handler handler) {
  app_->add(std::nullopt, whole(pattern), std::move(handler));
  return *this;
}

RouteGroup RouteGroup::group(std::string_view prefix) const {
  std::string longer = whole(prefix);
  if (longer.ends_with('/')) longer.pop_back();
  if (longer.empty()) return {*app_, {}};
  const auto parsed = http::parse_route_pattern(longer);
  if (const auto* reason = std::get_if<std::string>(&parsed)) {
    throw std::invalid_argument("group, " + *reason);
  }
  const auto& last = std::get<http::RoutePattern>(parsed).pieces.back();
  if (last.kind == http::PatternPiece::Kind::wildcard) {
    throw std::invalid_argument("group " + longer + ": \"" + last.text +
                                "\" takes the rest of the path, so nothing can follow it");
  }
  return {*app_, std::move(longer)};
}

}  // namespace weft
