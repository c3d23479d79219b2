#include "app/folder.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

#include "app/html_text.hpp"
#include "weft/detail/descriptor.hpp"

namespace weft::app {
namespace {

using weft::detail::Descriptor;

Descriptor open_beneath(int root, const std::string& path, int flags) {
  open_how how{};
  how.flags = static_cast<unsigned>(flags | O_CLOEXEC);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  const char* const name = path.empty() ? "." : path.c_str();
  return Descriptor(static_cast<int>(::syscall(SYS_openat2, root, name, &how, sizeof how)));
}

struct CloseFolder {
  void operator()(DIR* folder) const noexcept { ::closedir(folder); }
};

// Whether it is a folder, or leads to one; nothing when it leads out of the root, or nowhere.
std::optional<bool> leads_to_folder(int root, const std::string& path, const dirent& entry) {
  if (entry.d_type != DT_UNKNOWN && entry.d_type != DT_LNK) return entry.d_type == DT_DIR;
  const Descriptor led_to =
      open_beneath(root, path + (path.empty() ? "" : "/") + entry.d_name, O_PATH);
  struct stat state{};
  if (led_to.fd() < 0 || ::fstat(led_to.fd(), &state) != 0) return std::nullopt;
  return S_ISDIR(state.st_mode);
}

std::string escaped_for_link(std::string_view name) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string result;
  for (const char byte : name) {
    const auto code = static_cast<unsigned char>(byte);
    const bool plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                       (byte >= '0' && byte <= '9') || byte == '-' || byte == '_' || byte == '.';
    if (plain) {
      result += byte;
    } else {
      result += {'%', kDigits[code >> 4], kDigits[code & 15]};
    }
  }
  return result;
}

}  // namespace

std::optional<std::vector<FolderEntry>> list_folder(int root, const std::string& path,
                                                    std::size_t most) {
  Descriptor opened = open_beneath(root, path, O_RDONLY | O_DIRECTORY);
  if (opened.fd() < 0) return std::nullopt;
  const std::unique_ptr<DIR, CloseFolder> folder(::fdopendir(opened.fd()));
  if (!folder) return std::nullopt;
  static_cast<void>(opened.release());
  std::vector<FolderEntry> entries;
  while (const dirent* entry = ::readdir(folder.get())) {
    if (entry->d_name[0] == '.') continue;
    const auto is_folder = leads_to_folder(root, path, *entry);
    if (!is_folder) continue;
    if (entries.size() == most) return std::nullopt;
    entries.push_back({entry->d_name, *is_folder});
  }
  std::ranges::sort(entries, {}, &FolderEntry::name);
  return entries;
}

std::string listing_page(std::string_view path, const std::vector<FolderEntry>& entries) {
  std::string title;
  append_for_html(title, path);
  std::string page = "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>" +
                     title + "</title>\n<h1>" + title + "</h1>\n<ul>\n";
  if (path != "/") page += "<li><a href=\"../\">../</a>\n";
  for (const FolderEntry& entry : entries) {
    const std::string slash = entry.is_folder ? "/" : "";
    // The dot and slash keep a name with a colon from being a scheme.
    page += "<li><a href=\"./" + escaped_for_link(entry.name) + slash + "\">";
    append_for_html(page, entry.name);
    page += slash + "</a>\n";
  }
  return page + "</ul>\n</html>\n";
}

}  // namespace weft::app
