#include "ksvc/page/shared_page_reader.hpp"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "ksvc/core/scoped_descriptor.hpp"
#include "ksvc/page/process_facts.hpp"

namespace weft::ksvc {
namespace {

std::string system_refusal(const std::string& path, int os_errno) {
  return path + " cannot be read: " + std::strerror(os_errno);
}

// Why a file that starts with `header` is not read; empty when it is.
std::string layout_refusal(const std::string& path, const PageHeader& header, std::uint64_t size) {
  if (header.magic != kPageMagic) return path + " is not a shared page of weft";
  if (header.version != kPageVersion) {
    return path + " is a shared page of version " + std::to_string(header.version) +
           "; this weft reads version " + std::to_string(kPageVersion);
  }
  if (header != kPageHeader) {
    return path + " says version " + std::to_string(kPageVersion) +
           " but has another layout; it is damaged or not from weft";
  }
  if (size != header.file_bytes) {
    return path + " has " + std::to_string(size) + " bytes where a shared page has " +
           std::to_string(header.file_bytes) + "; it is damaged";
  }
  return {};
}

}  // namespace

OpenedPage SharedPageReader::open(const std::string& path) {
  // Not waiting, so that a pipe in the place of the file does not hold us up.
  const ScopedDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  struct stat found{};
  if (file.get() < 0 || ::fstat(file.get(), &found) != 0) {
    return {std::nullopt, system_refusal(path, errno)};
  }
  PageHeader header{};
  const bool whole_header =
      S_ISREG(found.st_mode) &&
      ::pread(file.get(), &header, sizeof header, 0) == static_cast<ssize_t>(sizeof header);
  if (!whole_header) return {std::nullopt, path + " is not a shared page of weft"};
  const auto size = static_cast<std::uint64_t>(found.st_size);
  if (std::string refusal = layout_refusal(path, header, size); !refusal.empty()) {
    return {std::nullopt, std::move(refusal)};
  }
  const void* const address =
      ::mmap(nullptr, sizeof(PageFile), PROT_READ, MAP_SHARED, file.get(), 0);
  if (address == MAP_FAILED) return {std::nullopt, system_refusal(path, errno)};
  return {SharedPageReader(static_cast<const PageFile*>(address)), {}};
}

SharedPageReader::SharedPageReader(SharedPageReader&& other) noexcept
    : page_(std::exchange(other.page_, nullptr)) {}

SharedPageReader::~SharedPageReader() {
  if (page_ != nullptr) ::munmap(const_cast<PageFile*>(page_), sizeof(PageFile));
}

std::optional<FactValues> SharedPageReader::facts() const noexcept {
  // A writer is at it for some microseconds, or for as long as others have its processor.
  constexpr int kYields = 100;
  constexpr int kNaps = 10'000;
  constexpr int kNapsBetweenLooks = 50;
  constexpr timespec kNap{.tv_sec = 0, .tv_nsec = 100'000};
  FactValues values;
  for (int attempt = 0; attempt < kYields; ++attempt) {
    if (try_read_facts(page_->facts, values)) return values;
    ::sched_yield();
  }
  for (int nap = 0; nap < kNaps; ++nap) {
    if (nap % kNapsBetweenLooks == 0 && !process_is_alive()) break;
    ::nanosleep(&kNap, nullptr);
    if (try_read_facts(page_->facts, values)) return values;
  }
  return std::nullopt;
}

std::optional<ProcessIdentity> SharedPageReader::identity() const noexcept {
  const auto values = facts();
  if (!values) return std::nullopt;
  return identity_from(*values);
}

std::uint64_t SharedPageReader::fact(Fact fact) const noexcept {
  const std::uint64_t value =
      page_->facts.values[static_cast<std::size_t>(fact)].load(std::memory_order_relaxed);
  const bool credential = fact >= Fact::uid && fact <= Fact::sgid;
  return credential ? value & ~kDiffersByThread : value;
}

std::string_view SharedPageReader::text(Text text) const noexcept {
  const auto& place = page_->texts.texts[static_cast<std::size_t>(text)];
  return {place.data(), ::strnlen(place.data(), place.size())};
}

std::uint32_t SharedPageReader::workers() const noexcept {
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(fact(Fact::workers), kMostPageWorkers));
}

CounterValues SharedPageReader::counters(std::uint32_t worker) const noexcept {
  if (worker >= workers()) return {};
  return read_counters(page_->workers[worker]);
}

CounterValues SharedPageReader::totals() const noexcept {
  CounterValues total;
  for (std::uint32_t worker = 0; worker < workers(); ++worker) total += counters(worker);
  return total;
}

bool SharedPageReader::process_is_alive() const noexcept {
  PageTexts mine{};
  read_texts(mine);
  if (text(Text::boot_id) != mine.texts[static_cast<std::size_t>(Text::boot_id)].data()) {
    return false;
  }
  const auto pid = static_cast<pid_t>(fact(Fact::pid));
  if (pid <= 0) return false;
  if (const auto started = process_start_ticks(pid)) return started == fact(Fact::start_ticks);
  // /proc may be hidden from us; where it is not, no entry means no process.
  return process_start_ticks(1) == std::nullopt && (::kill(pid, 0) == 0 || errno == EPERM);
}

}  // namespace weft::ksvc
