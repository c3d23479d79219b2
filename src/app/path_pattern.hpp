// PathPattern and PathTemplate: what redirects and rewrites compare paths with, and what they make
// of them.
//
// Made once, then only read; any thread. Matching takes no longer than the path and the pattern are
// long, multiplied: each `*` takes the shortest text behind which the next part of the pattern is,
// and nothing is tried twice.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weft::app {

inline constexpr std::size_t kMostCaptures = 9;

// What the stars of a pattern took; views of the path.
using Captures = std::array<std::string_view, kMostCaptures>;

class PathPattern {
 public:
  // Throws std::invalid_argument.
  explicit PathPattern(std::string_view text);

  std::optional<Captures> match(std::string_view path) const noexcept;
  std::size_t stars() const noexcept { return parts_.size() - 1; }

 private:
  std::vector<std::string> parts_;  // the text between the stars, one more than there are stars
};

class PathTemplate {
 public:
  // For a pattern of so many stars. Throws std::invalid_argument.
  PathTemplate(std::string_view text, std::size_t stars);

  std::string fill(const Captures& captures) const;

 private:
  struct Piece {
    std::string text;  // then
    std::size_t capture = kMostCaptures;
  };

  std::vector<Piece> pieces_;
};

struct PathRule {
  PathPattern from;
  PathTemplate to;
};

// Where a rule may lead: to a path here, or also to another place.
enum class LeadsTo : std::uint8_t { path, path_or_address };

// Throws std::invalid_argument, with both in its text.
PathRule parse_path_rule(std::string_view from, std::string_view to, LeadsTo leads_to);

}  // namespace weft::app
