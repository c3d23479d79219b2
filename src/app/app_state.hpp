// What is behind an App: its routes, and the server while one runs.
//
// Each says what guards it.
#pragma once

#include <atomic>
#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "app/application.hpp"
#include "app/metrics/observation.hpp"
#include "app/openapi_document.hpp"
#include "app/route_places.hpp"
#include "http/server.hpp"
#include "ksvc/notify/event_fd_notifier.hpp"
#include "ksvc/router/backend_choice.hpp"
#include "weft/app.hpp"
#include "weft/sync.hpp"

namespace weft {

struct App::Routes {
  http::Site site;
  app::Application application;
  std::deque<app::RouteEntry> entries;   // deques: others hold the addresses of what is in them
  std::deque<http::NewRoute> live;       // what was added while a server ran
  const http::NewRoute* late = nullptr;  // the last that a worker was waited for in vain
  std::string metrics_path;              // of the route that a setting has added
  std::optional<app::ServedDocument> document;  // of all routes, where there is to be one
  // Guards all of it against others that add routes; handlers may park in it. What workers have
  // copied they do not read again.
  Mutex mutex;
  // Whether requests that no route fits go through the application; made before the first start.
  bool calls_unrouted = false;
  // That serve these routes on servers of their own.
  std::atomic<unsigned> test_clients{0};
};

struct App::Running {
  Running(const http::Site& site, const http::ServerOptions& options, std::string reason,
          std::shared_ptr<app::Observation> watching, std::shared_ptr<app::RoutePlaces> where)
      : observation(std::move(watching)),
        places(std::move(where)),
        server(site, with_notice(options, ended)),
        backend_reason(std::move(reason)),
        backend(options.backend),
        workers(options.workers) {}

  static http::ServerOptions with_notice(http::ServerOptions options,
                                         ksvc::EventFdNotifier& notice) {
    options.on_end = [&notice] { notice.wake(); };
    return options;
  }

  ksvc::EventFdNotifier ended;
  std::shared_ptr<app::Observation> observation;  // null: nobody watches
  std::shared_ptr<app::RoutePlaces> places;       // null: all routes run in place
  http::Server server;
  std::string backend_reason;
  ksvc::BackendKind backend;
  unsigned workers;
  std::chrono::steady_clock::time_point started = std::chrono::steady_clock::now();
};

namespace app {

void print_start_line(const Options& options, const std::string& location, unsigned workers,
                      const ksvc::BackendChoice& choice);
// Waits for the last worker, whose notice stays. The descriptor of an eventfd that nobody reads.
bool has_ended(const ksvc::EventFdNotifier& ended, int patience_ms);

}  // namespace app

}  // namespace weft
