#include "app/path_pattern.hpp"

#include <algorithm>
#include <stdexcept>

#include "http/trailing_slash.hpp"
#include "http/uri.hpp"

namespace weft::app {

namespace {

// What may stand in a Location, and in a path that came with a request.
bool is_visible(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7f && c != '\\'; });
}

// Where the path begins: behind the scheme and the host, which nothing that a client sends may be
// a part of. No position where there is none.
std::size_t path_of_address(std::string_view to) {
  const std::size_t scheme = to.starts_with("https://") ? 8 : to.starts_with("http://") ? 7 : 0;
  if (scheme == 0) return std::string_view::npos;
  const std::size_t slash = to.find('/', scheme);
  if (slash == std::string_view::npos) return std::string_view::npos;
  const std::string_view host = to.substr(scheme, slash - scheme);
  const bool is_fixed = !host.empty() && host.find('$') == std::string_view::npos;
  return is_fixed && http::is_authority(host) ? slash : std::string_view::npos;
}

std::invalid_argument refusal(std::string_view from, std::string_view to, const std::string& why) {
  return std::invalid_argument("rule from \"" + std::string(from) + "\" to \"" + std::string(to) +
                               "\": " + why);
}

}  // namespace

PathPattern::PathPattern(std::string_view text) {
  if (!text.starts_with('/')) throw std::invalid_argument("a path to compare with begins with '/'");
  if (!is_visible(text) || text.find_first_of("?#") != std::string_view::npos) {
    throw std::invalid_argument(
        "a path to compare with has neither a query nor bytes that must be escaped in a path");
  }
  for (;;) {
    const std::size_t star = text.find('*');
    parts_.emplace_back(text.substr(0, star));
    if (star == std::string_view::npos) break;
    text.remove_prefix(star + 1);
  }
  if (stars() > kMostCaptures) throw std::invalid_argument("a path has at most 9 stars");
  for (std::size_t i = 1; i + 1 < parts_.size(); ++i) {
    if (parts_[i].empty()) throw std::invalid_argument("two stars side by side take the same");
  }
}

std::optional<Captures> PathPattern::match(std::string_view path) const noexcept {
  Captures captures;
  if (!path.starts_with(parts_.front())) return std::nullopt;
  path.remove_prefix(parts_.front().size());
  const std::size_t last = parts_.size() - 1;
  if (last == 0) return path.empty() ? std::optional(captures) : std::nullopt;
  for (std::size_t i = 1; i < last; ++i) {
    const std::size_t found = path.find(parts_[i]);
    if (found == std::string_view::npos) return std::nullopt;
    captures[i - 1] = path.substr(0, found);
    path.remove_prefix(found + parts_[i].size());
  }
  if (!path.ends_with(parts_[last])) return std::nullopt;
  captures[last - 1] = path.substr(0, path.size() - parts_[last].size());
  return captures;
}

PathTemplate::PathTemplate(std::string_view text, std::size_t stars) {
  std::string plain;
  while (!text.empty()) {
    const std::size_t dollar = text.find('$');
    plain += text.substr(0, dollar);
    if (dollar == std::string_view::npos) break;
    const char which = dollar + 1 < text.size() ? text[dollar + 1] : '\0';
    text.remove_prefix(std::min(text.size(), dollar + 2));
    if (which == '$') {
      plain += '$';
      continue;
    }
    const std::size_t number =
        which >= '1' && which <= '9' ? static_cast<std::size_t>(which - '0') : kMostCaptures + 1;
    if (number > stars) {
      throw std::invalid_argument("behind '$' is the number of a star, and there are " +
                                  std::to_string(stars) + " of them; '$$' is a dollar sign");
    }
    pieces_.push_back({std::move(plain), number - 1});
    plain.clear();
  }
  if (!plain.empty() || pieces_.empty()) pieces_.push_back({std::move(plain)});
}

std::string PathTemplate::fill(const Captures& captures) const {
  std::string text;
  for (const Piece& piece : pieces_) {
    text += piece.text;
    if (piece.capture < kMostCaptures) text += captures[piece.capture];
  }
  return text;
}

PathRule parse_path_rule(std::string_view from, std::string_view to, LeadsTo leads_to) {
  const bool is_path = to.starts_with('/') && http::stays_here(to);
  if (!is_visible(to)) {
    throw refusal(from, to, "it leads to what has bytes that must be escaped in a path");
  }
  if (leads_to == LeadsTo::path) {
    if (!is_path) throw refusal(from, to, "a path begins with one '/'");
    if (to.find_first_of("?#") != std::string_view::npos) {
      throw refusal(from, to, "a path has no query; that of the request stays as it is");
    }
  } else if (!is_path && path_of_address(to) == std::string_view::npos) {
    throw refusal(from, to,
                  "it leads to a path that begins with one '/', or to an address that begins with "
                  "http:// or https://, a host without '$' in it, and '/'");
  }
  try {
    PathPattern pattern(from);
    PathTemplate made(to, pattern.stars());
    return {std::move(pattern), std::move(made)};
  } catch (const std::invalid_argument& error) {
    throw refusal(from, to, error.what());
  }
}

}  // namespace weft::app
