// Redirects: to HTTPS, to the host with or without "www.", and by rules.
//
//     app.use(weft::redirect_to_https(), weft::redirect_www());
//     app.use(weft::redirect({{"/old/*", "/new/$1"}, {"/shop/*", "https://shop.example/$1",
//     302}}));
//
// Put them on the App: then they also see requests that no route fits. Any thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "weft/middleware.hpp"

namespace weft {

// Where redirect_to_https() leads.
struct RedirectToHttpsOptions {
  // 301, 302, 303, 307 or 308; the last keeps the method and the body, and is remembered.
  int status = 308;
  // Of the HTTPS server.
  std::uint16_t port = 443;
  // Where to send clients whatever host they ask for; empty: where they asked. A host that cannot
  // be one is answered 400.
  std::string host = {};
  // Paths that are answered as they are, with all below them: "/livez",
  // "/.well-known/acme-challenge".
  std::vector<std::string> except = {};
};

// Sends a client to the same path by HTTPS unless Context::scheme() is that already; so the proxy
// that speaks HTTPS must be one of Options::trusted_proxies, or this goes round in circles.
Middleware redirect_to_https(const RedirectToHttpsOptions& options = {});

// Which of two hosts redirect_www() leads to.
struct RedirectWwwOptions {
  // Whether the host gets a "www." instead of losing it.
  bool add = false;
  // 301, 302, 303, 307 or 308.
  int status = 308;
};

// Sends a client from one of "www.host" and "host" to the other. Addresses, and names without a
// dot, get no "www.".
Middleware redirect_www(const RedirectWwwOptions& options = {});

// What redirect() sends where.
struct RedirectRule {
  // As in a RewriteRule: see rewrite.hpp.
  std::string from = {};
  // A path here, or an address with a scheme and a host of its own, with $1 to $9 for what the
  // stars of `from` took. Only behind the host, so that no client can say where it leads.
  std::string to = {};
  // 301, 302, 303, 307 or 308.
  int status = 308;
  // Whether the query of the request goes along, behind one that `to` has.
  bool keep_query = true;
};

// Sends requests whose path fits a rule elsewhere; the first that fits counts. One that would lead
// to another host because of what the client sent ("//host") is answered 400 instead.
Middleware redirect(const std::vector<RedirectRule>& rules);

}  // namespace weft
