// Lazy reading of a query string: nothing is split or decoded before it is asked for.
//
// Invariants: a view over the query as sent (without the '?'), which must outlive it. Pairs are
// separated by '&'; empty ones are skipped; a pair without '=' has an empty value.
#pragma once

#include <cstddef>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>

namespace weft::http {

// One pair, still encoded.
struct QueryPair {
  std::string_view name;
  std::string_view value;
};

class Query {
 public:
  explicit Query(std::string_view text) : text_(text) {}

  class Iterator {
   public:
    using value_type = QueryPair;
    using difference_type = std::ptrdiff_t;

    Iterator() = default;
    explicit Iterator(std::string_view rest) : rest_(rest) { next(); }
    const QueryPair& operator*() const { return pair_; }
    const QueryPair* operator->() const { return &pair_; }
    Iterator& operator++() {
      next();
      return *this;
    }
    void operator++(int) { next(); }
    bool operator==(std::default_sentinel_t) const { return at_end_; }

   private:
    void next();

    std::string_view rest_;
    QueryPair pair_;
    bool at_end_ = true;
  };

  [[nodiscard]] Iterator begin() const { return Iterator(text_); }
  [[nodiscard]] std::default_sentinel_t end() const { return {}; }

  // The value as sent of the first pair whose decoded name is `name`.
  [[nodiscard]] std::optional<std::string_view> find_raw(std::string_view name) const;
  // The same, decoded; nothing also when the value's escapes are broken.
  [[nodiscard]] std::optional<std::string> find(std::string_view name) const;

 private:
  std::string_view text_;
};

}  // namespace weft::http
