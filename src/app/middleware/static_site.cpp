#include "app/middleware/static_site.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <stdexcept>

#include "app/file_answers.hpp"
#include "app/folder.hpp"
#include "app/media_type.hpp"
#include "http/content_type.hpp"
#include "http/exchange.hpp"
#include "http/header_text.hpp"
#include "http/response_fields.hpp"
#include "http/served_file.hpp"
#include "http/served_path.hpp"
#include "weft/blocking.hpp"
#include "weft/cancel.hpp"

namespace weft::app {

namespace {

using http::ContentCoding;

struct Sibling {
  ContentCoding coding;
  std::string_view ending;
};

// In the order of their usual size, for whoever takes all of them.
constexpr std::array<Sibling, 3> kSiblings{
    {{ContentCoding::brotli, ".br"}, {ContentCoding::zstd, ".zst"}, {ContentCoding::gzip, ".gz"}}};

FileRoot open_root(const std::string& folder) {
  auto root = FileRoot::open(folder);
  if (root) return std::move(*root);
  throw std::runtime_error("cannot open the folder " + folder + ": " + root.error().message());
}

void require_name(const char* what, const std::string& name) {
  if (http::is_ordinary(name)) return;
  throw std::invalid_argument(std::string("static files: ") + what +
                              " must be a path beneath the folder, without hidden names, not '" +
                              name + "'");
}

void require_value(const char* what, const std::string& value) {
  if (http::is_field_value(value)) return;
  throw std::invalid_argument(std::string("static files: ") + what +
                              " holds a line break or another control byte");
}

std::string_view ending_of(std::string_view path) {
  const std::size_t dot = path.find_last_of("./");
  if (dot == std::string_view::npos || path[dot] == '/') return {};
  return path.substr(dot + 1);
}

// Browsers say so when they go to a page, and programs that take anything.
bool takes_html(const Context& context) {
  std::string_view accepted = context.header("accept", "*/*");
  while (!accepted.empty()) {
    const auto type = media_type(http::take_element(accepted));
    if (type.is("text/html") || type.is("*/*") || type.is("text/*")) return true;
  }
  return false;
}

}  // namespace

bool fits_pattern(std::string_view text, std::string_view pattern) {
  std::size_t at = 0;
  std::size_t star = std::string_view::npos;  // the last one in the pattern
  std::size_t taken = 0;                      // where what it stands for ends
  std::size_t in_pattern = 0;
  while (at < text.size()) {
    if (in_pattern < pattern.size() && pattern[in_pattern] == '*') {
      star = in_pattern++;
      taken = at;
    } else if (in_pattern < pattern.size() && pattern[in_pattern] == text[at]) {
      ++in_pattern;
      ++at;
    } else if (star != std::string_view::npos) {
      in_pattern = star + 1;
      at = ++taken;
    } else {
      return false;
    }
  }
  while (in_pattern < pattern.size() && pattern[in_pattern] == '*') ++in_pattern;
  return in_pattern == pattern.size();
}

StaticSite::StaticSite(const std::string& folder, const StaticOptions& options)
    : root_(open_root(folder)), options_(options) {
  std::string& prefix = options_.prefix;
  while (prefix.ends_with('/')) prefix.pop_back();
  if (!prefix.empty() && prefix.front() != '/') {
    throw std::invalid_argument("static files: the prefix must begin with a slash, not '" +
                                options.prefix + "'");
  }
  for (const std::string& index : options_.index) {
    require_name("an index", index);
    if (index.find('/') == std::string::npos) continue;
    throw std::invalid_argument("static files: an index must be the name of a file, not '" + index +
                                "'");
  }
  if (!options_.fallback.empty()) require_name("the fallback", options_.fallback);
  require_value("cache_control", options_.cache_control);
  for (const StaticCacheRule& rule : options_.cache_rules) {
    require_value("a cache rule", rule.cache_control);
  }
  for (const auto& [ending, type] : options_.types) {
    require_value("a type", type);
    if (ending.empty() || ending.find_first_of("./") != std::string::npos) {
      throw std::invalid_argument(
          "static files: types are by the end of a name without its dot, as \"glb\", not '" +
          ending + "'");
    }
  }
}

std::optional<std::string_view> StaticSite::beneath_prefix(std::string_view path) const {
  if (!path.starts_with(options_.prefix)) return std::nullopt;
  path.remove_prefix(options_.prefix.size());
  if (path.empty()) return path;
  if (path.front() != '/') return std::nullopt;
  return path.substr(1);
}

// Of a path without a slash at its end.
bool StaticSite::is_ours(std::string_view path) const {
  constexpr std::string_view kWellKnown = ".well-known/";
  if (options_.well_known && path.starts_with(kWellKnown)) path.remove_prefix(kWellKnown.size());
  return http::is_ordinary(path);
}

bool StaticSite::serve(Context& context, const std::string& path) const {
  if (http::hides_something(context.path())) return false;
  const bool is_root = path.empty() && context.path().ends_with('/');
  if (is_root || path.ends_with('/')) return serve_folder(context, path);
  Outcome outcome = Outcome::folder;
  if (!path.empty()) outcome = is_ours(path) ? serve_file(context, path) : Outcome::missing;
  if (outcome != Outcome::folder) return outcome == Outcome::answered;
  // Links inside a page are relative to the folder only with the slash behind it.
  std::string address = std::string(context.path()) + "/";
  const std::string_view query = context.exchange().head().query();
  if (!query.empty()) address.append("?").append(query);
  context.status(301).set_header("Location", address);
  context.text("it is a folder\n");
  return true;
}

bool StaticSite::serve_folder(Context& context, const std::string& path) const {
  if (!path.empty() && !is_ours(std::string_view(path).substr(0, path.size() - 1))) return false;
  for (const std::string& index : options_.index) {
    if (serve_file(context, path + index) == Outcome::answered) return true;
  }
  return options_.listing && list(context, path);
}

bool StaticSite::list(Context& context, const std::string& path) const {
  const std::string folder = path.substr(0, path.empty() ? 0 : path.size() - 1);
  const auto entries =
      blocking([&] { return list_folder(root_.fd(), folder, options_.listing_entries); });
  if (!entries) return false;
  context.set_header("Content-Security-Policy", "default-src 'none'");
  if (!options_.cache_control.empty()) add_fields(context, path);
  context.html(listing_page("/" + path, *entries));
  return true;
}

bool StaticSite::serve_fallback(Context& context) const {
  const std::string_view path = context.path();
  const std::string_view last = path.substr(path.rfind('/') + 1);
  if (options_.fallback.empty() || last.find('.') != std::string_view::npos ||
      !takes_html(context)) {
    return false;
  }
  return serve_file(context, options_.fallback) == Outcome::answered;
}

StaticSite::Outcome StaticSite::serve_file(Context& context, const std::string& path) const {
  if (options_.precompressed) {
    http::Exchange& exchange = context.exchange();
    const http::AcceptedCodings accepted(exchange.head());
    std::array<ContentCoding, kSiblings.size()> offered{};
    std::size_t left = 0;
    for (const Sibling& sibling : kSiblings) offered[left++] = sibling.coding;
    while (left > 0) {
      const ContentCoding best = accepted.choose(std::span(offered).first(left));
      if (best == ContentCoding::identity) break;
      const auto* const sibling = std::ranges::find(kSiblings, best, &Sibling::coding);
      const Outcome outcome = serve_one(context, path, sibling->ending, path, best);
      if (outcome == Outcome::answered) return outcome;
      left = static_cast<std::size_t>(std::remove(offered.begin(), offered.begin() + left, best) -
                                      offered.begin());
    }
  }
  return serve_one(context, path, {}, path, ContentCoding::identity);
}

// The file `path` with `ending`, as what is called `name`.
StaticSite::Outcome StaticSite::serve_one(Context& context, const std::string& path,
                                          std::string_view ending, std::string_view name,
                                          ContentCoding coding) const {
  http::Exchange& exchange = context.exchange();
  const auto file = ending.empty()
                        ? http::ServedFile::open_beneath(root_.fd(), path)
                        : http::ServedFile::open_beneath(root_.fd(), path + std::string(ending));
  if (!file) {
    check_cancelled();
    if (file.error().os_errno == EISDIR) return Outcome::folder;
    const int status = status_of_file(file.error());
    // Where there are others to look at, this one does not matter.
    if (status == 404 || coding != ContentCoding::identity) return Outcome::missing;
    refuse_file(exchange, status);
    return Outcome::answered;
  }
  if (exchange.response().status == 404) {
    // What was said before the fallback was looked for.
    exchange.response().status = 200;
    exchange.response().content_type_chosen = false;
  }
  add_fields(context, name);
  if (options_.precompressed) {
    http::add_vary(exchange.response(), "Accept-Encoding", "accept-encoding");
  }
  answer_with_file(exchange, *file, type_of(name),
                   coding == ContentCoding::identity ? std::string_view() : http::name_of(coding));
  return Outcome::answered;
}

std::string_view StaticSite::type_of(std::string_view path) const {
  const std::string_view ending = ending_of(path);
  for (const auto& [known, type] : options_.types) {
    if (http::equals_ignoring_case(ending, known)) return type;
  }
  return http::content_type_of(path);
}

void StaticSite::add_fields(Context& context, std::string_view path) const {
  if (http::find_field(context.exchange().response(), "cache-control")) return;
  std::string_view value = options_.cache_control;
  for (const StaticCacheRule& rule : options_.cache_rules) {
    if (!fits_pattern(path, rule.pattern)) continue;
    value = rule.cache_control;
    break;
  }
  if (!value.empty()) context.set_header("Cache-Control", value);
}

}  // namespace weft::app
