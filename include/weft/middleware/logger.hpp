// logger(): middleware that writes a line for each request to an access log.
//
//     app.use(weft::logger({.path = "/var/log/shop/access.log", .format = "combined"}));
//
// The line is written when the answer has ended, with its bytes and time as they were sent,
// whatever the handler does; nobody waits for the disk (log_writer.hpp). What never reaches the
// middleware, such as a malformed request, is not logged: for that there is the server's own log,
// the setting `access_log`. All workers use the same log.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "weft/log_writer.hpp"
#include "weft/middleware.hpp"

namespace weft {

struct LoggerOptions {
  // A file, "-" for standard output, or "/dev/stderr".
  std::string path = "-";
  // "common", "combined", "json", or a pattern such as `%h %t "%r" %s %b %D %{X-Request-Id}o`;
  // docs/observability.md has all of it.
  std::string format = "combined";
  // Where the lines go in place of `path`.
  std::shared_ptr<LogWriter> writer = {};
  // Requests of which this is true are not logged; it is asked before the handler runs.
  std::function<bool(const Context& context)> skip = {};
};

// Throws std::invalid_argument when the format is malformed, with the column; std::runtime_error
// when the log cannot be opened.
Middleware logger(const LoggerOptions& options = {});

}  // namespace weft
