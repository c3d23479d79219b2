#include "exec/lua/sources.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "weft/detail/descriptor.hpp"

namespace weft::exec::lua {

namespace {

bool is_name_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-';
}

// Words with dots between them, so that a name cannot lead out of the folder.
bool is_module_name(std::string_view name) {
  if (name.empty() || name.front() == '.' || name.back() == '.') return false;
  if (name.find("..") != std::string_view::npos) return false;
  return std::ranges::all_of(name, [](char c) { return c == '.' || is_name_byte(c); });
}

bool is_file(const std::string& path) {
  struct stat status = {};
  return ::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode);
}

}  // namespace

// A script may look for what it likes, so they are counted.
void Sources::miss(const std::string& path) {
  constexpr std::size_t kMost = 100;
  if (missed_.size() < kMost) missed_.insert(path);
}

const std::string* Sources::read(const std::string& path, std::string& refusal) {
  const std::lock_guard lock(mutex_);
  if (const auto known = texts_.find(path); known != texts_.end()) return &known->second;
  const auto refuse = [&](const std::string& why) {
    refusal = "cannot read " + path + ": " + why;
    miss(path);
    return nullptr;
  };
  const detail::Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.fd() < 0) return refuse(std::strerror(errno));
  std::string text;
  for (;;) {
    constexpr std::size_t kBlock = 16 * 1024;
    const std::size_t had = text.size();
    text.resize(had + kBlock);
    const ssize_t got = ::read(file.fd(), text.data() + had, kBlock);
    if (got < 0 && errno != EINTR) return refuse(std::strerror(errno));
    text.resize(had + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    if (got == 0) break;
    if (text.size() > kMostBytes) return refuse("a script has 4 MiB at most");
  }
  return &texts_.emplace(path, std::move(text)).first->second;
}

std::string Sources::find_module(std::string_view name, std::string& refusal) {
  if (!is_module_name(name)) {
    refusal = "module '" + std::string(name) +
              "': a name is letters, digits, _ and -, with dots between folders";
    return {};
  }
  std::string path = folder_ + "/" + std::string(name);
  std::replace(path.begin() + static_cast<std::ptrdiff_t>(folder_.size()), path.end(), '.', '/');
  for (const char* end : {".lua", "/init.lua"}) {
    if (is_file(path + end)) return path + end;
  }
  const std::lock_guard lock(mutex_);
  for (const char* end : {".lua", "/init.lua"}) miss(path + end);
  refusal = "module '" + std::string(name) + "' not found: there is no " + path + ".lua and no " +
            path + "/init.lua";
  return {};
}

std::vector<std::string> Sources::paths() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> all;
  for (const auto& [path, text] : texts_) all.push_back(path);
  for (const std::string& path : missed_) {
    if (!texts_.contains(path)) all.push_back(path);
  }
  return all;
}

}  // namespace weft::exec::lua
