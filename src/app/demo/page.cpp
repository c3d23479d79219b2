#include "app/demo/page.hpp"

#include <string>

#include "demo_page.hpp"

namespace weft::demo {
namespace {

// The page's text with what its placeholders stand for.
std::string filled_in() {
  std::string page(kPage_html);
  const auto put = [&page](std::string_view placeholder, std::string_view text) {
    page.replace(page.find(placeholder), placeholder.size(), text);
  };
  put("@style@", kPage_css);
  put("@script@", kPage_js);
  return page;
}

// Nothing but the page's own style and script, and requests to this server.
std::string policy() {
  std::string text = "default-src 'none'; style-src ";
  text.append(kPage_css_hash).append("; script-src ").append(kPage_js_hash);
  return text + "; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; " +
         "frame-ancestors 'none'";
}

}  // namespace

void show_page(Context& c) {
  static const std::string kText = filled_in();
  static const std::string kPolicy = policy();
  // In place of the one that all answers have.
  c.set_header("Content-Security-Policy", kPolicy);
  c.set_header("Cache-Control", "no-cache");
  c.html(kText);
}

std::string_view page_script() noexcept { return kPage_js; }

}  // namespace weft::demo
