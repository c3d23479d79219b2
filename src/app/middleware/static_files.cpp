#include "weft/middleware/static_files.hpp"

#include <memory>
#include <utility>

#include "app/file_answers.hpp"
#include "app/middleware/static_site.hpp"
#include "http/exchange.hpp"
#include "http/method.hpp"
#include "http/uri.hpp"
#include "weft/context.hpp"

namespace weft {

namespace {

bool is_get_or_head(Context& context) {
  const http::Method method = context.exchange().head().head().method;
  return method == http::Method::get || method == http::Method::head;
}

bool serve(const app::StaticSite& site, Context& context) {
  const auto sent = site.beneath_prefix(context.path());
  if (!sent) return false;
  const auto path = http::percent_decode(*sent, http::UriPart::path);
  return path && site.serve(context, *path);
}

}  // namespace

Middleware static_files(const std::string& folder, const StaticOptions& options) {
  auto site = std::make_shared<const app::StaticSite>(folder, options);
  return [site = std::move(site)](Context& context, Next& next) {
    if (!is_get_or_head(context)) return next();
    if (serve(*site, context)) return;
    next();
    // Whatever a route says of what is not there, it is its to say.
    const bool unrouted = context.route().empty() && context.answer().status() == 404;
    if (!unrouted || context.answer().streamed() || !site->beneath_prefix(context.path())) return;
    site->serve_fallback(context);
  };
}

std::function<void(Context&)> file_handler(const std::string& folder,
                                           const StaticOptions& options) {
  auto site = std::make_shared<const app::StaticSite>(folder, options);
  return [site = std::move(site)](Context& context) {
    if (site->serve(context, std::string(context.param("path")))) return;
    if (site->serve_fallback(context)) return;
    app::refuse_file(context.exchange(), 404);
  };
}

}  // namespace weft
