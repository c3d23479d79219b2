#include "ksvc/backend/uring_entry.hpp"

namespace weft::ksvc {

void fill_reset_on_close(io_uring_sqe& entry, int fd) noexcept {
  static constexpr linger kAtOnce{1, 0};
  entry.opcode = IORING_OP_URING_CMD;
  entry.fd = fd;
  use_own_table(entry);
  entry.cmd_op = uring_abi::kSocketSetsockopt;
  // The entry's address is a pair here: the option's level, then its name.
  entry.addr = static_cast<std::uint64_t>(SOL_SOCKET) | static_cast<std::uint64_t>(SO_LINGER) << 32;
  entry.file_index = sizeof kAtOnce;
  entry.addr3 = reinterpret_cast<std::uintptr_t>(&kAtOnce);
}

}  // namespace weft::ksvc
