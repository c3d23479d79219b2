#include "app/application.hpp"

#include "http/site.hpp"
#include "http/unrouted.hpp"
#include "weft/context.hpp"

namespace weft::app {

namespace {

constexpr int kNotFound = 404;
constexpr int kMethodNotAllowed = 405;

const Application& application_of(const http::Exchange& exchange) noexcept {
  return *static_cast<const Application*>(exchange.site().application);
}

// Behind the middleware: what the server would say by itself, then the application's own words.
void answer_unrouted(RouteEntry& /*entry*/, Context& context) {
  http::Exchange& exchange = context.exchange();
  http::answer_unrouted(exchange, *exchange.unrouted());
  const Application& application = application_of(exchange);
  Handler* const words = application.words_of(exchange.response().status);
  if (words != nullptr) call_and_wait(*words, context);
}

}  // namespace

Handler* Application::words_of(int status) const noexcept {
  if (status == kNotFound && not_found) return &not_found;
  if (status == kMethodNotAllowed && method_not_allowed) return &method_not_allowed;
  return nullptr;
}

bool Application::prepare_unrouted() {
  const auto with_those_behind = [this](std::vector<Middleware> first) {
    first.insert(first.end(), behind_links.begin(), behind_links.end());
    return first;
  };
  unrouted.links = with_those_behind(links);
  unrouted.last = &answer_unrouted;
  bool any = !unrouted.links.empty() || not_found || method_not_allowed;
  for (Prefix& prefix : prefixes) {
    prefix.unrouted.links = with_those_behind(prefix.links);
    prefix.unrouted.last = &answer_unrouted;
    any = any || !prefix.links.empty();
  }
  return any;
}

void call_unrouted(void* self, http::Exchange& exchange) {
  auto& application = *static_cast<Application*>(self);
  RouteEntry* entry = &application.unrouted;
  std::size_t longest = 0;
  for (Application::Prefix& prefix : application.prefixes) {
    if (prefix.pattern.size() < longest || !is_below(exchange.path(), prefix.pattern)) {
      continue;
    }
    longest = prefix.pattern.size();
    entry = &prefix.unrouted;
  }
  Next(*entry, 0, exchange.show_as<Context>())();
}

void rewrite_path(const Application& application, http::Exchange& exchange) {
  const http::HeadView& head = exchange.head();
  const http::TargetForm form = head.head().form;
  if (form != http::TargetForm::origin && form != http::TargetForm::absolute) return;
  for (const PathRule& rule : application.rewrites) {
    const auto found = rule.from.match(head.path());
    if (found) return exchange.rewrite(rule.to.fill(*found));
  }
}

bool is_below(std::string_view path, std::string_view prefix) {
  const auto take_segment = [](std::string_view& text) {
    text.remove_prefix(1);  // the slash
    const std::string_view segment = text.substr(0, text.find('/'));
    text.remove_prefix(segment.size());
    return segment;
  };
  while (!prefix.empty()) {
    if (path.empty() || path.front() != '/') return false;
    const std::string_view wanted = take_segment(prefix);
    const std::string_view segment = take_segment(path);
    const bool is_parameter = wanted.starts_with('{') || wanted.starts_with(':');
    if (is_parameter ? segment.empty() : segment != wanted) return false;
  }
  return path.empty() || path.front() == '/';
}

}  // namespace weft::app
