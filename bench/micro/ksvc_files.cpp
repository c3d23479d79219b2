// What registered buffers save in direct reads of a file: the processor time of this thread, and
// the time that passes, per read; into memory that is pinned once, and into memory that the kernel
// pins for every read.

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <memory>
#include <string>
#include <vector>

#include "ksvc/backend/basic_io_uring.hpp"
#include "ksvc/backend/composite_io_uring_impl.hpp"
#include "ksvc/backend/fixed_buffer_io_uring.hpp"
#include "ksvc/buffers/registered_buffers.hpp"
#include "ksvc_rows.hpp"

namespace {

using namespace weft;
using bench::Rows;

constexpr std::uint64_t kFileBytes = 32 << 20;
constexpr unsigned kReadsPerFigure = 256;
constexpr unsigned kDepth = 16;
constexpr std::uint32_t kSizes[] = {4096, 65536};

// A file that is gone when the program ends, and is read past the page cache; errno in `failed`.
class DirectFile {
 public:
  explicit DirectFile(const std::string& folder) {
    std::string path = folder + "/weft-bench-XXXXXX";
    const int written = ::mkstemp(path.data());
    if (written < 0) {
      failed = errno;
      return;
    }
    const std::vector<char> content(1 << 20, 'x');
    for (std::uint64_t at = 0; at < kFileBytes && failed == 0; at += content.size()) {
      if (::write(written, content.data(), content.size()) < 0) failed = errno;
    }
    if (failed == 0 && ::fdatasync(written) != 0) failed = errno;
    ::close(written);
    if (failed == 0) fd = ::open(path.c_str(), O_RDONLY | O_DIRECT | O_CLOEXEC);
    if (failed == 0 && fd < 0) failed = errno;
    ::unlink(path.c_str());
  }
  ~DirectFile() {
    if (fd >= 0) ::close(fd);
  }
  DirectFile(const DirectFile&) = delete;
  DirectFile& operator=(const DirectFile&) = delete;

  int fd = -1;
  int failed = 0;
};

double thread_processor_ns() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

// Keeps kDepth reads in flight, at places that are everywhere in the file.
template <class Backend>
class Reader {
 public:
  Reader(std::unique_ptr<Backend> backend, ksvc::RegisteredBuffers& memory, int fd)
      : backend_(std::move(backend)), fd_(fd), size_(memory.block_bytes()) {
    for (unsigned i = 0; i < kDepth; ++i) blocks_.push_back(memory.acquire().data);
  }

  void read_all() {
    started_ = 0;
    unsigned ended = 0;
    for (unsigned i = 0; i < kDepth; ++i) start(i);
    while (ended < kReadsPerFigure) {
      backend_->submit_and_wait(1, ksvc::kNoDeadline);
      ended += backend_->drain(*this);
    }
  }
  void complete(const ksvc::Completion& completion) noexcept {
    if (completion.result != static_cast<std::int32_t>(size_)) {
      std::fprintf(stderr, "a direct read failed: %d\n", completion.result);
      std::abort();
    }
    if (started_ < kReadsPerFigure) start(static_cast<unsigned>(completion.corr_id - kFirstId));
  }

 private:
  static constexpr ksvc::CorrelationId kFirstId = 64;

  void start(unsigned block) {
    const std::uint64_t place = (place_ += 7919) % (kFileBytes / size_);
    backend_->submit(ksvc::ReadAt{fd_, blocks_[block], size_, place * size_}, kFirstId + block);
    ++started_;
  }

  std::unique_ptr<Backend> backend_;
  int fd_;
  std::uint32_t size_;
  std::vector<char*> blocks_;
  std::uint64_t place_ = 0;
  unsigned started_ = 0;
};

template <class Backend>
void add_reads(Rows& rows, const std::string& name, Reader<Backend>& reader) {
  rows.add("direct_read_" + name + "_processor", "ns", [&reader] {
    const double before = thread_processor_ns();
    reader.read_all();
    return (thread_processor_ns() - before) / kReadsPerFigure;
  });
  rows.add("direct_read_" + name + "_elapsed", "ns", [&reader] {
    return bench::nanoseconds_per(1, [&reader](std::size_t) { reader.read_all(); }) /
           kReadsPerFigure;
  });
}

// Blocks of one size, both ways.
struct Comparison {
  explicit Comparison(std::uint32_t size) : heap(options(size).registered_buffers) {}

  static ksvc::BackendOptions options(std::uint32_t size) {
    ksvc::BackendOptions options;
    options.registered_buffers = {2 * kDepth, size};
    return options;
  }

  void add_to(Rows& rows, int fd) {
    const std::uint32_t size = heap.block_bytes();
    const std::string suffix = "_" + std::to_string(size / 1024) + "k";
    auto plain = ksvc::BasicIoUring::create(options(size));
    auto pinned = ksvc::FixedBufferIoUring::create(options(size));
    if (!plain || !pinned) return rows.skip("direct_read" + suffix, "io_uring is refused here");
    auto& registered = (*pinned)->registered_buffers();
    const ksvc::BufferLease probe = registered.borrow();
    if (!registered.index_of(probe.data, size)) {
      return rows.skip("direct_read_registered" + suffix, "the memory could not be pinned");
    }
    through_heap = std::make_unique<Reader<ksvc::BasicIoUring>>(std::move(plain).value(), heap, fd);
    through_registered = std::make_unique<Reader<ksvc::FixedBufferIoUring>>(
        std::move(pinned).value(), registered, fd);
    add_reads(rows, "heap" + suffix, *through_heap);
    add_reads(rows, "registered" + suffix, *through_registered);
  }

  // Whole pages, registered with no ring: ordinary memory.
  ksvc::RegisteredBuffers heap;
  std::unique_ptr<Reader<ksvc::BasicIoUring>> through_heap;
  std::unique_ptr<Reader<ksvc::FixedBufferIoUring>> through_registered;
};

}  // namespace

int main(int count, char** words) {
  const auto arguments = bench::RowsArguments::from(count, words);
  bench::pin_this_thread(arguments.first_core);
  Rows rows;
  const DirectFile file(arguments.folder);
  std::vector<std::unique_ptr<Comparison>> comparisons;
  if (file.failed == EINVAL) {
    rows.skip("direct_read", "the file system of " + arguments.folder + " has no O_DIRECT");
  } else if (file.failed != 0) {
    rows.skip("direct_read", std::strerror(file.failed));
  } else {
    for (const std::uint32_t size : kSizes) {
      comparisons.push_back(std::make_unique<Comparison>(size));
      comparisons.back()->add_to(rows, file.fd);
    }
  }
  rows.run(arguments.rounds);
  rows.print();
}
