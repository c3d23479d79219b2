#include "cli/script_watch.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "ksvc/core/signals_blocked.hpp"

namespace weft::cli {

namespace {

// An editor writes, renames and sets times one after the other.
constexpr int kQuietMs = 2;

std::string folder_of(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string_view name_of(std::string_view path) { return path.substr(path.rfind('/') + 1); }

// Whether a file is what has changed by that name, or is in such a folder. A file that was only
// made has nothing in it yet.
bool concerns(std::string_view path, std::string_view name, std::uint32_t mask) {
  if ((mask & IN_ISDIR) == 0) return (mask & IN_CREATE) == 0 && name_of(path) == name;
  const std::string step = "/" + std::string(name) + "/";
  return path.find(step) != std::string_view::npos || path.starts_with(step.substr(1));
}

}  // namespace

ScriptWatch::ScriptWatch(LuaScript& script)
    : script_(script),
      changes_(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)),
      end_(::eventfd(0, EFD_CLOEXEC)) {
  if (changes_.fd() < 0 || end_.fd() < 0) {
    throw std::system_error(errno, std::generic_category(), "cannot watch the script's files");
  }
  watch_files();
  const ksvc::SignalsBlocked blocked;
  thread_ = std::thread([this] { run(); });
}

ScriptWatch::~ScriptWatch() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t told = ::write(end_.fd(), &one, sizeof one);
  thread_.join();
}

// Folders, since editors put a new file in the place of the old one; of a folder that is not there
// the nearest above it. Whether one of them is new.
bool ScriptWatch::watch_files() {
  bool any_new = false;
  for (const std::string& path : script_.files()) {
    std::string folder = folder_of(path);
    int watch = -1;
    for (;;) {
      watch = ::inotify_add_watch(changes_.fd(), folder.c_str(),
                                  IN_CLOSE_WRITE | IN_MOVED_TO | IN_DELETE | IN_CREATE);
      if (watch >= 0 || folder == "/" || folder == ".") break;
      folder = folder_of(folder);
    }
    if (watch >= 0) any_new = folders_.insert(watch).second || any_new;
  }
  return any_new;
}

// Whether one of the script's files is among what has changed.
bool ScriptWatch::take_changes() {
  const std::vector<std::string> files = script_.files();
  bool ours = false;
  alignas(inotify_event) std::array<char, 16 * 1024> block;
  for (;;) {
    const ssize_t got = ::read(changes_.fd(), block.data(), block.size());
    if (got <= 0) return ours;
    for (ssize_t at = 0; at < got;) {
      inotify_event event{};
      std::memcpy(&event, block.data() + at, sizeof event);
      const std::string_view name = event.len > 0 ? block.data() + at + sizeof event : "";
      if ((event.mask & IN_IGNORED) != 0) folders_.erase(event.wd);
      const std::uint32_t what = event.mask;
      ours = ours || (what & IN_Q_OVERFLOW) != 0 ||
             (event.len > 0 && std::ranges::any_of(files, [&](const std::string& path) {
                return concerns(path, name, what);
              }));
      at += static_cast<ssize_t>(sizeof event + event.len);
    }
  }
}

void ScriptWatch::run() {
  for (;;) {
    std::array<pollfd, 2> watched{pollfd{changes_.fd(), POLLIN, 0}, pollfd{end_.fd(), POLLIN, 0}};
    if (::poll(watched.data(), watched.size(), -1) < 0 && errno != EINTR) return;
    if ((watched[1].revents & POLLIN) != 0) return;
    noticed_ = std::chrono::steady_clock::now();
    bool ours = take_changes();
    // What comes right behind belongs to it.
    while (ours && ::poll(watched.data(), 1, kQuietMs) > 0) take_changes();
    if (ours) reload();
  }
}

void ScriptWatch::reload() {
  // Of a folder that was made just now, too.
  watch_files();
  auto refusal = script_.reload();
  // What it has looked for may have come before that was watched.
  if (watch_files() && refusal) refusal = script_.reload();
  if (refusal) {
    std::fprintf(stderr, "weft: the script is broken, so the old one stays: %s\n",
                 refusal->c_str());
    return;
  }
  const std::chrono::duration<double, std::milli> took =
      std::chrono::steady_clock::now() - noticed_;
  std::fprintf(stderr, "weft: the script was read anew (%.1f ms behind the change)\n",
               took.count());
}

}  // namespace weft::cli
