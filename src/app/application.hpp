// Application: what belongs to an App besides its routes, and is only read while a server runs.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <typeindex>
#include <vector>

#include "app/path_pattern.hpp"
#include "app/route_entry.hpp"
#include "http/exchange.hpp"
#include "weft/context.hpp"
#include "weft/error_format.hpp"

namespace weft::app {

struct Application {
  // Middleware of a group, for requests below its prefix that no route fits.
  struct Prefix {
    std::string pattern;
    std::vector<Middleware> links;
    RouteEntry unrouted;  // made at start
  };
  using ErrorHandler = std::function<void(Context&, const std::exception&)>;

  void* find_state(const std::type_info& type) const noexcept {
    const auto found = states.find(std::type_index(type));
    return found != states.end() ? found->second.get() : nullptr;
  }
  // Before a server starts: makes what is called for requests that no route fits. Whether there is
  // anything to call.
  bool prepare_unrouted();

  std::map<std::type_index, std::shared_ptr<void>> states;
  std::vector<Middleware> links;  // of all routes that are added from now on
  std::deque<Prefix> prefixes;    // a deque: groups hold the addresses of what is in it
  ErrorFormat error_format = ErrorFormat::text;
  // Behind those and the prefixes', for requests that no route fits: a script's.
  std::vector<Middleware> behind_links;
  // Who words the answer of that status where no route fits; null: nobody.
  Handler* words_of(int status) const noexcept;

  // Each may change what it holds when it is called, as the handlers of routes may.
  mutable Handler not_found;
  mutable Handler method_not_allowed;
  ErrorHandler on_error;
  std::function<void(const std::string&)> on_hang;
  bool counts_requests = false;  // a route shows their figures
  // What handlers need at least, whatever the options say; 0: nothing of the kind.
  std::size_t least_stack_bytes = 0;
  RouteEntry unrouted;
  std::vector<PathRule> rewrites;
  std::map<std::string, ExecutorOptions> executors;
};

// The endpoint for requests that no route fits; `self` is an Application.
void call_unrouted(void* self, http::Exchange& exchange);

// Gives a request the path that the first rule which fits makes of its own.
void rewrite_path(const Application& application, http::Exchange& exchange);

// Whether a path is at or below a group's prefix, whose parameters fit any segment.
bool is_below(std::string_view path, std::string_view prefix);

}  // namespace weft::app
