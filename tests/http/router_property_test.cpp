// The tree beside a matcher that tries every pattern, on random routes and random paths.

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

#include "http/reference_router.hpp"
#include "http/sim/random.hpp"

namespace weft::http::test {

namespace {

constexpr std::string_view kUuid = "123e4567-e89b-12d3-a456-426614174000";

// Few and alike, so that prefixes are shared and choices are undone.
std::string random_text(Random& random) {
  constexpr std::array<std::string_view, 12> texts = {"a",  "ab", "abc", "b",     "12", "-7",
                                                      "7f", "",   "a:b", "x%41y", "z",  kUuid};
  return std::string(texts[random.below(texts.size())]);
}

std::string random_pattern(Random& random) {
  constexpr std::array<std::string_view, 5> types = {"int", "uint", "alpha", "hex", "uuid"};
  std::string pattern;
  const std::uint64_t segments = random.between(1, 5);
  for (std::uint64_t i = 0; i < segments; ++i) {
    const std::string name = "p" + std::to_string(i);  // one place has one name
    pattern += '/';
    switch (random.below(8)) {
      case 0: pattern += ":" + name; break;
      case 1: pattern += "{" + name + "}"; break;
      case 2:
      case 3: pattern += "{" + name + ":" + std::string(types[random.below(5)]) + "}"; break;
      case 4:
        if (i + 1 == segments) {
          pattern += random.chance(50) ? "*" + name : "{" + name + ":path}";
          break;
        }
        [[fallthrough]];
      default: pattern += random_text(random);
    }
  }
  return pattern;
}

std::string random_path(Random& random) {
  std::string path;
  const std::uint64_t segments = random.between(1, 6);
  for (std::uint64_t i = 0; i < segments; ++i) path += "/" + random_text(random);
  return path;
}

struct Routers {
  Router tree;
  ReferenceRouter reference;
  std::string listed;  // for messages

  void add_random(Random& random, RouteId id) {
    const std::string pattern = random_pattern(random);
    const bool any = random.chance(15);
    const auto method = static_cast<Method>(random.below(any ? 1 : method_count));
    const auto wish = any ? std::optional<Method>() : method;
    const auto refused = any ? tree.add_any(pattern, id) : tree.add(method, pattern, id);
    const bool fresh =
        reference.add(wish, std::get<RoutePattern>(parse_route_pattern(pattern)), id);
    listed += std::to_string(id) + " " + (any ? "ANY" : std::string(name(method))) + " " + pattern +
              (refused ? " refused: " + refused->text : "") + "\n";
    ASSERT_EQ(!refused, fresh) << listed;
  }

  void expect_agreement(Method method, std::string_view path) const {
    Params params;
    const Match match = tree.match(method, path, params);
    const auto expected = reference.match(method, path);
    const std::string what = std::string(name(method)) + " " + std::string(path) + "\n" + listed;
    ASSERT_EQ(match.state, expected.state) << what;
    if (match.state == MatchState::method_not_allowed) {
      ASSERT_EQ(match.allowed.allow_text(), expected.allowed.allow_text()) << what;
    }
    if (match.state != MatchState::found) return;
    ASSERT_EQ(match.route, expected.route) << what;
    ASSERT_EQ(params.size(), expected.values.size()) << what;
    for (std::size_t i = 0; i < params.size(); ++i) {
      ASSERT_EQ(params.value(i), expected.values[i]) << what;
    }
  }
};

// `sets` sets of routes, each asked about `paths` paths.
void compare(std::uint64_t seed, int sets, int paths) {
  for (int set = 0; set < sets; ++set) {
    Random random(seed + static_cast<std::uint64_t>(set));
    Routers routers;
    const auto routes = static_cast<RouteId>(random.between(1, 60));
    for (RouteId id = 0; id < routes; ++id) {
      ASSERT_NO_FATAL_FAILURE(routers.add_random(random, id)) << "seed " << seed + set;
    }
    for (int i = 0; i < paths; ++i) {
      const auto method = static_cast<Method>(random.below(method_count));
      ASSERT_NO_FATAL_FAILURE(routers.expect_agreement(method, random_path(random)))
          << "seed " << seed + set;
    }
  }
}

}  // namespace

TEST(RouterProperties, the_tree_agrees_with_trying_every_pattern) { compare(1, 300, 200); }

TEST(SlowRouterProperties, the_tree_agrees_with_trying_every_pattern) {
  compare(1'000'000, 20'000, 400);
}

}  // namespace weft::http::test
