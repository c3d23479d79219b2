// Lazy reading of a query string: nothing is split or decoded before it is asked for.
//
// Invariants: a view over the query as sent (without the '?'), which must outlive it. Pairs are
// separated by '&'; empty ones are skipped; a pair without '=' has an empty value.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "http/lazy_pairs.hpp"

namespace weft::http {

// One pair, still encoded.
struct QueryPair {
  std::string_view name;
  std::string_view value;
};

bool take_query_pair(std::string_view& rest, QueryPair& pair);

class Query : public LazyPairs<QueryPair, take_query_pair> {
 public:
  using LazyPairs::LazyPairs;

  // The value as sent of the first pair whose decoded name is `name`.
  [[nodiscard]] std::optional<std::string_view> find_raw(std::string_view name) const;
  // Gives every such value, in order, to visit(string_view).
  template <class Visit>
  void for_each_raw(std::string_view name, Visit&& visit) const {
    for (const QueryPair& pair : *this) {
      if (is_named(pair, name)) visit(pair.value);
    }
  }
  // The first, decoded; nothing also when the value's escapes are broken.
  [[nodiscard]] std::optional<std::string> find(std::string_view name) const;

 private:
  // Whether the pair's name decodes to `name`.
  [[nodiscard]] static bool is_named(const QueryPair& pair, std::string_view name);
};

}  // namespace weft::http
