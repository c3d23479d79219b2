#include "ksvc/instance/direct_call.hpp"

#include <grp.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace weft::ksvc {

namespace {

std::int64_t call_raw(const Entry& entry) noexcept {
  const auto& a = entry.arguments;
  return ::syscall(entry.nr, a[0], a[1], a[2], a[3], a[4], a[5]);
}

// Credentials by the C library, everything else as it is.
std::int64_t call_library(const Entry& entry) noexcept {
  const auto& a = entry.arguments;
  const auto id = [&a](int i) { return static_cast<uid_t>(a[static_cast<std::size_t>(i)]); };
  switch (entry.nr) {
    case SYS_setuid: return ::setuid(id(0));
    case SYS_setgid: return ::setgid(id(0));
    case SYS_setreuid: return ::setreuid(id(0), id(1));
    case SYS_setregid: return ::setregid(id(0), id(1));
    case SYS_setresuid: return ::setresuid(id(0), id(1), id(2));
    case SYS_setresgid: return ::setresgid(id(0), id(1), id(2));
    case SYS_setgroups: return ::setgroups(a[0], reinterpret_cast<const gid_t*>(a[1]));
    default: return call_raw(entry);
  }
}

}  // namespace

std::int64_t call_directly(const Entry& entry) noexcept {
  const int kept_errno = errno;
  errno = 0;  // a call may return -1 and mean it
  const std::int64_t returned = call_library(entry);
  const std::int64_t result = returned == -1 && errno != 0 ? -errno : returned;
  errno = kept_errno;
  return result;
}

bool changes_facts(long nr) noexcept {
  switch (nr) {
    case SYS_setuid:
    case SYS_setgid:
    case SYS_setreuid:
    case SYS_setregid:
    case SYS_setresuid:
    case SYS_setresgid:
    case SYS_setfsuid:
    case SYS_setfsgid:
    case SYS_setgroups:
    case SYS_capset:
    case SYS_setrlimit:
    case SYS_prlimit64: return true;
    default: return false;
  }
}

}  // namespace weft::ksvc
