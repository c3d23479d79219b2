// What a back end adds to an io_uring operation: NOPs in batches, by each back end and by liburing
// alone, on rings that are set up alike.

#include <liburing.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include "ksvc/backend/basic_io_uring.hpp"
#include "ksvc/backend/composite_io_uring_impl.hpp"
#include "ksvc/backend/epoll.hpp"
#include "ksvc/backend/fixed_buffer_io_uring.hpp"
#include "ksvc/backend/fixed_file_io_uring.hpp"
#include "ksvc/backend/sqpoll_io_uring.hpp"
#include "ksvc_rows.hpp"

namespace {

using namespace weft;
using bench::Rows;

constexpr unsigned kNopsPerFigure = 8192;
constexpr unsigned kBatches[] = {1, 16, 64};
// Soon asleep, so that the polling threads of rows that are not being measured use no core.
constexpr std::chrono::milliseconds kSqpollIdle{1};

using EverythingIoUring = ksvc::CompositeIoUring<ksvc::UringOptions{
    .fixed_files = true, .fixed_buffers = true, .zero_copy_send = true}>;

struct CountingSink {
  void complete(const ksvc::Completion& completion) noexcept {
    failed += completion.result != 0;
    ++count;
  }
  unsigned count = 0;
  unsigned failed = 0;
};

template <class Backend>
double nops(Backend& backend, unsigned batch) {
  CountingSink sink;
  const double spent = bench::nanoseconds_per(kNopsPerFigure / batch, [&](std::size_t) {
    for (unsigned i = 0; i < batch; ++i) backend.submit(ksvc::Nop{}, 64 + i);
    sink.count = 0;
    while (sink.count < batch) {
      backend.submit_and_wait(batch - sink.count, ksvc::kNoDeadline);
      backend.drain(sink);
    }
  });
  if (sink.failed != 0) std::abort();
  return spent / batch;
}

template <class Backend>
std::unique_ptr<Backend> add_backend(Rows& rows, const std::string& name) {
  ksvc::BackendOptions options;
  options.sqpoll_idle = kSqpollIdle;
  auto made = Backend::create(options);
  if (!made) {
    rows.skip("nop_" + name, made.error().message());
    return nullptr;
  }
  std::unique_ptr<Backend> backend = std::move(made).value();
  for (const unsigned batch : kBatches) {
    rows.add("nop_" + name + "_" + std::to_string(batch), "ns",
             [&backend = *backend, batch] { return nops(backend, batch); });
  }
  return backend;
}

class RawRing {
 public:
  explicit RawRing(unsigned flags) {
    const ksvc::BackendOptions options;
    io_uring_params parameters{};
    parameters.flags = flags | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP;
    parameters.cq_entries = options.completion_entries;
    parameters.sq_thread_idle = static_cast<unsigned>(kSqpollIdle.count());
    failed_ = io_uring_queue_init_params(options.submission_entries, &ring_, &parameters);
    if (failed_ == 0) io_uring_register_ring_fd(&ring_);
  }
  ~RawRing() {
    if (failed_ == 0) io_uring_queue_exit(&ring_);
  }
  RawRing(const RawRing&) = delete;
  RawRing& operator=(const RawRing&) = delete;

  void add_to(Rows& rows, const std::string& name) {
    if (failed_ != 0) return rows.skip("nop_" + name, std::strerror(-failed_));
    for (const unsigned batch : kBatches) {
      rows.add("nop_" + name + "_" + std::to_string(batch), "ns",
               [this, batch] { return nops(batch); });
    }
  }

 private:
  double nops(unsigned batch) {
    int sum = 0;
    const double spent = bench::nanoseconds_per(kNopsPerFigure / batch, [&](std::size_t) {
      for (unsigned i = 0; i < batch; ++i) {
        io_uring_sqe* entry = io_uring_get_sqe(&ring_);
        io_uring_prep_nop(entry);
        io_uring_sqe_set_data64(entry, 64 + i);
      }
      for (unsigned count = 0; count < batch;) {
        io_uring_submit_and_wait(&ring_, batch - count);
        unsigned head = 0;
        unsigned seen = 0;
        io_uring_cqe* completion = nullptr;
        io_uring_for_each_cqe(&ring_, head, completion) {
          sum += completion->res;
          ++seen;
        }
        io_uring_cq_advance(&ring_, seen);
        count += seen;
      }
    });
    if (sum != 0) std::abort();
    return spent / batch;
  }

  io_uring ring_{};
  int failed_ = 0;
};

}  // namespace

int main(int count, char** words) {
  const auto arguments = bench::RowsArguments::from(count, words);
  bench::pin_this_thread(arguments.first_core);
  Rows rows;
  RawRing raw(IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN);
  raw.add_to(rows, "raw");
  const auto basic = add_backend<ksvc::BasicIoUring>(rows, "basic");
  const auto fixed_file = add_backend<ksvc::FixedFileIoUring>(rows, "fixed_file");
  const auto fixed_buffer = add_backend<ksvc::FixedBufferIoUring>(rows, "fixed_buffer");
  const auto everything = add_backend<EverythingIoUring>(rows, "everything");
  RawRing raw_sqpoll(IORING_SETUP_SQPOLL);
  raw_sqpoll.add_to(rows, "raw_sqpoll");
  const auto sqpoll = add_backend<ksvc::SqpollIoUring>(rows, "sqpoll");
  const auto epoll = add_backend<ksvc::Epoll>(rows, "epoll");
  rows.run(arguments.rounds);
  rows.print();
}
