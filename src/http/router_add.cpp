#include <algorithm>
#include <utility>

#include "http/router.hpp"

namespace weft::http {

namespace {

// A pattern's pieces one after the other, with the parameters' names left out.
void append_shape(std::string& shape, const PatternPiece& piece) {
  switch (piece.kind) {
    case PatternPiece::Kind::text: shape += piece.text; break;
    case PatternPiece::Kind::param:
      shape += ':';
      // No static text can be mistaken for this: it holds no braces.
      if (piece.type) shape.append("{").append(name(*piece.type)).append("}");
      break;
    case PatternPiece::Kind::wildcard: shape += '*'; break;
  }
}

}  // namespace

std::string Router::describe(const Owner& owner) {
  return std::string(owner.method ? name(*owner.method) : "ANY") + " " + owner.pattern;
}

std::optional<RouteError> Router::add(Method method, std::string_view pattern, RouteId route) {
  if (method == Method::unknown) return RouteError{"a route needs a method that is known"};
  return add_to(method, pattern, route);
}

std::optional<RouteError> Router::add_any(std::string_view pattern, RouteId route) {
  return add_to(std::nullopt, pattern, route);
}

std::optional<RouteError> Router::add_to(std::optional<Method> method, std::string_view pattern,
                                         RouteId route) {
  auto parsed = parse_route_pattern(pattern);
  if (const auto* reason = std::get_if<std::string>(&parsed)) return RouteError{*reason};
  const auto& accepted = std::get<RoutePattern>(parsed);
  Owner owner{method, accepted.text};
  if (auto error = conflict(owner, accepted)) return error;

  std::uint32_t& place = *place_of(accepted);
  Shape& shape = shape_for(owner, accepted);
  shape.owners.reserve(shape.owners.size() + 1);
  if (place == none) {
    auto names = std::make_shared<const std::vector<std::string>>(accepted.names());
    leaves_.emplace_back().names = std::move(names);
    place = static_cast<std::uint32_t>(leaves_.size() - 1);
  }
  // Nothing throws from here on.
  shape.leaf = place;
  shape.owners.push_back(std::move(owner));
  Leaf& leaf = leaves_[place];
  if (method) {
    leaf.registered.add(*method);
    leaf.routes[static_cast<std::size_t>(*method)] = route;
  } else {
    leaf.any = route;
  }
  leaf.answer_what_is_left();
  ++route_count_;
  return std::nullopt;
}

// For the methods without a route of their own: HEAD is GET without a body, before it is any.
void Router::Leaf::answer_what_is_left() {
  answered.add(registered);
  for (std::size_t i = 0; i < method_count; ++i) {
    const auto method = static_cast<Method>(i);
    if (registered.contains(method)) continue;
    if (method == Method::head && registered.contains(Method::get)) {
      routes[i] = routes[static_cast<std::size_t>(Method::get)];
    } else if (any && method != Method::trace && method != Method::connect) {
      routes[i] = *any;
    } else {
      continue;
    }
    answered.add(method);
  }
}

std::optional<RouteError> Router::conflict(const Owner& owner, const RoutePattern& pattern) const {
  std::string text;
  for (const PatternPiece& piece : pattern.pieces) {
    append_shape(text, piece);
    if (piece.kind == PatternPiece::Kind::text) continue;
    const auto known = shapes_.find(text);
    if (known != shapes_.end() && known->second.name != piece.text) {
      return RouteError{describe(owner) + " calls a parameter \"" + piece.text + "\" that " +
                        describe(known->second.first) + " calls \"" + known->second.name +
                        "\"; one place has one name"};
    }
  }
  const auto known = shapes_.find(text);
  if (known == shapes_.end()) return std::nullopt;
  for (const Owner& other : known->second.owners) {
    if (other.method != owner.method) continue;
    return RouteError{describe(owner) + " is registered already, as " + describe(other)};
  }
  return std::nullopt;
}

// The pattern's own shape; those that it begins with are made on the way.
Router::Shape& Router::shape_for(const Owner& owner, const RoutePattern& pattern) {
  std::string text;
  for (const PatternPiece& piece : pattern.pieces) {
    append_shape(text, piece);
    if (piece.kind == PatternPiece::Kind::text) continue;
    shapes_.try_emplace(text, Shape{piece.text, owner, {}, none});
  }
  return shapes_.try_emplace(text, Shape{{}, owner, {}, none}).first->second;
}

// Where the number of the pattern's leaf is; the nodes that lead there are made on the way.
std::uint32_t* Router::place_of(const RoutePattern& pattern) {
  std::uint32_t node = 0;
  for (const PatternPiece& piece : pattern.pieces) {
    switch (piece.kind) {
      case PatternPiece::Kind::text: node = descend_static(node, piece.text); break;
      case PatternPiece::Kind::param: node = descend_param(node, piece.type); break;
      case PatternPiece::Kind::wildcard: return &nodes_[node].wildcard;
    }
  }
  return &nodes_[node].leaf;
}

std::uint32_t Router::descend_param(std::uint32_t node, std::optional<ParamType> type) {
  if (type && nodes_[node].typed == none) {
    typed_.emplace_back().fill(none);
    nodes_[node].typed = static_cast<std::uint32_t>(typed_.size() - 1);
  }
  const auto next = [&]() -> std::uint32_t& {
    return type ? typed_[nodes_[node].typed][static_cast<std::size_t>(*type)] : nodes_[node].param;
  };
  if (next() == none) {
    const std::uint32_t added = add_node({});
    next() = added;
  }
  return next();
}

// The node that the text leads to from `node`, made where there is none.
std::uint32_t Router::descend_static(std::uint32_t node, std::string_view text) {
  while (!text.empty()) {
    const std::uint32_t child = child_at(nodes_[node], text.front());
    if (child == none) {
      const std::uint32_t added = add_node(text);
      add_child(node, added);
      return added;
    }
    node = child;
    const std::string_view own = text_of(nodes_[node]);
    const auto differ = std::mismatch(own.begin(), own.end(), text.begin(), text.end());
    const auto common = static_cast<std::size_t>(differ.first - own.begin());
    if (common < own.size()) split(node, static_cast<std::uint32_t>(common));
    text.remove_prefix(common);
  }
  return node;
}

std::uint32_t Router::add_node(std::string_view text) {
  Node node;
  node.text = static_cast<std::uint32_t>(texts_.size());
  node.text_size = static_cast<std::uint32_t>(text.size());
  texts_ += text;
  nodes_.push_back(node);
  return static_cast<std::uint32_t>(nodes_.size() - 1);
}

void Router::add_child(std::uint32_t node_index, std::uint32_t child) {
  Node& node = nodes_[node_index];
  const std::uint32_t moved = new_list(node.child_count + 1);
  std::copy_n(children_.begin() + node.children, node.child_count, children_.begin() + moved);
  std::copy_n(child_bytes_.begin() + node.children, node.child_count, child_bytes_.begin() + moved);
  children_[moved + node.child_count] = child;
  child_bytes_[moved + node.child_count] = text_of(nodes_[child]).front();
  node.children = moved;
  ++node.child_count;
}

// Where a list of so many children begins, at the end of the tables.
std::uint32_t Router::new_list(std::uint32_t size) {
  const auto begin = static_cast<std::uint32_t>(children_.size());
  child_bytes_.resize(begin + size);
  children_.resize(begin + size);
  return begin;
}

// Cuts the node's text after `length` bytes; everything below moves to a new child.
void Router::split(std::uint32_t node_index, std::uint32_t length) {
  Node lower = nodes_[node_index];
  lower.text += length;
  lower.text_size -= length;
  nodes_.push_back(lower);
  const auto added = static_cast<std::uint32_t>(nodes_.size() - 1);
  Node upper;
  upper.text = nodes_[node_index].text;
  upper.text_size = length;
  upper.children = new_list(1);
  upper.child_count = 1;
  children_[upper.children] = added;
  child_bytes_[upper.children] = text_of(lower).front();
  nodes_[node_index] = upper;
}

}  // namespace weft::http
