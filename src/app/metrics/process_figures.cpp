#include "app/metrics/process_figures.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstdint>
#include <filesystem>
#include <iterator>
#include <optional>
#include <string>
#include <system_error>

namespace weft::app {

namespace {

// The beginning of a small file.
std::string read_file(const char* path) {
  const int fd = ::open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return {};
  std::array<char, 4096> text;
  const ssize_t size = ::read(fd, text.data(), text.size());
  ::close(fd);
  return {text.data(), size > 0 ? static_cast<std::size_t>(size) : 0};
}

// The word with that number, from 0 on, as a number.
std::optional<std::uint64_t> number_at(std::string_view text, std::size_t index) {
  for (; index > 0; --index) {
    const std::size_t space = text.find(' ');
    if (space == text.npos) return std::nullopt;
    text.remove_prefix(space + 1);
  }
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end == text.data()) return std::nullopt;
  return number;
}

std::optional<std::uint64_t> open_descriptors() {
  struct stat about{};
  // Newer kernels say so; with older ones they are counted.
  if (::stat("/proc/self/fd", &about) == 0 && about.st_size > 0) {
    return static_cast<std::uint64_t>(about.st_size);
  }
  std::error_code failed;
  const std::filesystem::directory_iterator begin("/proc/self/fd", failed);
  if (failed) return std::nullopt;
  return static_cast<std::uint64_t>(std::distance(begin, {}));
}

// In seconds since 1970.
std::optional<double> start_time() {
  const std::string text = read_file("/proc/self/stat");
  // The name, in parentheses, may hold anything.
  const std::size_t end = text.rfind(") ");
  if (end == text.npos) return std::nullopt;
  constexpr std::size_t kStartTicks = 22 - 3;
  const auto ticks = number_at(std::string_view(text).substr(end + 2), kStartTicks);
  if (!ticks) return std::nullopt;
  timespec wall{};
  timespec since_boot{};
  ::clock_gettime(CLOCK_REALTIME, &wall);
  ::clock_gettime(CLOCK_BOOTTIME, &since_boot);
  const auto seconds = [](const timespec& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
  };
  return seconds(wall) - seconds(since_boot) +
         static_cast<double>(*ticks) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

void write_gauge(Exposition& exposition, std::string_view name, std::string_view help,
                 std::optional<std::uint64_t> value) {
  if (!value) return;
  exposition.family(name, FigureKind::gauge, help);
  exposition.value({}, *value);
}

}  // namespace

void write_process(Exposition& exposition) {
  timespec used{};
  if (::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) == 0) {
    exposition.family("process_cpu_seconds", FigureKind::counter,
                      "Processor time that the process has used.");
    exposition.value({},
                     static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) * 1e-9);
  }
  const std::string memory = read_file("/proc/self/statm");
  const auto bytes = [&memory](std::size_t index) -> std::optional<std::uint64_t> {
    const auto pages = number_at(memory, index);
    if (!pages) return std::nullopt;
    return *pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  };
  write_gauge(exposition, "process_virtual_memory_bytes", "Address space.", bytes(0));
  write_gauge(exposition, "process_resident_memory_bytes", "Memory in use.", bytes(1));
  write_gauge(exposition, "process_open_fds", "Open descriptors.", open_descriptors());
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    write_gauge(exposition, "process_max_fds", "How many of them there may be.", limit.rlim_cur);
  }
  if (const auto began = start_time()) {
    exposition.family("process_start_time_seconds", FigureKind::gauge,
                      "When the process began, since 1970 UTC.");
    exposition.value({}, *began);
  }
}

}  // namespace weft::app
