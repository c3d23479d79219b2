#include "cli/python_application.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

namespace weft::cli {

namespace {

namespace fs = std::filesystem;

constexpr const char* kPython = "python3";

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Names with dots between them. Bytes of other alphabets are letters, too.
bool is_dotted_name(std::string_view text) {
  bool begins = true;
  for (const char c : text) {
    if (c == '.') {
      if (begins) return false;
      begins = true;
      continue;
    }
    const bool letter = is_letter(c) || static_cast<unsigned char>(c) >= 0x80;
    if (!letter && (begins || !is_digit(c))) return false;
    begins = false;
  }
  return !begins;
}

// A build folder has the package beside the program: nothing must be installed to try it.
void show_package_beside() {
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  if (error) return;
  const fs::path folder = program.parent_path() / "python";
  if (!fs::exists(folder / "weft" / "__init__.py", error)) return;
  const char* const before = std::getenv("PYTHONPATH");
  std::string path = folder.string();
  if (before != nullptr && *before != '\0') path += std::string(":") + before;
  ::setenv("PYTHONPATH", path.c_str(), 1);
}

}  // namespace

bool is_python_application(std::string_view word) {
  if (word.empty() || word.front() == '-') return false;
  const std::size_t colon = word.find(':');
  const std::string_view module = word.substr(0, colon);
  // As --fd has it.
  if (module == "systemd") return false;
  const bool is_script = module.ends_with(".py") && module.size() > 3;
  if (colon == std::string_view::npos) {
    std::error_code error;
    return is_script && !fs::is_directory(fs::path(word), error);
  }
  if (!is_dotted_name(word.substr(colon + 1))) return false;
  std::error_code error;
  return (is_script || is_dotted_name(module)) && !fs::is_directory(fs::path(word), error);
}

bool names_python_application(Arguments words) {
  return std::any_of(words.begin(), words.end(),
                     [](const auto& word) { return is_python_application(word); });
}

int serve_with_python(Arguments words) {
  show_package_beside();
  std::vector<std::string> kept{kPython, "-m", "weft", "serve"};
  kept.insert(kept.end(), words.begin(), words.end());
  std::vector<char*> arguments;
  arguments.reserve(kept.size() + 1);
  for (std::string& word : kept) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  std::fflush(nullptr);
  ::execvp(kPython, arguments.data());
  std::fprintf(stderr,
               "weft serve: an application in Python needs %s, which cannot be run: %s\n"
               "Install it, or activate the environment that has it and the package weft.\n",
               kPython, std::strerror(errno));
  return kExitFailed;
}

}  // namespace weft::cli
