#include "weft/middleware/static_files.hpp"

#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
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

// What the folder has answered is counted under its pattern, also where the client goes amid a
// file.
template <class Serve>
bool counted(const std::string& mount, Context& context, const Serve& serve) {
  bool answered = false;
  try {
    answered = serve();
  } catch (...) {
    context.exchange().set_mount(mount);
    throw;
  }
  if (answered) context.exchange().set_mount(mount);
  return answered;
}

// Figures and logs name it for as long as they are there, whatever has become of the middleware: a
// script that is read anew has others.
const std::string& kept_for_good(std::string pattern) {
  static std::mutex mutex;
  static std::set<std::string> patterns;
  const std::lock_guard lock(mutex);
  return *patterns.insert(std::move(pattern)).first;
}

struct Mount {
  // The folder's, as a route would have it.
  const std::string& pattern;
  app::StaticSite site;

  bool serve(Context& context) const {
    const auto sent = site.beneath_prefix(context.path());
    if (!sent) return false;
    const auto path = http::percent_decode(*sent, http::UriPart::path);
    return path && counted(pattern, context, [&] { return site.serve(context, *path); });
  }
  bool serve_fallback(Context& context) const {
    return counted(pattern, context, [&] { return site.serve_fallback(context); });
  }
};

std::string pattern_beneath(std::string_view prefix) {
  while (prefix.ends_with('/')) prefix.remove_suffix(1);
  return std::string(prefix) + "/*path";
}

}  // namespace

Middleware static_files(const std::string& folder, const StaticOptions& options) {
  auto mount = std::make_shared<const Mount>(
      Mount{kept_for_good(pattern_beneath(options.prefix)), app::StaticSite(folder, options)});
  return [mount = std::move(mount)](Context& context, Next& next) {
    if (!is_get_or_head(context)) return next();
    if (mount->serve(context)) return;
    next();
    // Whatever a route says of what is not there, it is its to say.
    const bool unrouted = context.route().empty() && context.answer().status() == 404;
    if (!unrouted || context.answer().streamed() || !mount->site.beneath_prefix(context.path())) {
      return;
    }
    mount->serve_fallback(context);
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
