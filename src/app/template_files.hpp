// The files of templates, before the library sees them: each is taken apart, checked, and put
// together with what it includes into one text that includes nothing.
//
// Invariants: what flatten() gives has tags for values and sections only, all of which are closed,
// and no more than kMostSections within one another. Throws TemplateError. Any thread.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "weft/templates.hpp"

namespace weft::app {

// Sections within one another, with those of what is included. Pages stay below six; what fills
// them in takes stack for each.
inline constexpr std::size_t kMostSections = 16;
// Files within one another.
inline constexpr std::size_t kMostIncludes = 16;
// Tags and texts of one template with all that it includes. A page has hundreds.
inline constexpr std::size_t kMostParts = 100'000;

// A part of a template.
struct TemplateNode {
  enum class Kind : unsigned char { text, open, close, include, parent, block };
  Kind kind = Kind::text;
  std::string text;  // as it is written, tags of values too; of the last three the name
  std::size_t line = 1;
  std::vector<TemplateNode> nodes;  // of a parent its blocks, of a block what is in it
};

// By the name of the file, relative to the folder.
using TemplateFiles = std::map<std::string, std::vector<TemplateNode>, std::less<>>;

// `where` is what messages call the file.
std::vector<TemplateNode> parse_template(std::string_view text, const std::string& where);

// One template with all that it includes, at most so many bytes.
std::string flatten_template(const TemplateFiles& files, const std::string& folder,
                             const std::string& name, std::size_t most);

}  // namespace weft::app
