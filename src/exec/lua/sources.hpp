// Sources: the texts of one script and its modules, each read once, so that all states of a script
// run the same, whatever happens to the files meanwhile.
//
// Modules are files below one folder. Any thread.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace weft::exec::lua {

class Sources {
 public:
  // A text is at most so long: programs that people write are far below.
  static constexpr std::size_t kMostBytes = std::size_t{4} * 1024 * 1024;

  explicit Sources(std::string folder) : folder_(std::move(folder)) {}

  // The text of a file, or null with the reason in `refusal`. Good for as long as this.
  const std::string* read(const std::string& path, std::string& refusal);
  // The path of a module: "a.b" is a/b.lua or a/b/init.lua; empty, with the reason in `refusal`,
  // where there is none.
  std::string find_module(std::string_view name, std::string& refusal);
  // What has been read or looked for so far.
  std::vector<std::string> paths() const;
  const std::string& folder() const noexcept { return folder_; }

 private:
  void miss(const std::string& path);

  std::string folder_;
  mutable std::mutex mutex_;
  std::map<std::string, std::string> texts_;  // by path
  std::set<std::string> missed_;              // paths that were not there, or could not be read
};

}  // namespace weft::exec::lua
