// What the tests of shared pages share: a folder that goes again, and children of several makes.
//
// One thread.
#pragma once

#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <string>

namespace weft::ksvc {

// A new folder on a tmpfs where there is one.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = std::filesystem::is_directory("/dev/shm") ? "/dev/shm" : "/tmp";
    pattern += "/weft-page-test-XXXXXX";
    if (::mkdtemp(pattern.data()) != nullptr) path_ = pattern;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::string& path() const noexcept { return path_; }
  std::string file(const char* name) const { return path_ + "/" + name; }
  std::size_t entries() const {
    std::size_t count = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(path_)) ++count;
    return count;
  }

 private:
  std::string path_;
};

inline pid_t fork_by_libc() { return ::fork(); }
// Behind libc's back: none of its fork handlers runs.
inline pid_t fork_by_raw_call() {
  return static_cast<pid_t>(::syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr));
}

inline bool ended_well(pid_t child) {
  int status = -1;
  return ::waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

// Whether `claim` holds in a child, which ends without destructors.
template <class Claim>
bool holds_in_child(Claim claim, pid_t (*make_child)() = fork_by_libc) {
  const pid_t child = make_child();
  if (child == 0) ::_exit(claim() ? 0 : 1);
  return child > 0 && ended_well(child);
}

}  // namespace weft::ksvc
