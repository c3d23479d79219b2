// Routing: a match's parameters, put back into its pattern, give the path that was looked up.
//
// Every line of an input is a pattern to register, as far as it is accepted; the last line is the
// path to look up.

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "http/router.hpp"

namespace {

using namespace weft::http;

std::string rebuild(std::string_view pattern, const Params& params) {
  const auto parsed = parse_route_pattern(pattern);
  std::string path;
  std::size_t next = 0;
  for (const PatternPiece& piece : std::get<RoutePattern>(parsed).pieces) {
    if (piece.kind == PatternPiece::Kind::text) {
      path += piece.text;
      continue;
    }
    if (params.name(next) != piece.text) std::abort();
    path += params.value(next++);
  }
  if (next != params.size()) std::abort();
  return path;
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
  if (router.size() != patterns.size()) std::abort();
  Params params;
  const Match match = router.match(Method::get, rest, params);
  if (match.state == MatchState::method_not_allowed) std::abort();
  if (match.state == MatchState::found && rebuild(patterns[match.route], params) != rest) {
    std::abort();
  }
  // A pattern without parameters finds itself.
  for (std::size_t i = 0; i < patterns.size(); ++i) {
    if (patterns[i].find_first_of(":*") != std::string_view::npos) continue;
    const Match own = router.match(Method::get, patterns[i], params);
    if (own.state != MatchState::found || own.route != i) std::abort();
  }
  return 0;
}
