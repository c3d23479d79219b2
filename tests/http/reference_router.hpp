// ReferenceRouter: what a Router is to answer, found by trying every pattern, slowly and plainly.
//
// It takes parsed patterns apart itself and shares no code with the tree. One thread.
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/param_type.hpp"
#include "http/router.hpp"

namespace weft::http::test {

class ReferenceRouter {
 public:
  struct Answer {
    MatchState state = MatchState::not_found;
    RouteId route = 0;
    MethodSet allowed;
    std::vector<std::string> values;
  };

  // False when the same was added before, names aside. `method` nothing: any.
  bool add(std::optional<Method> method, const RoutePattern& pattern, RouteId route) {
    Entry& entry = entries_[shape_of(pattern)];
    if (entry.routes.contains(method)) return false;
    entry.pieces = pattern.pieces;
    entry.routes[method] = route;
    return true;
  }

  Answer match(Method method, std::string_view path) const {
    Answer best;
    std::string best_choices;
    for (const auto& [shape, entry] : entries_) {
      std::vector<std::string> values;
      const auto choices = choices_of(entry.pieces, path, values);
      if (!choices) continue;
      const auto route = entry.route_of(method);
      entry.allow(best.allowed);
      if (!route || (best.state == MatchState::found && best_choices < *choices)) continue;
      best.state = MatchState::found;
      best.route = *route;
      best.values = std::move(values);
      best_choices = *choices;
    }
    if (best.state == MatchState::found) {
      best.allowed = {};
    } else if (!best.allowed.empty()) {
      best.state = MatchState::method_not_allowed;
    }
    return best;
  }

 private:
  struct Entry {
    std::vector<PatternPiece> pieces;
    std::map<std::optional<Method>, RouteId> routes;

    std::optional<RouteId> route_of(Method method) const {
      if (const auto own = routes.find(method); own != routes.end()) return own->second;
      const auto get = routes.find(Method::get);
      if (method == Method::head && get != routes.end()) return get->second;
      const auto any = routes.find(std::nullopt);
      const bool never = method == Method::trace || method == Method::connect;
      if (any == routes.end() || never) return std::nullopt;
      return any->second;
    }
    void allow(MethodSet& methods) const {
      for (std::size_t i = 0; i < method_count; ++i) {
        if (route_of(static_cast<Method>(i))) methods.add(static_cast<Method>(i));
      }
    }
  };

  static char rank(const PatternPiece& piece) {
    if (piece.kind == PatternPiece::Kind::text) return 'a';
    if (piece.kind == PatternPiece::Kind::wildcard) return 'z';
    return piece.type ? static_cast<char>('b' + static_cast<int>(*piece.type)) : 'y';
  }

  static std::string shape_of(const RoutePattern& pattern) {
    std::string shape;
    for (const PatternPiece& piece : pattern.pieces) {
      const bool is_text = piece.kind == PatternPiece::Kind::text;
      shape += is_text ? piece.text : std::string("\n") + rank(piece);
    }
    return shape;
  }

  // For each byte of the path, how it was matched; the lesser of two is the better match. Nothing
  // when the path does not fit.
  static std::optional<std::string> choices_of(const std::vector<PatternPiece>& pieces,
                                               std::string_view path,
                                               std::vector<std::string>& values) {
    std::string choices;
    for (const PatternPiece& piece : pieces) {
      std::size_t length = 0;
      switch (piece.kind) {
        case PatternPiece::Kind::text:
          if (!path.starts_with(piece.text)) return std::nullopt;
          length = piece.text.size();
          break;
        case PatternPiece::Kind::param:
          length = std::min(path.find('/'), path.size());
          if (length == 0) return std::nullopt;
          if (piece.type && !fits(*piece.type, path.substr(0, length))) return std::nullopt;
          break;
        case PatternPiece::Kind::wildcard:
          length = path.size();
          choices += rank(piece);  // also of nothing
          break;
      }
      if (piece.kind != PatternPiece::Kind::text) values.emplace_back(path.substr(0, length));
      choices.append(length, rank(piece));
      path.remove_prefix(length);
    }
    if (!path.empty()) return std::nullopt;
    return choices;
  }

  std::map<std::string, Entry> entries_;
};

}  // namespace weft::http::test
