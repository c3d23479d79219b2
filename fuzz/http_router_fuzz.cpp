// Routing: what the tree finds is what trying every pattern finds, its parameters put back into the
// pattern give the path that was looked up, and the policies for a slash at the end agree with it.
//
// Every line of an input is a pattern to register, as far as it is accepted; the last line is the
// path to look up.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "http/router.hpp"

namespace {

using namespace weft::http;

void require(bool promise) {
  if (!promise) std::abort();
}

RoutePattern parsed(std::string_view pattern) {
  return std::get<RoutePattern>(parse_route_pattern(pattern));
}

void check_parameters(std::string_view pattern, std::string_view path, const Params& params) {
  std::string rebuilt;
  std::size_t next = 0;
  for (const PatternPiece& piece : parsed(pattern).pieces) {
    if (piece.kind == PatternPiece::Kind::text) {
      rebuilt += piece.text;
      continue;
    }
    require(next < params.size() && params.name(next) == piece.text);
    const std::string_view value = params.value(next++);
    require(piece.kind == PatternPiece::Kind::wildcard || !value.empty());
    require(!piece.type || fits(*piece.type, value));
    rebuilt += value;
  }
  require(next == params.size() && rebuilt == path);
}

bool fits_pattern(const RoutePattern& pattern, std::string_view path) {
  for (const PatternPiece& piece : pattern.pieces) {
    if (piece.kind == PatternPiece::Kind::wildcard) return true;
    const bool is_text = piece.kind == PatternPiece::Kind::text;
    const std::size_t size = is_text ? piece.text.size() : std::min(path.find('/'), path.size());
    const std::string_view begin = path.substr(0, size);
    if (is_text ? begin != piece.text : begin.empty()) return false;
    if (piece.type && !fits(*piece.type, begin)) return false;
    path.remove_prefix(size);
  }
  return path.empty();
}

// Both policies do what strict does with the other path, and only when this one is not found.
void check_other_slash(Router router, std::string_view path, bool found) {
  const std::string other = with_other_slash(path);
  Params params;
  const Match expected = router.match(Method::get, other, params);
  router.set_trailing_slash(TrailingSlash::ignore);
  const Match ignored = router.match(Method::get, path, params);
  router.set_trailing_slash(TrailingSlash::redirect);
  const Match sent = router.match(Method::get, path, params);
  if (found) {
    require(ignored.state == MatchState::found && sent.state == MatchState::found);
    return;
  }
  require(ignored.state == expected.state && ignored.route == expected.route);
  const bool goes = expected.state == MatchState::found && stays_here(other);
  require(sent.state == (goes ? MatchState::other_slash : MatchState::not_found));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  Router router;
  std::vector<std::string_view> patterns;
  for (std::size_t end = rest.find('\n'); end != std::string_view::npos; end = rest.find('\n')) {
    const auto id = static_cast<RouteId>(patterns.size());
    const std::string_view pattern = rest.substr(0, end);
    rest.remove_prefix(end + 1);
    if (!router.add(Method::get, pattern, id)) patterns.push_back(pattern);
  }
  require(router.size() == patterns.size());
  Params params;
  const Match match = router.match(Method::get, rest, params);
  require(match.state == MatchState::found || match.state == MatchState::not_found);
  const bool found = match.state == MatchState::found;
  if (found) check_parameters(patterns[match.route], rest, params);
  require(found == std::any_of(patterns.begin(), patterns.end(), [rest](std::string_view pattern) {
            return fits_pattern(parsed(pattern), rest);
          }));
  check_other_slash(router, rest, found);
  // A pattern without parameters finds itself.
  for (std::size_t i = 0; i < patterns.size(); ++i) {
    if (patterns[i].find_first_of(":*{") != std::string_view::npos) continue;
    const Match own = router.match(Method::get, patterns[i], params);
    require(own.state == MatchState::found && own.route == i);
  }
  return 0;
}
