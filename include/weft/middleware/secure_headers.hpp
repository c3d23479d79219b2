// secure_headers(): the headers by which a browser keeps a page from being abused.
//
//     app.use(weft::secure_headers({.hsts = weft::Hsts{}, .content_security_policy = ""}));
//
// Their text is made once, so an answer costs one copy. They are on every answer, also where a
// handler throws. A handler that wants another value says c.set_header(). Any thread.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "weft/middleware.hpp"

namespace weft {

// Strict-Transport-Security: browsers that have seen it ask by HTTPS alone, until it has run out.
struct Hsts {
  // From the last answer that said it.
  std::chrono::seconds max_age = std::chrono::hours(24 * 365);
  // Whether it holds for all hosts below this one, too.
  bool include_subdomains = true;
  // Asks to be put into the lists that browsers are shipped with. That takes a year at least and
  // the subdomains, and can hardly be taken back.
  bool preload = false;
};

// The headers of secure_headers(). A value that is empty is not sent.
struct SecureHeadersOptions {
  // Off unless given: a site that is not served by HTTPS at all would be out of reach by it. Sent
  // only where Context::scheme() is "https", as RFC 6797 wants it, unless `hsts_always`.
  std::optional<Hsts> hsts = {};
  // For a server behind something that speaks HTTPS and does not say so.
  bool hsts_always = false;
  // What a page may load and run. The default takes all from its own origin, no scripts or styles
  // that stand in the page itself, and no plug-ins.
  std::string content_security_policy =
      "default-src 'self'; base-uri 'self'; form-action 'self'; frame-ancestors 'self'; "
      "object-src 'none'";
  // Sends it as Content-Security-Policy-Report-Only: browsers tell what it would stop, and go on.
  bool report_only = false;
  // Browsers take a Content-Type as it is.
  std::string content_type_options = "nosniff";
  // Other sites learn the origin that a link was on, and not the page.
  std::string referrer_policy = "strict-origin-when-cross-origin";
  // Only its own site shows a page in a frame; for browsers that do not know frame-ancestors.
  std::string frame_options = "SAMEORIGIN";
  // A page that another site opens does not share a window's process with it.
  std::string cross_origin_opener_policy = "same-origin";
  // Other sites may not use what is answered; "cross-origin" for a public API or an image host.
  std::string cross_origin_resource_policy = "same-origin";
  // "require-corp" lets a page use shared memory, and forbids it much else.
  std::string cross_origin_embedder_policy = {};
  // What of a device a page may use, such as "camera=(), geolocation=()".
  std::string permissions_policy = {};
  // No policy files for old plug-ins.
  std::string permitted_cross_domain_policies = "none";
  // Pages of one origin have memory of their own.
  std::string origin_agent_cluster = "?1";
};

// Adds them to every answer. Throws std::invalid_argument for values that break out of their line,
// and for an Hsts that browsers would refuse.
Middleware secure_headers(const SecureHeadersOptions& options = {});

}  // namespace weft
