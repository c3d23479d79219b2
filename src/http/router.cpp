#include "http/router.hpp"

#include <algorithm>
#include <cstring>

namespace weft::http {

namespace {

// Texts are a few bytes long, so what is plain beats calls into the library.
template <class Word>
bool same(const char* left, const char* right) {
  Word of_left;
  Word of_right;
  std::memcpy(&of_left, left, sizeof of_left);
  std::memcpy(&of_right, right, sizeof of_right);
  return of_left == of_right;
}

// In words, of which the last may overlap the one before it.
template <class Word>
bool same_words(const char* left, const char* right, std::size_t size) {
  const std::size_t last = size - sizeof(Word);
  for (std::size_t i = 0; i < last; i += sizeof(Word)) {
    if (!same<Word>(left + i, right + i)) return false;
  }
  return same<Word>(left + last, right + last);
}

[[gnu::always_inline]] inline bool begins_with(std::string_view text, std::string_view prefix) {
  const std::size_t size = prefix.size();
  if (text.size() < size) return false;
  if (size >= 8) return same_words<std::uint64_t>(text.data(), prefix.data(), size);
  if (size >= 4) return same_words<std::uint32_t>(text.data(), prefix.data(), size);
  for (std::size_t i = 0; i < size; ++i) {
    if (text[i] != prefix[i]) return false;
  }
  return true;
}

inline std::size_t segment_length(std::string_view rest) {
  std::size_t length = 0;
  while (length < rest.size() && rest[length] != '/') ++length;
  return length;
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

Match Router::match(Method method, std::string_view path, Params& params) const {
  Search search{method, path, params, {}};
  params.size_ = 0;
  if (walk(search, 0, 0, 0)) return search.match;
  if (!search.match.allowed.empty()) {
    search.match.state = MatchState::method_not_allowed;
  } else if (trailing_slash_ != TrailingSlash::strict) {
    return match_other_slash(method, path, params);
  }
  return search.match;
}

// A path that there is, but without this method, is answered as it would be under its own name.
Match Router::match_other_slash(Method method, std::string_view path, Params& params) const {
  const std::string other = with_other_slash(path);
  if (other.empty()) return {};
  Search search{method, other, params, {}};
  Match& match = search.match;
  if (!walk(search, 0, 0, 0)) {
    if (!match.allowed.empty()) match.state = MatchState::method_not_allowed;
    return match;
  }
  // No parameter holds the slash at the end, but one that is empty may lie behind it.
  params.rebase(path.data());
  const auto end = static_cast<std::uint32_t>(path.size());
  for (std::size_t i = 0; i < params.size_; ++i) {
    params.values_[i].offset = std::min(params.values_[i].offset, end);
  }
  if (trailing_slash_ == TrailingSlash::ignore) return match;
  if (!stays_here(other)) return {};
  match.state = MatchState::other_slash;
  return match;
}

// Where the text of a node ends in the path, or 0 when that holds another one. Its first byte is
// known to fit. A text of one byte is taken for what it is, so that whatever comes next does not
// have to wait for its size.
[[gnu::always_inline]] inline std::size_t Router::end_of_text(const Node& node,
                                                              std::string_view path,
                                                              std::size_t position) const {
  if (node.text_size == 1) return position + 1;
  const std::string_view text = text_of(node);
  return begins_with(path.substr(position), text) ? position + text.size() : 0;
}

// Tries everything below `node`, whose own text has been matched up to `position`.
bool Router::walk(Search& search, std::uint32_t node_index, std::size_t position,
                  std::size_t depth) const {
  const std::string_view path = search.path;
  for (;;) {
    const Node& node = nodes_[node_index];
    if (position == path.size()) {
      if (node.leaf != none && accept(search, node.leaf, depth)) return true;
    } else if (const std::uint32_t child = child_at(node, path[position]); child != none) {
      const std::size_t after = end_of_text(nodes_[child], path, position);
      if (after != 0) {
        if (node.only_text()) {
          // Nothing to come back for.
          node_index = child;
          position = after;
          continue;
        }
        if (walk(search, child, after, depth)) return true;
      }
    }
    if (node.typed != none && walk_typed(search, typed_[node.typed], position, depth)) return true;
    const auto offset = static_cast<std::uint32_t>(position);
    if (node.param != none && position < path.size() && path[position] != '/') {
      const std::size_t length = segment_length(path.substr(position));
      search.params.values_[depth++] = {offset, static_cast<std::uint32_t>(length)};
      if (node.wildcard == none) {
        node_index = node.param;
        position += length;
        continue;
      }
      if (walk(search, node.param, position + length, depth)) return true;
      --depth;
    }
    if (node.wildcard == none) return false;
    search.params.values_[depth] = {offset, static_cast<std::uint32_t>(path.size() - position)};
    return accept(search, node.wildcard, depth + 1);
  }
}

bool Router::walk_typed(Search& search, const TypedParams& typed, std::size_t position,
                        std::size_t depth) const {
  const std::string_view rest = search.path.substr(position);
  const std::string_view segment = rest.substr(0, segment_length(rest));
  for (std::size_t i = 0; i < typed.size(); ++i) {
    if (typed[i] == none || !fits(static_cast<ParamType>(i), segment)) continue;
    // Set for each of them: those tried before have written here and behind it.
    search.params.values_[depth] = {static_cast<std::uint32_t>(position),
                                    static_cast<std::uint32_t>(segment.size())};
    if (walk(search, typed[i], position + segment.size(), depth + 1)) return true;
  }
  return false;
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
