// LazyPairs: the pairs of names and values in a text, found one at a time as they are asked for.
//
// `take` cuts what belongs to the next pair off the front of `rest`, and is false when there is
// none. Nothing is copied; the text must outlive the view.
#pragma once

#include <cstddef>
#include <iterator>
#include <string_view>

namespace weft::http {

template <class Pair, bool (*take)(std::string_view& rest, Pair& pair)>
class LazyPairs {
 public:
  explicit LazyPairs(std::string_view text) : text_(text) {}

  class Iterator {
   public:
    using value_type = Pair;
    using difference_type = std::ptrdiff_t;

    Iterator() = default;
    explicit Iterator(std::string_view rest) : rest_(rest) { ++*this; }
    const Pair& operator*() const { return pair_; }
    const Pair* operator->() const { return &pair_; }
    Iterator& operator++() {
      at_end_ = !take(rest_, pair_);
      return *this;
    }
    void operator++(int) { ++*this; }
    bool operator==(std::default_sentinel_t) const { return at_end_; }

   private:
    std::string_view rest_;
    Pair pair_;
    bool at_end_ = true;
  };

  [[nodiscard]] Iterator begin() const { return Iterator(text_); }
  [[nodiscard]] std::default_sentinel_t end() const { return {}; }

 private:
  std::string_view text_;
};

}  // namespace weft::http
