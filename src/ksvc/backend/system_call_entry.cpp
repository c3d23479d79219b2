#include "ksvc/backend/system_call_entry.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "ksvc/backend/system_call_rows.hpp"

namespace weft::ksvc {

namespace {

constexpr std::size_t kNumbers = 512;

// The rows by number.
struct CallTable {
  std::array<const CallRow*, kNumbers> rows{};

  CallTable() noexcept {
    for (const auto part : {file_call_rows(), path_call_rows(), socket_call_rows(),
                            wait_call_rows(), older_call_rows()}) {
      for (const CallRow& row : part) rows[static_cast<std::size_t>(row.nr)] = &row;
    }
  }
};

const CallRow* row_of(const SystemCall& call) noexcept {
  static const CallTable table;
  if (call.nr < 0 || static_cast<std::size_t>(call.nr) >= kNumbers) return nullptr;
  const CallRow* row = table.rows[static_cast<std::size_t>(call.nr)];
  return row != nullptr && row->opcode == call.opcode ? row : nullptr;
}

// A descriptor that is none is no obstacle: the operation says so as well as the call.
bool blocks(int fd) noexcept {
  const int flags = ::fcntl(fd, F_GETFL);
  return flags < 0 || (flags & O_NONBLOCK) == 0;
}
bool has_positions(int fd) noexcept { return ::lseek(fd, 0, SEEK_CUR) >= 0 || errno != ESPIPE; }

bool does_not_wait(const io_uring_sqe& entry) noexcept {
  switch (entry.opcode) {
    case IORING_OP_SEND:
    case IORING_OP_RECV:
    case IORING_OP_SENDMSG:
    case IORING_OP_RECVMSG: return (entry.msg_flags & MSG_DONTWAIT) != 0;
    default: return false;
  }
}

bool suits(const io_uring_sqe& entry, Needs needs) noexcept {
  // A socket that the back end accepted blocks, and has no positions.
  const bool own = made_by_backend(entry.fd);
  switch (needs) {
    case Needs::nothing: return true;
    case Needs::blocking: return own || does_not_wait(entry) || blocks(entry.fd);
    case Needs::blocking_and_seekable: return !own && has_positions(entry.fd) && blocks(entry.fd);
  }
  return false;
}

}  // namespace

bool expressible(const SystemCall& call) noexcept {
  const CallRow* row = row_of(call);
  if (row == nullptr) return false;
  io_uring_sqe entry{};
  entry.opcode = row->opcode;
  if (!row->fill(CallArguments(call), entry)) return false;
  const int kept = errno;
  const bool suitable = suits(entry, row->needs);
  errno = kept;
  return suitable;
}

CallEntry fill_entry(io_uring_sqe& entry, const SystemCall& call) noexcept {
  const CallRow* row = row_of(call);
  if (row == nullptr || !row->fill(CallArguments(call), entry)) return {};
  entry.opcode = row->opcode;
  return {row->result, row->names_file};
}

}  // namespace weft::ksvc
