// The member functions of CompositeIoUring that are not on the shortest path; included by it.
//
// What has a completion that needs a second look is given to the core to keep track of.
#pragma once

#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "ksvc/backend/composite_io_uring.hpp"

namespace weft::ksvc {

template <UringOptions options>
Result<std::unique_ptr<CompositeIoUring<options>>> CompositeIoUring<options>::create(
    const BackendOptions& backend_options) {
  std::unique_ptr<CompositeIoUring> backend(new CompositeIoUring(backend_options));
  const UringCore::Traits traits{options.sqpoll || backend_options.sqpoll, options.fixed_files};
  if (auto opened = backend->core_.open(backend_options, traits); !opened) return opened.error();
  if constexpr (options.fixed_buffers) {
    auto attached = backend->registered_.attach(backend->core_.ring());
    if (!attached) return attached.error();
  }
  if constexpr (options.zero_copy_send) {
    backend->sends_zero_copy_ = backend->core_.supports(IORING_OP_SEND_ZC);
  }
  return backend;
}

template <UringOptions options>
bool CompositeIoUring<options>::done_at_once(const Accept& op, CorrelationId corr_id) {
  if (op.wait) return false;
  // By an ordinary call: older kernels wait in the operation whatever the descriptor says.
  make_nonblocking(op.fd);
  const int fd = ::accept4(op.fd, nullptr, nullptr, SOCK_CLOEXEC);
  core_.complete_at_once(corr_id, fd >= 0 ? fd : -errno);
  return true;
}

template <UringOptions options>
bool CompositeIoUring<options>::done_at_once(const Shutdown& op, CorrelationId corr_id) {
  if (options.fixed_files && made_by_backend(op.fd)) return false;
  // The operation would always be punted to one of the kernel's worker threads.
  const int result = ::shutdown(op.fd, op.how) == 0 ? 0 : -errno;
  if (corr_id != 0) core_.complete_at_once(corr_id, result);
  return true;
}

template <UringOptions options>
bool CompositeIoUring<options>::done_at_once(const Close& op, CorrelationId) {
  if (options.fixed_files && made_by_backend(op.fd) && core_.close_after_shutdown(op)) return true;
  if (op.reset) {
    core_.close(op);
  } else {
    fill_entry(*core_.next_entry(0), op);
  }
  return true;
}

template <UringOptions options>
void CompositeIoUring<options>::place(io_uring_sqe& entry, const Accept& op,
                                      CorrelationId corr_id) {
  const bool again = op.multishot && !options.multishot_accept;
  const bool direct = options.fixed_files && op.wait;
  fill_entry(entry, Accept{op.fd, op.multishot && !again, op.wait});
  name_slot(entry);
  if (direct) {
    // A slot is not inherited by anyone, and the kernel wants no flag that says so.
    entry.accept_flags = 0;
    entry.file_index = IORING_FILE_INDEX_ALLOC;
  }
  if (direct || again) {
    core_.track(again ? Kind::accept_again : Kind::accept, corr_id, entry).direct = direct;
  }
}

template <UringOptions options>
UringTracked* CompositeIoUring<options>::place_zero_copy(io_uring_sqe& entry,
                                                         const SendZeroCopy& op,
                                                         [[maybe_unused]] CorrelationId corr_id) {
  place_copying(entry, op);
  if constexpr (options.zero_copy_send) {
    if (!sends_zero_copy_) return nullptr;
    if (use_fixed(entry, IORING_OP_SEND_ZC)) entry.ioprio = IORING_RECVSEND_FIXED_BUF;
    entry.opcode = IORING_OP_SEND_ZC;
    return &core_.track(Kind::zero_copy, corr_id, entry);
  }
  return nullptr;
}

template <UringOptions options>
UringTracked& CompositeIoUring<options>::place(io_uring_sqe& entry, const SendFile& op,
                                               CorrelationId corr_id) {
  if (!made_by_backend(op.fd)) make_nonblocking(op.fd);
  fill_entry(entry, op);
  name_slot(entry);
  UringTracked& tracked = core_.track(Kind::send_file, corr_id, entry);
  tracked.file = op;
  return tracked;
}

template <UringOptions options>
void CompositeIoUring<options>::place(io_uring_sqe& entry, const Shutdown& op,
                                      CorrelationId corr_id) {
  fill_entry(entry, op);
  if (options.fixed_files && made_by_backend(op.fd)) {
    name_slot(entry);
    core_.track(Kind::shutdown, corr_id, entry);
  }
}

template <UringOptions options>
void CompositeIoUring<options>::place(io_uring_sqe& entry, const Cancel& op, CorrelationId) {
  fill_entry(entry, Cancel{op.fd, core_.cancelled(op.target)});
}

template <UringOptions options>
void CompositeIoUring<options>::place(io_uring_sqe& entry, const Close& op, CorrelationId) {
  if (op.reset) {
    // Older kernels cannot set the option within a chain, and set beforehand it would stay with a
    // socket whose closing is cut. So the chain comes to a place holder, and its success closes.
    fill_entry(entry, Nop{});
    core_.track(Kind::close_with_reset, 0, entry).fd = op.fd;
    return;
  }
  fill_entry(entry, op);
  entry.user_data = 0;
}

template <UringOptions options>
void CompositeIoUring<options>::place(io_uring_sqe& entry, const SystemCall& op,
                                      CorrelationId corr_id) {
  const CallEntry call = fill_entry(entry, op);
  if constexpr (options.fixed_files) {
    if (call.names_file && entry.opcode == IORING_OP_CLOSE) {
      fill_entry(entry, Close{std::exchange(entry.fd, 0)});
      entry.flags = 0;
    } else if (call.names_file) {
      use_own_table(entry);
    }
  }
  switch (call.result) {
    case CallResult::as_is: break;
    case CallResult::elapsed: core_.track(Kind::sleep, corr_id, entry); break;
    case CallResult::polled:
      core_.track(Kind::poll, corr_id, entry).polled =
          reinterpret_cast<pollfd*>(static_cast<std::uintptr_t>(op.arguments[0]));
      break;
    // Refused by the kernel too, so that the refusal comes as a completion in its turn.
    case CallResult::refused: entry.opcode = uring_abi::kNoOperation; break;
  }
}

template <UringOptions options>
template <class Op>
void CompositeIoUring<options>::place_in_chain(io_uring_sqe& entry, const Op& op,
                                               CorrelationId corr_id) {
  if constexpr (std::is_same_v<Op, Close>) {
    if (op.reset) return place(entry, op, corr_id);
  }
  if constexpr (std::is_same_v<Op, SendNow> || std::is_same_v<Op, Close>) {
    // When an operation that skips its success fails, the kernel tells nothing of those behind it.
    place(entry, op, corr_id);
    if constexpr (std::is_same_v<Op, Close>) corr_id = 0;
    entry.flags = static_cast<std::uint8_t>(entry.flags & ~IOSQE_CQE_SKIP_SUCCESS);
    std::int32_t quiet_result = 0;
    if constexpr (std::is_same_v<Op, SendNow>) quiet_result = static_cast<std::int32_t>(op.size);
    core_.track(Kind::quiet, corr_id, entry).quiet_result = quiet_result;
  } else if constexpr (std::is_same_v<Op, SendZeroCopy>) {
    // Trying again without zero copy would come too late for those behind it.
    place_copying(entry, op);
  } else {
    if constexpr (std::is_same_v<Op, Accept>) WEFT_ASSERT(!op.multishot);
    place(entry, op, corr_id);
  }
}

template <UringOptions options>
template <class Op>
void CompositeIoUring<options>::place_timed(const Timed<Op>& timed, CorrelationId corr_id,
                                            bool linked) {
  core_.reserve_tracked();
  io_uring_sqe& entry = *core_.timed_entries(corr_id, timed.deadline, linked);
  if constexpr (std::is_same_v<Op, SendZeroCopy>) {
    UringTracked* tracked = nullptr;
    if (linked) {
      place_copying(entry, timed.op);
    } else {
      tracked = place_zero_copy(entry, timed.op, corr_id);
    }
    if (tracked != nullptr) tracked->deadline = timed.deadline;
  } else if constexpr (std::is_same_v<Op, SendFile>) {
    place(entry, timed.op, corr_id).deadline = timed.deadline;
  } else {
    place_in_chain(entry, timed.op, corr_id);
  }
  entry.flags |= IOSQE_IO_LINK;
}

}  // namespace weft::ksvc
