// App::openapi(): the document of all routes and the page that shows it, as routes.
#include "weft/openapi.hpp"

#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "app/app_state.hpp"
#include "app/html_text.hpp"
#include "app/openapi_document.hpp"
#include "docs_page.hpp"
#include "http/entity_tag.hpp"
#include "http/exchange.hpp"
#include "weft/app.hpp"
#include "weft/route_description.hpp"

namespace weft {

namespace {

// A path as seen from a page at another one, so that both may be moved together.
std::string relative_to(std::string_view page, std::string_view path) {
  std::size_t common = 0;  // up to and with the last slash that both have
  for (std::size_t i = 0; i < page.size() && i < path.size() && page[i] == path[i]; ++i) {
    if (page[i] == '/') common = i + 1;
  }
  std::string relative;
  for (const char c : page.substr(common)) {
    if (c == '/') relative += "../";
  }
  relative += path.substr(common);
  return relative.empty() || relative.starts_with("../") ? relative : "./" + relative;
}

// The page's text with what its placeholders stand for.
std::string page_of(const OpenApiOptions& options) {
  std::string page;
  std::string_view rest = app::kPage_html;
  for (;;) {
    const std::size_t begin = rest.find('@');
    page += rest.substr(0, begin);
    if (begin == std::string_view::npos) return page;
    rest.remove_prefix(begin + 1);
    const std::string_view name = rest.substr(0, rest.find('@'));
    rest.remove_prefix(name.size() + 1);
    if (name == "style") page += app::kPage_css;
    if (name == "script") page += app::kPage_js;
    if (name == "title") app::append_for_html(page, options.title);
    if (name == "path") app::append_for_html(page, options.path);
    if (name == "document") {
      app::append_for_html(page, relative_to(options.docs_path, options.path));
    }
  }
}

// "https://example.org" of "https://example.org/v1"; empty for one that is relative.
std::string_view origin_of(std::string_view url) {
  const std::size_t scheme = url.find("://");
  if (scheme == std::string_view::npos) return {};
  const std::string_view origin = url.substr(0, url.find_first_of("/?#", scheme + 3));
  // What would end the directive, or the field.
  return origin.find_first_of(" \t\r\n;,'\"") == std::string_view::npos ? origin
                                                                        : std::string_view();
}

// Nothing but the page's own style and script, and requests to the application.
std::string policy_of(const OpenApiOptions& options) {
  std::string policy = "default-src 'none'; style-src ";
  policy.append(app::kPage_css_hash).append("; script-src ").append(app::kPage_js_hash);
  policy += "; connect-src 'self'";
  for (const OpenApiServer& server : options.servers) {
    const std::string_view origin = origin_of(server.url);
    if (!origin.empty()) policy.append(" ").append(origin);
  }
  return policy + "; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
}

// Both are asked for again each time, and mostly there is nothing new.
bool is_known_already(Context& c, std::string_view tag) {
  c.set_header("Cache-Control", "no-cache").set_header("ETag", tag);
  // Whatever stands between here and the client may have made the tag a weak one.
  if (http::status_by_tag(c.exchange().head(), tag) != 304) return false;
  c.status(304);
  return true;
}

struct Page {
  std::string text;
  std::string policy;
  std::string tag;
};

}  // namespace

App& App::openapi(const OpenApiOptions& options) {
  app::require_sound(options);
  const RouteDescription hidden = describe_route({.hidden = true});
  {
    const std::lock_guard lock(routes_->mutex);
    if (routes_->document) throw std::logic_error("App::openapi() has been called before");
    for (const app::RouteEntry& route : routes_->entries) {
      if (route.description) {
        app::require_known_schemes(options, *route.description, route.pattern);
      }
    }
    routes_->document.emplace(options);
  }
  Routes* const routes = routes_.get();
  const auto send_document = [routes](Context& c) {
    std::shared_ptr<const app::DocumentText> document;
    {
      const std::lock_guard lock(routes->mutex);
      document = routes->document->of(routes->entries, routes->application.error_format);
    }
    if (is_known_already(c, document->tag)) return;
    c.bytes(document->text, "application/json");
  };
  try {
    get(options.path, hidden, send_document);
  } catch (...) {
    const std::lock_guard lock(routes->mutex);
    routes->document.reset();
    throw;
  }
  if (options.docs_path.empty()) return *this;
  auto page = std::make_shared<Page>();
  page->text = page_of(options);
  page->policy = policy_of(options);
  page->tag = app::tag_of(page->text);
  get(options.docs_path, hidden, [page = std::shared_ptr<const Page>(std::move(page))](Context& c) {
    // In place of what middleware says of all answers: of two policies a browser keeps to both.
    c.set_header("Content-Security-Policy", page->policy);
    c.set_header("X-Content-Type-Options", "nosniff");
    c.set_header("Referrer-Policy", "no-referrer");
    if (is_known_already(c, page->tag)) return;
    c.html(page->text);
  });
  return *this;
}

}  // namespace weft
