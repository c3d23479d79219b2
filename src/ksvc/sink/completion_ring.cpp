#include "ksvc/sink/completion_ring.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <new>

namespace weft::ksvc {

namespace {

constexpr std::size_t bytes_for(std::uint32_t capacity) {
  return sizeof(CompletionRingHeader) + std::size_t{capacity} * sizeof(CompletionRecord);
}

// A file of that size which nobody can shrink under the feet of those who map it, or -1.
int make_file(std::size_t bytes) noexcept {
  const int fd = ::memfd_create("weft-completions", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0) return -1;
  if (::ftruncate(fd, static_cast<off_t>(bytes)) != 0 ||
      ::fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
    ::close(fd);
    return -1;
  }
  return fd;
}

bool is_ring(const CompletionRingHeader& header, std::size_t bytes) noexcept {
  return header.magic == CompletionRingHeader::kMagic &&
         header.version == CompletionRingHeader::kVersion &&
         header.header_bytes == sizeof(CompletionRingHeader) &&
         header.record_bytes == sizeof(CompletionRecord) && std::has_single_bit(header.capacity) &&
         bytes >= bytes_for(header.capacity);
}

}  // namespace

Result<CompletionRing> CompletionRing::create(std::uint32_t capacity) {
  WEFT_ASSERT(std::has_single_bit(capacity));
  const std::size_t bytes = bytes_for(capacity);
  const int fd = make_file(bytes);
  const int flags = fd >= 0 ? MAP_SHARED : MAP_SHARED | MAP_ANONYMOUS;
  void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, flags, fd, 0);
  if (memory == MAP_FAILED) {
    const Error error = Error::from_errno(errno);
    if (fd >= 0) ::close(fd);
    return error;
  }
  auto* header = new (memory) CompletionRingHeader;
  header->header_bytes = sizeof(CompletionRingHeader);
  header->capacity = capacity;
  return CompletionRing(memory, bytes, fd);
}

Result<CompletionRing> CompletionRing::open(int fd) {
  struct stat status{};
  if (::fstat(fd, &status) != 0) return Error::from_errno(errno);
  const auto bytes = static_cast<std::size_t>(status.st_size);
  if (bytes < sizeof(CompletionRingHeader)) return Error::from_errno(EINVAL);
  void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) return Error::from_errno(errno);
  CompletionRing ring(memory, bytes, -1);
  if (!is_ring(ring.header(), bytes)) return Error::from_errno(EINVAL);
  return ring;
}

CompletionRing::~CompletionRing() {
  if (memory_ != nullptr) ::munmap(memory_, bytes_);
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace weft::ksvc
