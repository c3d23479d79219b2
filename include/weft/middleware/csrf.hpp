// csrf: refuses what another site has a browser do in the name of its user.
//
//     app.use(weft::csrf());
//     app.use(weft::csrf({.keys = {key_from_configuration}, .require_token = true}));
//
// A request that changes something (not GET, HEAD, OPTIONS or TRACE) must come from this site.
// Browsers say where it comes from, by Sec-Fetch-Site and Origin, and that decides: `same-origin`
// and `none` are let in, and so is an Origin that is this host's or trusted; all else is 403. A
// request that says neither, which an old browser may send, needs a token where there are keys, and
// is refused otherwise. A token is what csrf_token(c) gave a page of this site, and comes back in a
// header or a form's field; it is signed, and good together with its cookie, and with the session
// that the client had. All workers call the same object.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "weft/middleware.hpp"
#include "weft/set_cookie.hpp"

namespace weft {

struct CsrfOptions {
  // The secrets that sign tokens, of 32 bytes or more, at most 8: the first one signs, all of them
  // are good. None: there are no tokens.
  std::vector<std::string> keys = {};
  // Asks for a token in any case, whatever the browser says.
  bool require_token = false;
  // Lets a request in that says nothing of where it comes from, and has no token: for clients that
  // are no browsers.
  bool allow_unknown = false;
  // Other sites whose requests are let in, as browsers write them: "https://app.example.org".
  std::vector<std::string> trusted_origins = {};
  // Paths that are not looked at; one that ends with a slash is all below it. For what others call
  // by design, and what proves itself in another way.
  std::vector<std::string> exempt = {};
  // Each is where a token comes from: a header, or a field of a form. The form is looked at where
  // the header is missing and the body is a form's, which is read for that, with the limits of
  // Context::form().
  std::string header = "X-Csrf-Token";
  std::string field = "csrf_token";
  // What the token must come with. Without TLS, in tests: .secure = false, and another name.
  std::string cookie_name = "__Host-csrf";
  // How that cookie is set.
  CookieOptions cookie = {.secure = true, .http_only = true, .same_site = SameSite::lax};
  // What it is true for is not looked at.
  std::function<bool(Context&)> skip = {};
};

// Throws std::invalid_argument for keys that are too short, require_token without keys, an origin
// or a path that is none, and a cookie that set_cookie() would refuse.
[[nodiscard]] Middleware csrf(const CsrfOptions& options = {});

// A token for a page, other at each call. Sets the cookie where the client has none, and so must be
// called before the head of the answer is sent. A visitor who has no session needs none for it: the
// cookie alone is enough, and is signed anew when a session begins. Throws std::logic_error where
// no csrf() with keys is around the route, or it was too late.
[[nodiscard]] std::string csrf_token(Context& context);

}  // namespace weft
