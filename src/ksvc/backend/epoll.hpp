// Epoll: the IoBackend for where io_uring is refused, with the same semantics.
//
// Operations are tried when submitted or when their descriptor becomes ready, by ordinary system
// calls; their completions wait in a queue until drain(). Descriptors are registered once, edge
// triggered, on their first operation. Receives read until the socket is empty or the turn's budget
// for one descriptor is spent, so that a fast sender cannot hold up the others. Files are read and
// written when the operation is submitted. Links and deadlines are kept in user code.
#pragma once

#include <sys/epoll.h>

#include <memory>
#include <vector>

#include "ksvc/backend/chain_keeper.hpp"
#include "ksvc/buffers/heap_buffers.hpp"
#include "ksvc/core/io_backend.hpp"
#include "weft/result.hpp"

namespace weft::ksvc {

class Epoll {
 public:
  using Buffers = HeapBuffers;

  static Result<std::unique_ptr<Epoll>> create(const BackendOptions& options);
  ~Epoll();
  Epoll(const Epoll&) = delete;
  Epoll& operator=(const Epoll&) = delete;

  template <Chainable Op>
  void submit(const Op& op, CorrelationId corr_id) {
    if (chains_.open()) [[unlikely]]
      return keep(op, corr_id, {});
    start(op, corr_id);
  }
  // Done at once, and never part of a chain.
  void submit(const RefuseConnections& op, CorrelationId corr_id);
  template <LinkedOp Op>
  void submit(const Linked<Op>& op, CorrelationId corr_id) {
    keep(op.op, corr_id, {.linked = true});
  }
  template <OneShot Op>
  void submit(const Timed<Op>& op, CorrelationId corr_id) {
    keep(op.op, corr_id, {.deadline = op.deadline});
  }
  template <LinkedOp Op>
  void submit(const Linked<Timed<Op>>& op, CorrelationId corr_id) {
    keep(op.op.op, corr_id, {.linked = true, .deadline = op.op.deadline});
  }

  void submit_and_wait(unsigned at_least, TimePoint deadline);

  template <CompletionSink Sink>
  unsigned drain(Sink& sink);

  bool settled() const noexcept { return settled_; }
  Buffers& buffers() noexcept { return buffers_; }
  static const char* name() noexcept { return "epoll"; }

 private:
  enum class ReadKind : std::uint8_t { none, accept, accept_many, receive, receive_into, poll };
  enum class WriteKind : std::uint8_t { none, send, send_file, connect };

  // What is in flight on one descriptor: at most one operation that reads and one that writes.
  struct Descriptor {
    CorrelationId read_id = 0;
    CorrelationId write_id = 0;
    void* read_data = nullptr;
    union {
      const char* write_data = nullptr;
      std::uint64_t file_offset;  // for send_file
    };
    std::uint32_t read_size = 0;
    std::uint32_t write_size = 0;
    std::uint32_t written = 0;
    int file = -1;
    ReadKind read = ReadKind::none;
    WriteKind write = WriteKind::none;
    bool registered = false;
    bool queued = false;  // stands in ready_
  };

  Epoll(const BackendOptions& options, int epoll_fd);

  void start(const Nop& op, CorrelationId corr_id);
  void start(const Accept& op, CorrelationId corr_id);
  void start(const Receive& op, CorrelationId corr_id);
  void start(const ReceiveInto& op, CorrelationId corr_id);
  void start(const Send& op, CorrelationId corr_id);
  void start(const SendNow& op, CorrelationId corr_id);
  void start(const SendZeroCopy& op, CorrelationId corr_id);
  void start(const SendFile& op, CorrelationId corr_id);
  void start(const Connect& op, CorrelationId corr_id);
  void start(const Shutdown& op, CorrelationId corr_id);
  void start(const ReadAt& op, CorrelationId corr_id);
  void start(const WriteAt& op, CorrelationId corr_id);
  void start(const PollReadable& op, CorrelationId corr_id);
  void start(const Cancel& op, CorrelationId corr_id);
  void start(const Close& op, CorrelationId corr_id);

  void keep(const ChainedOperation& op, CorrelationId corr_id, ChainKeeper::Terms terms);
  void start_kept();
  void run_chains();
  bool cancel(int fd, CorrelationId target);

  Descriptor& descriptor(int fd);
  void complete(CorrelationId corr_id, std::int32_t result, bool more = false,
                BufferLease lease = {});
  bool start_read(int fd, ReadKind kind, CorrelationId corr_id);
  void start_write(int fd, WriteKind kind, CorrelationId corr_id);
  void start_sending(int fd, WriteKind kind, std::uint32_t size, CorrelationId corr_id);
  static std::int64_t send_part(int fd, const Descriptor& entry);
  bool watch(int fd, Descriptor& entry);
  void look_again(int fd, Descriptor& entry);
  void read_ready_ones();
  void handle_events(int count);
  int wait_ms(unsigned at_least, TimePoint wake) const;
  void try_read(int fd, bool until_empty);
  void accept_what_is_there(int fd, CorrelationId corr_id);
  void try_write(int fd);
  void accept_from(int fd, Descriptor& entry);
  void receive_from(int fd, Descriptor& entry, bool until_empty);
  void receive_into(int fd, Descriptor& entry);
  void end_read(Descriptor& entry, std::int32_t result);
  void end_write(Descriptor& entry, std::int32_t result);

  int epoll_fd_;
  Buffers buffers_;
  std::vector<Descriptor> descriptors_;
  std::vector<int> ready_;  // to be read from in the next turn without asking epoll
  std::vector<int> reading_;
  bool settled_ = true;
  std::vector<epoll_event> events_;
  std::vector<Completion> completions_;
  ChainKeeper chains_;
};

template <CompletionSink Sink>
unsigned Epoll::drain(Sink& sink) {
  // By index and by value: a sink may submit, and what completes at once is appended while we go;
  // that is for the next drain.
  const std::size_t count = completions_.size();
  for (std::size_t i = 0; i < count; ++i) {
    const Completion completion = completions_[i];
    if (completion.corr_id != 0) sink.complete(completion);
  }
  completions_.erase(completions_.begin(), completions_.begin() + static_cast<long>(count));
  settled_ = true;
  return static_cast<unsigned>(count);
}

static_assert(IoBackend<Epoll>);

}  // namespace weft::ksvc
