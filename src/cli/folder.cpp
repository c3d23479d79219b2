#include "cli/folder.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

#include "weft/detail/descriptor.hpp"

namespace weft::cli {
namespace {

using weft::detail::Descriptor;

Descriptor open_folder(int root, const std::string& path, std::uint64_t access) {
  open_how how{};
  how.flags = access | O_DIRECTORY | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  const char* const name = path.empty() ? "." : path.c_str();
  return Descriptor(static_cast<int>(::syscall(SYS_openat2, root, name, &how, sizeof how)));
}

struct CloseFolder {
  void operator()(DIR* folder) const noexcept { ::closedir(folder); }
};

bool leads_to_folder(int folder, const dirent& entry) {
  if (entry.d_type != DT_UNKNOWN && entry.d_type != DT_LNK) return entry.d_type == DT_DIR;
  struct stat state{};
  return ::fstatat(folder, entry.d_name, &state, 0) == 0 && S_ISDIR(state.st_mode);
}

}  // namespace

bool is_folder(int root, const std::string& path) {
  return open_folder(root, path, O_PATH).fd() >= 0;
}

std::optional<std::vector<FolderEntry>> list_folder(int root, const std::string& path,
                                                    std::size_t most) {
  Descriptor opened = open_folder(root, path, O_RDONLY);
  if (opened.fd() < 0) return std::nullopt;
  const std::unique_ptr<DIR, CloseFolder> folder(::fdopendir(opened.fd()));
  if (!folder) return std::nullopt;
  static_cast<void>(opened.release());
  std::vector<FolderEntry> entries;
  while (const dirent* entry = ::readdir(folder.get())) {
    if (entry->d_name[0] == '.') continue;
    if (entries.size() == most) return std::nullopt;
    entries.push_back({entry->d_name, leads_to_folder(::dirfd(folder.get()), *entry)});
  }
  std::ranges::sort(entries, {}, &FolderEntry::name);
  return entries;
}

}  // namespace weft::cli
