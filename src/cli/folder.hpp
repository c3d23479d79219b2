// Folders beneath a root, for `weft serve`: whether there is one, and what is in it.
//
// Nothing outside the root is reached, whatever links lead there. These block: call them where that
// does no harm.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace weft::cli {

struct FolderEntry {
  std::string name;
  bool is_folder = false;
};

// `path` without a slash at the end; empty is the root.
bool is_folder(int root, const std::string& path);
// In the order of their names, without hidden ones; nothing when it cannot be read or there are
// more than `most`.
std::optional<std::vector<FolderEntry>> list_folder(int root, const std::string& path,
                                                    std::size_t most);

}  // namespace weft::cli
