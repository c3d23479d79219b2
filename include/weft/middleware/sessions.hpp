// sessions: remembers clients by a cookie, which holds the session itself, sealed, or its key in a
// SessionStore.
//
//     app.use(weft::sessions({.keys = {key_from_configuration}}));               // in the cookie
//     app.use(weft::sessions({.store = weft::memory_session_store()}));          // in a store
//
// Handlers have it as weft::session(c). The cookie is encrypted and authenticated, so a client can
// neither read nor change it; one that was tampered with, cut off, too long, expired or from the
// future counts as none, and is taken from the client. A session that nobody puts anything into
// sets no cookie. All workers call the same object.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "weft/middleware.hpp"
#include "weft/session.hpp"
#include "weft/session_store.hpp"
#include "weft/set_cookie.hpp"

namespace weft {

struct SessionsOptions {
  // Without a store: the secrets that seal the cookies, of 32 bytes or more, at most 8. The first
  // one seals, all of them open. For another key: put it at the end on all machines, then at the
  // beginning, and take the old one out when its sessions have expired.
  std::vector<std::string> keys = {};
  // Where sessions are kept in place of the cookie.
  std::shared_ptr<SessionStore> store = {};
  // The name of the cookie. Browsers take one that begins with `__Host-` for this host alone, over
  // TLS alone, and from nobody who speaks for a neighbour.
  std::string cookie_name = "__Host-session";
  // For tests without TLS: .secure = false, and a name without a prefix. Without a max_age the
  // cookie ends with the browser, and the session with its times below.
  CookieOptions cookie = {.secure = true, .http_only = true, .same_site = SameSite::lax};
  // A session that was not used for so long is over: its client has walked away. The cookie or the
  // store learns of a use when a tenth of it has passed.
  std::chrono::seconds idle_timeout = std::chrono::hours(1);
  // A session that began so long ago is over in any case: one that was stolen is used all the time.
  std::chrono::seconds absolute_timeout = std::chrono::hours(24);
  // Names and values; 0: 2,900 bytes in a cookie, of which browsers keep 4,096 and base64 takes a
  // third, and 64 KiB in a store.
  std::size_t bytes = 0;
  // What it is true for has no session.
  std::function<bool(Context&)> skip = {};
  // The time of day; empty: the system's clock.
  std::function<std::chrono::system_clock::time_point()> clock = {};
};

// Throws std::invalid_argument without keys and store, or with both; for keys that are too short,
// times that are not positive, a cookie that set_cookie() would refuse, and more bytes than fit it.
[[nodiscard]] Middleware sessions(const SessionsOptions& options);

}  // namespace weft
