#include "cli/script_watch.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
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

// Folders, since editors put a new file in the place of the old one.
void ScriptWatch::watch_files() {
  for (const std::string& path : script_.files()) {
    ::inotify_add_watch(changes_.fd(), folder_of(path).c_str(),
                        IN_CLOSE_WRITE | IN_MOVED_TO | IN_DELETE);
  }
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
      ours = ours || (event.mask & IN_Q_OVERFLOW) != 0 ||
             (event.len > 0 && std::ranges::any_of(files, [name](const std::string& path) {
                return name_of(path) == name;
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
    bool ours = take_changes();
    // What comes right behind belongs to it.
    while (ours && ::poll(watched.data(), 1, kQuietMs) > 0) take_changes();
    if (ours) reload();
  }
}

void ScriptWatch::reload() {
  using std::chrono::steady_clock;
  const auto began = steady_clock::now();
  const auto refusal = script_.reload();
  const std::chrono::duration<double, std::milli> took = steady_clock::now() - began;
  if (refusal) {
    std::fprintf(stderr, "weft: the script is broken, so the old one stays: %s\n",
                 refusal->c_str());
  } else {
    std::fprintf(stderr, "weft: the script was read anew (%.1f ms)\n", took.count());
  }
  watch_files();
}

}  // namespace weft::cli
