// The code that documents show is code that is compiled and run.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace weft::examples {
namespace {

// Lines without what they have in common at the start.
std::vector<std::string> dedented(std::vector<std::string> lines) {
  std::size_t indent = std::string::npos;
  for (const std::string& line : lines) {
    if (!line.empty()) indent = std::min(indent, line.find_first_not_of(' '));
  }
  for (std::string& line : lines) {
    if (!line.empty()) line.erase(0, indent);
  }
  return lines;
}

std::vector<std::string> lines_of(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

bool holds(const std::vector<std::string>& source, const std::vector<std::string>& snippet) {
  const auto size = static_cast<std::ptrdiff_t>(snippet.size());
  for (auto at = source.begin(); source.end() - at >= size; ++at) {
    if (dedented({at, at + size}) == snippet) return true;
  }
  return false;
}

// What stands in blocks of C++ in a document.
std::vector<std::vector<std::string>> snippets_of(const std::filesystem::path& document) {
  std::vector<std::vector<std::string>> snippets;
  bool inside = false;
  for (const std::string& line : lines_of(document)) {
    if (line == "```cpp") {
      inside = true;
      snippets.emplace_back();
    } else if (line == "```") {
      inside = false;
    } else if (inside) {
      snippets.back().push_back(line);
    }
  }
  return snippets;
}

TEST(Documents, the_chapters_show_only_code_that_is_compiled_and_run) {
  const std::filesystem::path root = WEFT_SOURCE_DIR;
  std::vector<std::vector<std::string>> sources;
  for (const char* folder : {"examples", "tests/examples"}) {
    for (const auto& entry : std::filesystem::directory_iterator(root / folder)) {
      if (entry.path().extension() == ".cpp") sources.push_back(lines_of(entry.path()));
    }
  }
  auto snippets = snippets_of(root / "docs/green-threads.md");
  EXPECT_GT(snippets.size(), 10U);
  const auto of_http = snippets_of(root / "docs/http.md");
  EXPECT_GE(of_http.size(), 3U);
  snippets.insert(snippets.end(), of_http.begin(), of_http.end());
  for (const auto& snippet : snippets) {
    const auto wanted = dedented(snippet);
    const bool found = std::any_of(sources.begin(), sources.end(),
                                   [&](const auto& source) { return holds(source, wanted); });
    EXPECT_TRUE(found) << "in no source:\n" << wanted.front() << "\n...";
  }
}

TEST(Documents, what_the_readme_shows_of_green_threads_is_in_the_chapter) {
  const std::filesystem::path root = WEFT_SOURCE_DIR;
  const auto chapter = snippets_of(root / "docs/green-threads.md");
  const auto readme = snippets_of(root / "README.md");
  const auto scope = std::find_if(readme.begin(), readme.end(), [](const auto& snippet) {
    return snippet.front().starts_with("weft::scope(");
  });
  ASSERT_NE(scope, readme.end());
  EXPECT_NE(std::find(chapter.begin(), chapter.end(), *scope), chapter.end());
}

}  // namespace
}  // namespace weft::examples
