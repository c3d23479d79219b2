// `weft new`: writes a small project that builds against an installed weft.
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <system_error>

#include "cli/command.hpp"
#include "cli/new_project.hpp"

namespace weft::cli {
namespace {

namespace fs = std::filesystem;

// It becomes the name of a folder, of a program and of CMake targets.
constexpr std::size_t kLongestName = 50;

bool is_letter(char byte) { return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z'); }

bool is_name(std::string_view text) {
  if (text.empty() || text.size() > kLongestName || !is_letter(text.front())) return false;
  for (const char byte : text) {
    if (!is_letter(byte) && !(byte >= '0' && byte <= '9') && byte != '_' && byte != '-') {
      return false;
    }
  }
  // These are targets of every CMake project.
  return text != "all" && text != "clean" && text != "help" && text != "install" &&
         text != "test" && text != "package";
}

std::string with_name(std::string_view text, std::string_view name) {
  constexpr std::string_view kMark = "@NAME@";
  std::string result;
  for (std::size_t mark = text.find(kMark); mark != std::string_view::npos;
       mark = text.find(kMark)) {
    result.append(text.substr(0, mark)).append(name);
    text.remove_prefix(mark + kMark.size());
  }
  return result.append(text);
}

int fail(const std::string& what, const std::string& why) {
  std::fprintf(stderr, "weft new: %s: %s\n", what.c_str(), why.c_str());
  return kExitFailed;
}

int run_new(Arguments arguments) {
  std::string name;
  const Flags flags = Flags("weft new", kNewCommand.summary)
                          .word({"NAME", "of the project, and of the folder that is made"}, name);
  if (const auto status = flags.parse(arguments)) return *status;
  if (!is_name(name)) {
    std::fprintf(stderr,
                 "weft new: '%s' cannot be the name of a project: take up to %zu letters, digits, "
                 "- and _, a letter first, and no name that CMake uses itself\n",
                 name.c_str(), kLongestName);
    return kExitUsage;
  }
  std::error_code error;
  const fs::path folder(name);
  // Making it tells whether it was there, without a moment in between.
  if (!fs::create_directory(folder, error)) {
    if (!error || error == std::errc::file_exists) {
      return fail(name, "it is there already; choose another name or move it away");
    }
    return fail(name, error.message());
  }
  for (const ProjectFile& file : project_files()) {
    const fs::path path = folder / file.path;
    fs::create_directories(path.parent_path(), error);
    if (error) return fail(path.parent_path().string(), error.message());
    errno = 0;
    std::ofstream out(path, std::ios::binary);
    out << with_name(file.text, name);
    out.close();
    if (!out) return fail(path.string(), std::strerror(errno != 0 ? errno : EIO));
  }
  std::printf(
      "%s is there. To build, test and run it:\n\n    cd %s\n    cmake -B build\n"
      "    cmake --build build\n    ctest --test-dir build\n    build/%s --config weft.toml\n",
      name.c_str(), name.c_str(), name.c_str());
  return kExitDone;
}

}  // namespace

const Command kNewCommand{
    "new",
    "Writes a small project with a server, its test and its configuration",
    run_new,
};

}  // namespace weft::cli
