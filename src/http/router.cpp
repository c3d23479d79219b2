#include "http/router.hpp"

#include <algorithm>
#include <utility>

namespace weft::http {

namespace {

// A pattern's pieces one after the other, with the parameters' names left out.
void append_shape(std::string& shape, const PatternPiece& piece) {
  switch (piece.kind) {
    case PatternPiece::Kind::text: shape += piece.text; break;
    case PatternPiece::Kind::param: shape += ':'; break;
    case PatternPiece::Kind::wildcard: shape += '*'; break;
  }
}

// Prefixes and child lists are a few bytes long, so plain loops beat calls into the library.
bool begins_with(std::string_view text, std::string_view prefix) {
  if (text.size() < prefix.size()) return false;
  for (std::size_t i = 0; i < prefix.size(); ++i) {
    if (text[i] != prefix[i]) return false;
  }
  return true;
}

std::size_t index_of(std::string_view bytes, char wanted) {
  std::size_t index = 0;
  while (index < bytes.size() && bytes[index] != wanted) ++index;
  return index;
}

std::string describe(Method method, std::string_view pattern) {
  return std::string(name(method)) + " " + std::string(pattern);
}

}  // namespace

std::optional<std::string_view> Params::find(std::string_view name) const {
  for (std::size_t i = 0; i < size_; ++i) {
    if ((*names_)[i] == name) return value(i);
  }
  return std::nullopt;
}

struct Router::Search {
  Method method;
  std::string_view path;
  Params& params;
  Match match;
};

std::optional<RouteError> Router::add(Method method, std::string_view pattern, RouteId route) {
  if (method == Method::unknown) return RouteError{"a route needs a method that is known"};
  auto parsed = parse_route_pattern(pattern);
  if (const auto* reason = std::get_if<std::string>(&parsed)) return RouteError{*reason};
  const auto& accepted = std::get<RoutePattern>(parsed);
  if (auto error = conflict(method, accepted)) return error;

  Leaf& leaf = leaves_[leaf_for(accepted)];
  leaf.registered.add(method);
  leaf.answered.add(method);
  leaf.routes[static_cast<std::size_t>(method)] = route;
  if (method == Method::get && !leaf.registered.contains(Method::head)) {
    leaf.answered.add(Method::head);
    leaf.routes[static_cast<std::size_t>(Method::head)] = route;
  }
  ++route_count_;
  return std::nullopt;
}

std::optional<RouteError> Router::conflict(Method method, const RoutePattern& pattern) const {
  std::string text;
  for (const PatternPiece& piece : pattern.pieces) {
    append_shape(text, piece);
    if (piece.kind == PatternPiece::Kind::text) continue;
    const auto known = shapes_.find(text);
    if (known != shapes_.end() && known->second.name != piece.text) {
      return RouteError{describe(method, pattern.text) + " calls a parameter \"" + piece.text +
                        "\" that " + known->second.pattern + " calls \"" + known->second.name +
                        "\"; one place has one name"};
    }
  }
  const auto known = shapes_.find(text);
  if (known == shapes_.end() || known->second.leaf == none ||
      !leaves_[known->second.leaf].registered.contains(method)) {
    return std::nullopt;
  }
  return RouteError{describe(method, pattern.text) + " is registered already, as " +
                    describe(method, known->second.pattern)};
}

// Finds or makes the leaf, the nodes that lead to it, and the shapes that conflict() looks up.
std::uint32_t Router::leaf_for(const RoutePattern& pattern) {
  using Kind = PatternPiece::Kind;
  std::string text;
  std::uint32_t node = 0;
  std::uint32_t* leaf = nullptr;
  for (const PatternPiece& piece : pattern.pieces) {
    append_shape(text, piece);
    if (piece.kind == Kind::text) {
      node = descend_static(node, piece.text);
      leaf = &nodes_[node].leaf;
      continue;
    }
    shapes_.try_emplace(text, Shape{piece.text, pattern.text, none});
    if (piece.kind == Kind::wildcard) {
      leaf = &nodes_[node].wildcard;
      break;
    }
    if (nodes_[node].param == none) {
      const std::uint32_t added = add_node({});
      nodes_[node].param = added;
    }
    node = nodes_[node].param;
    leaf = &nodes_[node].leaf;
  }
  if (*leaf == none) {
    *leaf = static_cast<std::uint32_t>(leaves_.size());
    leaves_.emplace_back().names =
        std::make_shared<const std::vector<std::string>>(pattern.names());
    shapes_.try_emplace(text, Shape{{}, pattern.text, none}).first->second.leaf = *leaf;
  }
  return *leaf;
}

// The node that the text leads to from `node`, made where there is none.
std::uint32_t Router::descend_static(std::uint32_t node, std::string_view text) {
  while (!text.empty()) {
    const std::size_t index = nodes_[node].child_bytes.find(text.front());
    if (index == std::string::npos) {
      const std::uint32_t added = add_node(text);
      nodes_[node].child_bytes += text.front();
      nodes_[node].children.push_back(added);
      return added;
    }
    node = nodes_[node].children[index];
    const std::string& prefix = nodes_[node].prefix;
    const auto differ = std::mismatch(prefix.begin(), prefix.end(), text.begin(), text.end());
    const auto common = static_cast<std::size_t>(differ.first - prefix.begin());
    if (common < prefix.size()) split(node, common);
    text.remove_prefix(common);
  }
  return node;
}

std::uint32_t Router::add_node(std::string_view prefix) {
  nodes_.emplace_back().prefix = prefix;
  return static_cast<std::uint32_t>(nodes_.size() - 1);
}

// Cuts the node's prefix after `length` bytes; everything below moves to a new child.
void Router::split(std::uint32_t node, std::size_t length) {
  Node lower = std::move(nodes_[node]);
  Node upper;
  upper.prefix = lower.prefix.substr(0, length);
  lower.prefix.erase(0, length);
  upper.child_bytes = lower.prefix.front();
  upper.children = {static_cast<std::uint32_t>(nodes_.size())};
  nodes_[node] = std::move(upper);
  nodes_.push_back(std::move(lower));
}

Match Router::match(Method method, std::string_view path, Params& params) const {
  Search search{method, path, params, {}};
  params.size_ = 0;
  if (!walk(search, 0, 0, 0) && !search.match.allowed.empty()) {
    search.match.state = MatchState::method_not_allowed;
  }
  return search.match;
}

// Tries everything below `node`, whose own text has been matched up to `position`.
bool Router::walk(Search& search, std::uint32_t node_index, std::size_t position,
                  std::size_t depth) const {
  const std::string_view path = search.path;
  for (;;) {
    const Node& node = nodes_[node_index];
    if (position == path.size()) {
      if (node.leaf != none && accept(search, node.leaf, depth)) return true;
    } else if (const std::size_t index = index_of(node.child_bytes, path[position]);
               index != node.child_bytes.size()) {
      const std::uint32_t child_index = node.children[index];
      const std::string& prefix = nodes_[child_index].prefix;
      if (begins_with(path.substr(position), prefix)) {
        if (node.param == none && node.wildcard == none) {
          // Nothing to come back for.
          node_index = child_index;
          position += prefix.size();
          continue;
        }
        if (walk(search, child_index, position + prefix.size(), depth)) return true;
      }
    }
    const auto offset = static_cast<std::uint32_t>(position);
    if (node.param != none && position < path.size() && path[position] != '/') {
      const std::size_t end = position + index_of(path.substr(position), '/');
      search.params.values_[depth] = {offset, static_cast<std::uint32_t>(end - position)};
      if (walk(search, node.param, end, depth + 1)) return true;
    }
    if (node.wildcard == none) return false;
    search.params.values_[depth] = {offset, static_cast<std::uint32_t>(path.size() - position)};
    return accept(search, node.wildcard, depth + 1);
  }
}

bool Router::accept(Search& search, std::uint32_t leaf_index, std::size_t depth) const {
  const Leaf& leaf = leaves_[leaf_index];
  if (!leaf.answered.contains(search.method)) {
    search.match.allowed.add(leaf.answered);
    return false;
  }
  search.match.state = MatchState::found;
  search.match.route = leaf.routes[static_cast<std::size_t>(search.method)];
  search.params.names_ = leaf.names.get();
  search.params.path_ = search.path.data();
  search.params.size_ = depth;
  return true;
}

}  // namespace weft::http
