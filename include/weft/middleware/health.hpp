// health(): tells whether the process lives and whether it is ready, for those who restart it or
// send it requests.
//
//     app.use(weft::health({.checks = {{"database", [&] { return database.ping(); }}}}));
//
// Answers GET and HEAD at two paths in place of any route, with 200 or 503. Put it first, so that
// neither passwords nor redirects are in the way. The checks run at once, each on a green thread of
// its own. Any thread.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "weft/middleware.hpp"

namespace weft {

// Something without which there is no point in sending requests.
struct HealthCheck {
  // Unique, and short: it stands in the details.
  std::string name = {};
  // Whether it is there; what it throws means no, and is told in the details. May wait.
  std::function<bool()> check = {};
  // Longer means no.
  std::chrono::milliseconds timeout{1'000};
};

// What health() answers, and where.
struct HealthOptions {
  // Where 200 is answered for as long as the process can answer at all; empty: nowhere.
  std::string live_path = "/livez";
  // Where 200 is answered while all checks say yes and the server is not about to end; empty:
  // nowhere.
  std::string ready_path = "/readyz";
  // Without any it is ready for as long as it is not about to end.
  std::vector<HealthCheck> checks = {};
  // Whether the answer is JSON that names each check, how long it took and what was wrong. Others
  // than those who run the server learn much from that.
  bool details = false;
  // For so long what the checks said is said again, so that who asks often does not keep them busy.
  std::chrono::milliseconds fresh{1'000};
};

// Throws std::invalid_argument for paths that do not begin with '/' and for checks without a name,
// without a function, or of the same name.
Middleware health(const HealthOptions& options = {});

}  // namespace weft
