#include "weft/routes.hpp"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <mutex>
#include <stdexcept>
#include <utility>

#include "app/app_state.hpp"
#include "app/metrics/metrics_handler.hpp"
#include "app/route_entry.hpp"
#include "app/route_places.hpp"
#include "http/route_pattern.hpp"
#include "weft/green.hpp"
#include "weft/route_description.hpp"

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

void require_functions(const std::vector<Middleware>& links, const std::string& where) {
  for (const Middleware& link : links) {
    if (!link) throw std::invalid_argument("an empty function as middleware of " + where);
  }
}

}  // namespace

void App::add(std::optional<std::string_view> method, std::string_view pattern,
              detail::RouteParts parts) {
  const auto& links = routes_->application.links;
  parts.links.insert(parts.links.begin(), links.begin(), links.end());
  add_whole(method, std::string(pattern), std::move(parts));
}

void App::add_whole(std::optional<std::string_view> method, std::string pattern,
                    detail::RouteParts parts) {
  const auto known = method ? known_method(*method, pattern) : std::nullopt;
  if (!parts.handler) throw std::invalid_argument("no handler for route " + pattern);
  require_functions(parts.links, "route " + pattern);
  if (parts.description) parts.description->require_fit(method.value_or(""), pattern);
  std::unique_lock lock(routes_->mutex);
  if (routes_->document && parts.description) {
    app::require_known_schemes(routes_->document->options(), *parts.description, pattern);
  }
  const auto running = this->running();
  const auto patience = routes_->site.limits.route_patience;
  if (running) wait_for_room(running->server, patience, pattern);

  Provisional kept(routes_->entries);
  app::RouteEntry& entry = *kept;
  entry.number = routes_->entries.size() - 1;
  entry.method = method.value_or(std::string_view());
  entry.pattern = pattern;
  entry.links = std::move(parts.links);
  entry.handler = std::move(parts.handler);
  entry.description = std::move(parts.description);
  entry.placement = std::move(parts.placement);
  app::require_plain_call(entry);
  // A server that runs has made up its mind about routes that say nothing; later ones follow it.
  const auto places = running ? running->places : nullptr;
  const auto mode = places    ? places->mode()
                    : running ? app::RouteMode::in_place
                              : app::RouteMode::marked;
  if (places) places->require_place(entry);
  if (!entry.links.empty() && app::may_leave_loop(entry, mode)) {
    entry.last = &app::run_behind_links;
  }
  Provisional added(routes_->live);
  http::NewRoute& route = *added;
  route.method = known;
  route.pattern = std::move(pattern);
  route.endpoint = app::endpoint_of(entry, mode);
  if (const auto refused = http::add_route(route, routes_->site.router, routes_->site.endpoints)) {
    throw std::invalid_argument(refused->text);
  }
  kept.stay();
  if (app::wants_counts(entry.handler)) routes_->application.counts_requests = true;
  if (!running) return;
  added.stay();
  running->server.add_route(route);

  const bool held_up = routes_->late != nullptr && !routes_->late->untaken.wait_for({});
  lock.unlock();
  if (held_up || route.untaken.wait_for(patience)) return;
  lock.lock();
  routes_->late = &route;
}

void App::require_not_started(const char* what) const {
  if (!in_use()) return;
  throw std::logic_error(std::string(what) + " is for before the server starts");
}

void App::extend(std::vector<Middleware> links) {
  require_not_started("App::use()");
  require_functions(links, "App::use()");
  auto& all = routes_->application.links;
  std::move(links.begin(), links.end(), std::back_inserter(all));
}

void App::extend_below(const std::string& prefix, std::vector<Middleware> links) {
  // What is running has made up its mind about requests that no route fits.
  if (in_use()) return;
  for (auto& known : routes_->application.prefixes) {
    if (known.pattern == prefix) {
      known.links = std::move(links);
      return;
    }
  }
  routes_->application.prefixes.push_back({prefix, std::move(links), {}});
}

void App::keep_state(const std::type_info& type, std::shared_ptr<void> shared) {
  require_not_started("App::state()");
  if (shared == nullptr) throw std::invalid_argument("App::state() was given nothing");
  routes_->application.states[std::type_index(type)] = std::move(shared);
}

App& App::rewrite(const std::vector<RewriteRule>& rules) {
  require_not_started("App::rewrite()");
  std::vector<app::PathRule> parsed;
  for (const RewriteRule& rule : rules) {
    parsed.push_back(app::parse_path_rule(rule.from, rule.to, app::LeadsTo::path));
  }
  std::move(parsed.begin(), parsed.end(), std::back_inserter(routes_->application.rewrites));
  return *this;
}

App& App::error_format(ErrorFormat format) {
  require_not_started("App::error_format()");
  routes_->application.error_format = format;
  return *this;
}

App& App::executor(const std::string& name, const ExecutorOptions& options) {
  require_not_started("App::executor()");
  if (name.empty() || name == exec::Workshop::kDefaultExecutor) {
    throw std::invalid_argument("an executor cannot be called \"" + name + "\"; take another name");
  }
  if (!routes_->application.executors.emplace(name, options).second) {
    throw std::invalid_argument("there is an executor \"" + name + "\" already");
  }
  return *this;
}

App& App::not_found(Handler handler) {
  require_not_started("App::not_found()");
  routes_->application.not_found = std::move(handler);
  return *this;
}

App& App::method_not_allowed(Handler handler) {
  require_not_started("App::method_not_allowed()");
  routes_->application.method_not_allowed = std::move(handler);
  return *this;
}

App& App::on_error(std::function<void(Context&, const std::exception&)> handler) {
  require_not_started("App::on_error()");
  routes_->application.on_error = std::move(handler);
  return *this;
}

App& App::on_hang(std::function<void(const std::string& report)> handler) {
  require_not_started("App::on_hang()");
  routes_->application.on_hang = std::move(handler);
  return *this;
}

RouteGroup App::below(std::string_view prefix, std::vector<Middleware> links) {
  return RouteGroup(*this, {}, routes_->application.links).below(prefix, std::move(links));
}

RouteGroup::RouteGroup(App& app, std::string prefix, std::vector<Middleware> links)
    : app_(&app), prefix_(std::move(prefix)), links_(std::move(links)) {}

void RouteGroup::add(std::optional<std::string_view> method, std::string_view pattern,
                     detail::RouteParts parts) {
  parts.links.insert(parts.links.begin(), links_.begin(), links_.end());
  if (described_) {
    auto description = std::make_shared<RouteDescription>(*described_);
    if (parts.description) description->merge_route(*parts.description);
    parts.description = std::move(description);
  }
  if (parts.placement == nullptr) parts.placement = placement_;
  app_->add_whole(method, whole(pattern), std::move(parts));
}

RouteGroup& RouteGroup::describe(const RouteNotes& notes) {
  return describe(RouteDescription(notes));
}

RouteGroup& RouteGroup::describe(const RouteDescription& description) {
  description.require_shared("group \"" + prefix_ + "\"");
  auto all = described_ ? std::make_shared<RouteDescription>(*described_)
                        : std::make_shared<RouteDescription>();
  all->merge_route(description);
  described_ = std::move(all);
  return *this;
}

RouteGroup& RouteGroup::worker(const WorkerOptions& options) {
  detail::RouteParts parts;
  weft::worker(options).add_to(parts);
  placement_ = std::move(parts.placement);
  return *this;
}

void RouteGroup::extend(std::vector<Middleware> links) {
  require_functions(links, "group \"" + prefix_ + "\"");
  std::move(links.begin(), links.end(), std::back_inserter(links_));
  app_->extend_below(prefix_, links_);
}

std::string RouteGroup::whole(std::string_view pattern) const {
  if (!pattern.empty() && !pattern.starts_with('/')) {
    throw std::invalid_argument("route " + std::string(pattern) + " in group \"" + prefix_ +
                                "\": a pattern begins with '/'");
  }
  return prefix_ + std::string(pattern);
}

RouteGroup RouteGroup::below(std::string_view prefix, std::vector<Middleware> links) const {
  std::string longer = whole(prefix);
  if (longer.ends_with('/')) longer.pop_back();
  if (!longer.empty()) {
    const auto parsed = http::parse_route_pattern(longer);
    if (const auto* reason = std::get_if<std::string>(&parsed)) {
      throw std::invalid_argument("group, " + *reason);
    }
    const auto& last = std::get<http::RoutePattern>(parsed).pieces.back();
    if (last.kind == http::PatternPiece::Kind::wildcard) {
      throw std::invalid_argument("group " + longer + ": \"" + last.text +
                                  "\" takes the rest of the path, so nothing can follow it");
    }
  }
  RouteGroup group(*app_, std::move(longer), links_);
  group.described_ = described_;
  group.placement_ = placement_;
  if (!links.empty()) group.extend(std::move(links));
  return group;
}

}  // namespace weft
