// Declarations and Generation: what the files of a script said when they were read last.
#include <algorithm>
#include <stdexcept>
#include <utility>

#include "app/app_state.hpp"
#include "app/lua/pool_answer.hpp"
#include "app/lua/script.hpp"
#include "http/site.hpp"
#include "http/unrouted.hpp"

namespace weft::app::lua {

namespace {

struct FunctionLink {
  std::size_t function;
  void operator()(Context& context, Next& next) const {
    auto& request = static_cast<Request&>(context);
    request.state.call(function, request, &next);
  }
};

struct FunctionHandler {
  std::size_t function;
  void operator()(Context& context) const {
    auto& request = static_cast<Request&>(context);
    request.state.call(function, request);
  }
};

std::string text_of(const std::vector<Link>& links) {
  std::string text;
  for (const Link& link : links) {
    const auto* const function = std::get_if<std::size_t>(&link);
    text += function != nullptr ? " function " + std::to_string(*function) : " middleware";
  }
  return text;
}

// Behind the middleware of a prefix, for a request that no route fits.
void answer_nothing(RouteEntry& /*entry*/, Context& context) {
  constexpr int kNotFound = 404;
  constexpr int kMethodNotAllowed = 405;
  auto& request = static_cast<Request&>(context);
  http::Exchange& exchange = context.exchange();
  if (exchange.unrouted() != nullptr) {
    http::answer_unrouted(exchange, *exchange.unrouted());
  } else {
    // A route that the script had before it was read anew.
    context.status(kNotFound);
    context.text("Not Found\n");
  }
  const Declarations& declared = request.state.generation.declared();
  const int status = exchange.response().status;
  const auto& words = status == kNotFound           ? declared.not_found
                      : status == kMethodNotAllowed ? declared.method_not_allowed
                                                    : std::nullopt;
  if (words) return request.state.call(*words, request);
  const auto& application = *static_cast<const Application*>(exchange.site().application);
  if (Handler* const own = application.words_of(status)) call_and_wait(*own, context);
}

}  // namespace

std::vector<std::string> Declarations::lines() const {
  std::vector<std::string> all;
  for (const Declaration& route : routes) {
    const auto* const function = std::get_if<std::size_t>(&route.handler);
    all.push_back(
        route.key() + text_of(route.links) +
        (function != nullptr ? " handler " + std::to_string(*function) : " native handler") +
        (route.worker ? " on the pool" : ""));
  }
  for (const PrefixDeclaration& prefix : prefixes) {
    all.push_back("below " + prefix.prefix + text_of(prefix.links));
  }
  const auto add_words = [&all](const char* of, const std::optional<std::size_t>& words) {
    if (words) all.push_back(of + std::to_string(*words));
  };
  add_words("not_found ", not_found);
  add_words("method_not_allowed ", method_not_allowed);
  add_words("on_error ", on_error);
  return all;
}

Generation::Generation(Script& script, std::uint64_t number,
                       std::shared_ptr<exec::lua::Sources> sources)
    : script_(script), number_(number), sources_(std::move(sources)) {
  auto first = std::make_unique<State>(script, *this);
  declared_ = first->declared;
  loaded_functions_ = first->functions.size();
  next_function_ = loaded_functions_;
  spare_ = first.get();
  states_.push_back(std::move(first));
}

State& Generation::make_state() {
  {
    const std::lock_guard lock(mutex_);
    if (spare_ != nullptr) return *std::exchange(spare_, nullptr);
  }
  auto state = std::make_unique<State>(script_, *this);
  require_same(state->declared);
  if (state->functions.size() != loaded_functions_) {
    throw std::runtime_error(script_.path() +
                             " adds other functions in the state of the next worker; "
                             "what it adds must not depend on time or chance");
  }
  state->declared = {};
  State& made = *state;
  const std::lock_guard lock(mutex_);
  states_.push_back(std::move(state));
  return made;
}

// What a script declares must not depend on when or where it runs.
void Generation::require_same(const Declarations& made) const {
  const std::vector<std::string> before = declared_.lines();
  const std::vector<std::string> now = made.lines();
  if (before == now) return;
  std::size_t at = 0;
  while (at < before.size() && at < now.size() && before[at] == now[at]) ++at;
  const auto line = [at](const std::vector<std::string>& lines) {
    return at < lines.size() ? "\"" + lines[at] + "\"" : std::string("nothing");
  };
  throw std::runtime_error(script_.path() +
                           " adds other routes in the state of the next worker: number " +
                           std::to_string(at + 1) + " was " + line(before) + " and is " +
                           line(now) + "; what it adds must not depend on time or chance");
}

void Generation::drop(State& state) noexcept {
  std::unique_ptr<State> dropped;
  const std::lock_guard lock(mutex_);
  const auto place = std::ranges::find(states_, &state, &std::unique_ptr<State>::get);
  if (place == states_.end()) return;
  dropped = std::move(*place);
  states_.erase(place);
}

std::vector<Middleware> Generation::middleware_of(const std::vector<Link>& links) {
  std::vector<Middleware> made;
  for (const Link& link : links) {
    if (const auto* const function = std::get_if<std::size_t>(&link)) {
      made.emplace_back(FunctionLink{*function});
    } else {
      made.push_back(std::get<Middleware>(link));
    }
  }
  return made;
}

RouteEntry& Generation::make_entry(const Declaration& route) {
  RouteEntry& entry = entries_.emplace_back();
  entry.method = route.method;
  entry.pattern = route.pattern;
  entry.links = middleware_of(route.links);
  if (const auto* const function = std::get_if<std::size_t>(&route.handler)) {
    entry.handler = Handler(FunctionHandler{*function});
  } else {
    entry.handler = std::get<Handler>(route.handler);
  }
  if (route.worker) entry.last = &answer_on_pool;
  return entry;
}

void Generation::settle(const std::vector<std::string>& slots) {
  by_slot_ = std::vector<std::atomic<RouteEntry*>>(slots.size() + kMostLive);
  for (const Declaration& route : declared_.routes) {
    RouteEntry& entry = make_entry(route);
    const auto slot = std::ranges::find(slots, route.key()) - slots.begin();
    by_slot_[static_cast<std::size_t>(slot)].store(&entry);
    keys_.insert(route.key());
  }
  for (const PrefixDeclaration& prefix : declared_.prefixes) {
    RouteEntry& entry = unrouted_.emplace_back();
    entry.pattern = prefix.prefix;
    entry.links = middleware_of(prefix.links);
    entry.last = &answer_nothing;
  }
}

void Generation::add_live(std::size_t slot, LiveRoute route) {
  std::size_t bytes = 0;
  for (const LiveFunction& function : route.functions) bytes += counted_bytes(function.closure);
  const std::lock_guard lock(mutex_);
  if (slot >= by_slot_.size() || live_routes_ >= kMostLive ||
      bytes > kMostLiveBytes - live_bytes_) {
    throw std::length_error("handlers have added " + std::to_string(live_routes_) +
                            " routes, and there may be no more: let one route with a parameter "
                            "answer for many");
  }
  RouteEntry& entry = make_entry(route.route);
  ++live_routes_;
  live_bytes_ += bytes;
  for (LiveFunction& function : route.functions) {
    live_.emplace(function.number, std::move(function.closure));
  }
  keys_.insert(route.route.key());
  by_slot_[slot].store(&entry, std::memory_order_release);
}

// What was kept for it stays: requests may have come already.
void Generation::take_back(std::size_t slot, const std::string& key) noexcept {
  by_slot_[slot].store(nullptr, std::memory_order_release);
  keys_.erase(key);
}

void Generation::move_to_pool(std::size_t slot) {
  RouteEntry* const before = at(slot);
  if (before == nullptr || before->last != nullptr) return;
  const std::lock_guard lock(mutex_);
  RouteEntry& entry = entries_.emplace_back(*before);
  entry.last = &answer_on_pool;
  by_slot_[slot].store(&entry, std::memory_order_release);
}

const exec::SendableClosure* Generation::find_live(std::size_t function) const noexcept {
  const std::lock_guard lock(mutex_);
  const auto found = live_.find(function);
  return found != live_.end() ? &found->second : nullptr;
}

RouteEntry& Generation::unrouted(std::string_view path) noexcept {
  RouteEntry* longest = &unrouted_.front();
  for (RouteEntry& entry : unrouted_) {
    if (entry.pattern.size() >= longest->pattern.size() && is_below(path, entry.pattern)) {
      longest = &entry;
    }
  }
  return *longest;
}

}  // namespace weft::app::lua
