// The radix-tree router: which route answers a method and a path.
//
// Invariants: patterns are compared with the path as sent, byte by byte, without decoding. At every
// place a static text beats `:name`, which beats `*name`; a choice that leads nowhere is undone.
// Each node is visited at most once per lookup. add() either takes a route whole or changes
// nothing.
// Threads: match() is const and takes no locks; each worker owns a copy. Copies share only the
// immutable parameter names, so Params stay valid while any copy lives, whatever is added
// meanwhile.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "http/method.hpp"
#include "http/route_pattern.hpp"

namespace weft::http {

using RouteId = std::uint32_t;

// The parameters of a match: names from the pattern, values as sent (still percent-encoded).
// Values are kept as offsets into the path, so that a path that has moved needs one rebase().
class Params {
 public:
  static constexpr std::size_t capacity = max_route_params;

  Params() {}  // NOLINT: leaves the spans untouched on purpose

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::string_view name(std::size_t index) const { return (*names_)[index]; }
  [[nodiscard]] std::string_view value(std::size_t index) const {
    return {path_ + values_[index].offset, values_[index].length};
  }
  [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const;

  // The path that was matched lies at `path` now.
  void rebase(const char* path) { path_ = path; }

 private:
  friend class Router;
  struct Value {
    std::uint32_t offset;
    std::uint32_t length;
  };

  const std::vector<std::string>* names_ = nullptr;
  const char* path_ = nullptr;
  std::size_t size_ = 0;
  std::array<Value, capacity> values_;
};

enum class MatchState : std::uint8_t { found, not_found, method_not_allowed };

struct Match {
  MatchState state = MatchState::not_found;
  RouteId route = 0;  // when found
  MethodSet allowed;  // when method_not_allowed: what this path does answer
};

// Why a route was refused: a sentence that names the routes involved.
struct RouteError {
  std::string text;
};

class Router {
 public:
  // Registers a route; on refusal returns why, and the router is unchanged.
  [[nodiscard]] std::optional<RouteError> add(Method method, std::string_view pattern,
                                              RouteId route);

  // The best route for the path (without query). HEAD falls back to GET. A path whose best
  // pattern does not answer the method goes to the next best pattern that does.
  [[nodiscard]] Match match(Method method, std::string_view path, Params& params) const;

  [[nodiscard]] std::size_t size() const { return route_count_; }

 private:
  static constexpr std::uint32_t none = ~std::uint32_t{0};

  // Where patterns end: the routes by method.
  struct Leaf {
    MethodSet answered;    // with HEAD where GET is registered
    MethodSet registered;  // exactly what was added
    std::array<RouteId, method_count> routes{};
    std::shared_ptr<const std::vector<std::string>> names;
  };
  struct Node {
    std::string prefix;                   // static text that leads to this node
    std::string child_bytes;              // first byte of each static child's prefix
    std::vector<std::uint32_t> children;  // static children, parallel to child_bytes
    std::uint32_t param = none;           // node after a `:name`
    std::uint32_t wildcard = none;        // leaf of a `*name`
    std::uint32_t leaf = none;            // leaf of the patterns that end here
  };
  // What is known of a pattern, or of its beginning up to a parameter, when names are left out.
  struct Shape {
    std::string name;     // of the parameter that ends it
    std::string pattern;  // the first that had this shape, for error texts
    std::uint32_t leaf = none;
  };
  struct Search;

  [[nodiscard]] std::optional<RouteError> conflict(Method method,
                                                   const RoutePattern& pattern) const;
  std::uint32_t leaf_for(const RoutePattern& pattern);
  std::uint32_t descend_static(std::uint32_t node, std::string_view text);
  std::uint32_t add_node(std::string_view prefix);
  void split(std::uint32_t node, std::size_t length);
  bool walk(Search& search, std::uint32_t node, std::size_t position, std::size_t depth) const;
  bool accept(Search& search, std::uint32_t leaf, std::size_t depth) const;

  std::vector<Node> nodes_ = std::vector<Node>(1);
  std::vector<Leaf> leaves_;
  std::unordered_map<std::string, Shape> shapes_;
  std::size_t route_count_ = 0;
};

}  // namespace weft::http
