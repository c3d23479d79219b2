#include "ksvc/page/process_facts.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string_view>

#include <weft/version.hpp>

namespace weft::ksvc {
namespace {

// The start of a small file of /proc; empty when it cannot be read.
std::string_view read_small_file(const char* path, std::span<char> storage) noexcept {
  const int fd = ::open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return {};
  std::size_t size = 0;
  while (size < storage.size()) {
    const ssize_t got = ::read(fd, storage.data() + size, storage.size() - size);
    if (got <= 0) break;
    size += static_cast<std::size_t>(got);
  }
  ::close(fd);
  return {storage.data(), size};
}

void set_text(PageTexts& texts, Text text, std::string_view words) noexcept {
  while (!words.empty() && words.back() == '\n') words.remove_suffix(1);
  auto& place = texts.texts[static_cast<std::size_t>(text)];
  place = {};
  std::copy_n(words.data(), std::min(words.size(), place.size() - 1), place.begin());
}

std::uint64_t limit_value(rlim_t limit) noexcept {
  return limit == RLIM_INFINITY ? UINT64_MAX : static_cast<std::uint64_t>(limit);
}

std::uint64_t system_number(int name) noexcept {
  return static_cast<std::uint64_t>(std::max(0L, ::sysconf(name)));
}

struct Ids {
  unsigned real = 0;
  unsigned effective = 0;
  unsigned saved = 0;

  friend bool operator==(const Ids&, const Ids&) = default;
};

// The first three numbers behind `key` in the text of /proc/PID/status.
std::optional<Ids> find_ids(const char* status, const char* key) noexcept {
  const char* const line = std::strstr(status, key);
  Ids ids;
  if (line == nullptr || std::sscanf(line + std::strlen(key), "%u %u %u", &ids.real, &ids.effective,
                                     &ids.saved) != 3) {
    return std::nullopt;
  }
  return ids;
}

Ids ids_of(const FactValues& values, Fact real, Fact effective, Fact saved) noexcept {
  return {static_cast<unsigned>(at(values, real)), static_cast<unsigned>(at(values, effective)),
          static_cast<unsigned>(at(values, saved))};
}

}  // namespace

void read_process(FactValues& values) noexcept {
  const auto pid = static_cast<pid_t>(::syscall(SYS_getpid));
  at(values, Fact::pid) = static_cast<std::uint64_t>(pid);
  at(values, Fact::ppid) = static_cast<std::uint64_t>(::syscall(SYS_getppid));
  at(values, Fact::start_ticks) = process_start_ticks(pid).value_or(0);
}

void read_credentials(FactValues& values) noexcept {
  uid_t uid = 0, euid = 0, suid = 0;
  gid_t gid = 0, egid = 0, sgid = 0;
  ::syscall(SYS_getresuid, &uid, &euid, &suid);
  ::syscall(SYS_getresgid, &gid, &egid, &sgid);
  at(values, Fact::uid) = uid;
  at(values, Fact::euid) = euid;
  at(values, Fact::suid) = suid;
  at(values, Fact::gid) = gid;
  at(values, Fact::egid) = egid;
  at(values, Fact::sgid) = sgid;
}

void read_limits(FactValues& values) noexcept {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    at(values, Fact::open_files_soft) = limit_value(limit.rlim_cur);
    at(values, Fact::open_files_hard) = limit_value(limit.rlim_max);
  }
  if (::getrlimit(RLIMIT_MEMLOCK, &limit) == 0) {
    at(values, Fact::memlock_soft) = limit_value(limit.rlim_cur);
    at(values, Fact::memlock_hard) = limit_value(limit.rlim_max);
  }
}

void read_system(FactValues& values) noexcept {
  at(values, Fact::page_bytes) = system_number(_SC_PAGESIZE);
  at(values, Fact::cores_online) = system_number(_SC_NPROCESSORS_ONLN);
  at(values, Fact::clock_ticks) = system_number(_SC_CLK_TCK);
  at(values, Fact::memory_bytes) = system_number(_SC_PHYS_PAGES) * system_number(_SC_PAGESIZE);
}

void read_texts(PageTexts& texts) noexcept {
  std::array<char, PageTexts::kTextBytes> storage{};
  set_text(texts, Text::process_name, read_small_file("/proc/self/comm", storage));
  set_text(texts, Text::weft_version, version());
  set_text(texts, Text::boot_id, read_small_file("/proc/sys/kernel/random/boot_id", storage));
  utsname names{};
  if (::uname(&names) == 0) set_text(texts, Text::kernel_release, names.release);
}

bool threads_share_credentials(const FactValues& mine) noexcept {
  const Ids users = ids_of(mine, Fact::uid, Fact::euid, Fact::suid);
  const Ids groups = ids_of(mine, Fact::gid, Fact::egid, Fact::sgid);
  DIR* const threads = ::opendir("/proc/self/task");
  if (threads == nullptr) return false;
  bool known = false;
  bool same = true;
  while (const dirent* const entry = ::readdir(threads)) {
    if (entry->d_name[0] == '.') continue;
    std::array<char, 64> path{};
    std::snprintf(path.data(), path.size(), "/proc/self/task/%.20s/status", entry->d_name);
    std::array<char, 2048> storage{};
    const std::string_view status =
        read_small_file(path.data(), std::span(storage).first(storage.size() - 1));
    if (status.empty()) continue;  // it ended meanwhile
    known = true;
    same = same && find_ids(storage.data(), "\nUid:") == users &&
           find_ids(storage.data(), "\nGid:") == groups;
  }
  ::closedir(threads);
  return known && same;
}

std::uint64_t own_credential(Fact fact, std::uint64_t value) noexcept {
  if (fact < Fact::uid || fact > Fact::sgid) return value;
  FactValues own{};
  read_credentials(own);
  return at(own, fact);
}

std::optional<std::uint64_t> process_start_ticks(pid_t pid) noexcept {
  std::array<char, 32> path{};
  std::snprintf(path.data(), path.size(), "/proc/%d/stat", static_cast<int>(pid));
  std::array<char, 1024> storage{};
  const std::string_view text =
      read_small_file(path.data(), std::span(storage).first(storage.size() - 1));
  // The name may hold anything, parentheses included; behind the last one come the state, which is
  // the third field, and the rest. The start is the 22nd.
  const std::size_t name_end = text.rfind(')');
  if (name_end == std::string_view::npos || name_end + 2 >= text.size()) return std::nullopt;
  const char* cursor = storage.data() + name_end + 2;
  if (*cursor == 'Z' || *cursor == 'X') return std::nullopt;
  for (int field = 3; field < 22 && cursor != nullptr; ++field) {
    cursor = std::strchr(cursor, ' ');
    if (cursor != nullptr) ++cursor;
  }
  if (cursor == nullptr) return std::nullopt;
  return std::strtoull(cursor, nullptr, 10);
}

}  // namespace weft::ksvc
