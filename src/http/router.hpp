// The radix-tree router: which route answers a method and a path.
//
// Invariants: patterns are compared with the path as sent, byte by byte, without decoding. At every
// place a static text beats a parameter with a type (in the order of ParamType), which beats
// `:name`, which beats `*name`; a choice that leads nowhere is undone. Each node is visited at most
// once per lookup. add() either takes a route whole or changes nothing that match() could see, also
// when it throws for want of memory.
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
#include "http/trailing_slash.hpp"

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

enum class MatchState : std::uint8_t {
  found,
  not_found,
  method_not_allowed,
  other_slash,  // found under with_other_slash(), where the client is to go
};

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

  // The same for every method that the pattern has no route of its own for, now or later; but TRACE
  // and CONNECT, which only a route of their own answers.
  [[nodiscard]] std::optional<RouteError> add_any(std::string_view pattern, RouteId route);

  // For paths that would not be found otherwise; strict unless told.
  void set_trailing_slash(TrailingSlash policy) { trailing_slash_ = policy; }

  // The best route for the path (without query). HEAD falls back to GET. A path whose best
  // pattern does not answer the method goes to the next best pattern that does.
  [[nodiscard]] Match match(Method method, std::string_view path, Params& params) const;

  [[nodiscard]] std::size_t size() const { return route_count_; }

 private:
  static constexpr std::uint32_t none = ~std::uint32_t{0};

  // Where patterns end: the routes by method.
  struct Leaf {
    MethodSet answered;    // with HEAD where GET is registered, and with what `any` answers
    MethodSet registered;  // exactly what was added
    std::array<RouteId, method_count> routes{};
    std::optional<RouteId> any;
    std::shared_ptr<const std::vector<std::string>> names;

    void answer_what_is_left();
  };
  // Half a cache line. Its text and the list of its children lie in tables that all nodes share.
  struct Node {
    std::uint32_t text = 0;  // where the static text begins that leads to this node
    std::uint32_t text_size = 0;
    std::uint32_t children = 0;  // where the list of its static children begins
    std::uint32_t child_count = 0;
    std::uint32_t typed = none;     // its TypedParams
    std::uint32_t param = none;     // node after a `:name`
    std::uint32_t wildcard = none;  // leaf of a `*name`
    std::uint32_t leaf = none;      // leaf of the patterns that end here

    // Whether static text is all that can follow here.
    bool only_text() const { return (typed & param & wildcard) == none; }
  };
  // The nodes after parameters with a type, by type.
  using TypedParams = std::array<std::uint32_t, param_type_count>;
  // Who registered something, for error texts.
  struct Owner {
    std::optional<Method> method;  // nothing: any
    std::string pattern;
  };
  // What is known of a pattern, or of its beginning up to a parameter, when names are left out.
  struct Shape {
    std::string name;           // of the parameter that ends it
    Owner first;                // of those that begin so
    std::vector<Owner> owners;  // of the routes that end here
    std::uint32_t leaf = none;
  };
  struct Search;

  static std::string describe(const Owner& owner);
  [[nodiscard]] std::optional<RouteError> add_to(std::optional<Method> method,
                                                 std::string_view pattern, RouteId route);
  [[nodiscard]] std::optional<RouteError> conflict(const Owner& owner,
                                                   const RoutePattern& pattern) const;
  Shape& shape_for(const Owner& owner, const RoutePattern& pattern);
  std::uint32_t* place_of(const RoutePattern& pattern);
  std::uint32_t descend_static(std::uint32_t node, std::string_view text);
  std::uint32_t descend_param(std::uint32_t node, std::optional<ParamType> type);
  std::uint32_t add_node(std::string_view text);
  void add_child(std::uint32_t node, std::uint32_t child);
  std::uint32_t new_list(std::uint32_t size);
  void split(std::uint32_t node, std::uint32_t length);

  std::string_view text_of(const Node& node) const {
    return {texts_.data() + node.text, node.text_size};
  }
  // The static child whose text begins with the byte, or none.
  std::uint32_t child_at(const Node& node, char byte) const {
    const char* bytes = child_bytes_.data() + node.children;
    for (std::uint32_t i = 0; i < node.child_count; ++i) {
      if (bytes[i] == byte) return children_[node.children + i];
    }
    return none;
  }

  [[gnu::cold]] Match match_other_slash(Method method, std::string_view path, Params& params) const;
  std::size_t end_of_text(const Node& node, std::string_view path, std::size_t position) const;
  bool walk(Search& search, std::uint32_t node, std::size_t position, std::size_t depth) const;
  bool walk_typed(Search& search, const TypedParams& typed, std::size_t position,
                  std::size_t depth) const;
  bool accept(Search& search, std::uint32_t leaf, std::size_t depth) const;

  std::vector<Node> nodes_ = std::vector<Node>(1);
  std::string texts_;
  // The first byte of each child's text, and the child. A list that grows moves to the end.
  std::string child_bytes_;
  std::vector<std::uint32_t> children_;
  std::vector<TypedParams> typed_;
  std::vector<Leaf> leaves_;
  std::unordered_map<std::string, Shape> shapes_;
  std::size_t route_count_ = 0;
  TrailingSlash trailing_slash_ = TrailingSlash::strict;
};

}  // namespace weft::http
