// cors(): lets pages of other origins use what is answered (Cross-Origin Resource Sharing, as the
// Fetch standard has it).
//
//     app.use(weft::cors({.origins = {"https://app.example"}, .credentials = true}));
//
// Put it on the App, or on a group: it answers the preflight requests of browsers there, also for
// paths without an OPTIONS route. On a route alone it sees only the requests of that route's
// method. It keeps nobody from asking: browsers obey it, and others need not. Any thread.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "weft/middleware.hpp"

namespace weft {

// Who may use what, by cors().
struct CorsOptions {
  // Whose pages may: "*" for all; or origins, each a scheme and a host, with a port where it is not
  // the usual one, as browsers send them: "https://app.example". "https://*.app.example" is all
  // hosts below that one, but not it. "null" is what pages without an origin send, and anybody can
  // make one of those.
  std::vector<std::string> origins = {"*"};
  // Asked for origins that are not among those; called by all workers, and may wait.
  std::function<bool(Context&, std::string_view origin)> allow_origin = {};
  // What a page may use beside GET, HEAD and POST.
  std::vector<std::string> methods = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"};
  // The request headers that a page may set. Empty: whatever it asks for.
  std::vector<std::string> headers = {};
  // The headers of an answer that a page may read, beside the few that it always may.
  std::vector<std::string> expose = {};
  // Whether a browser sends cookies and passwords along. With these the origins must be named.
  bool credentials = false;
  // For how long a browser may remember the answer to a preflight. Nothing: five seconds, by its
  // own rule.
  std::optional<std::chrono::seconds> max_age = std::chrono::minutes(10);
  // Whether pages of public sites may use this server on a private network (Private Network
  // Access).
  bool private_network = false;
};

// Adds the headers that a browser looks for, and answers preflights with 204. Throws
// std::invalid_argument where "*" meets credentials, and for what is no origin, method or header.
Middleware cors(const CorsOptions& options = {});

}  // namespace weft
