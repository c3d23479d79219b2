// Observation: what watches one running server: its access log, and the figures of its workers.
//
// Made before the server, and gone after it. Any thread reads it.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "app/log/access_log.hpp"
#include "app/metrics/worker_recorder.hpp"
#include "weft/app.hpp"

namespace weft::http {
class Server;
}

namespace weft::app {

class Exposition;
class RoutePlaces;

struct Observation {
  // Throws std::runtime_error when the access log cannot be opened. Null when nothing is asked for.
  static std::shared_ptr<Observation> of(const Options& options, bool counts, unsigned workers,
                                         std::size_t routes);

  std::vector<http::AnswerObserver*> observers() const;
  void write_to(Exposition& exposition) const;

  std::unique_ptr<AccessLog> log;
  bool counts = false;
  std::vector<std::unique_ptr<WorkerRecorder>> recorders;
  // Set when it is there.
  std::atomic<const http::Server*> server{nullptr};
  // The same; null: all routes run in place.
  std::atomic<const RoutePlaces*> places{nullptr};
  std::string backend;
  std::string model;
};

}  // namespace weft::app
