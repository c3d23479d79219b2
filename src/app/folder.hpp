// Folders beneath a root: what is in them, and the page that shows it.
//
// Nothing outside the root is reached, whatever links lead there. To look blocks: do it where that
// does no harm.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weft::app {

struct FolderEntry {
  std::string name;
  bool is_folder = false;
};

// `path` without a slash at the end; empty is the root. In the order of their names, without hidden
// ones and links that lead out of the root or nowhere; nothing when it cannot be read or there are
// more than `most`.
std::optional<std::vector<FolderEntry>> list_folder(int root, const std::string& path,
                                                    std::size_t most);

// A page of HTML with links to them; `path` is what people call the folder, with slashes around it.
std::string listing_page(std::string_view path, const std::vector<FolderEntry>& entries);

}  // namespace weft::app
