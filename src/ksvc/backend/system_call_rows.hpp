// One row per system call that an operation can do: how its arguments are written into an entry,
// and what has to be true of its descriptor.
//
// Constant data; safe from any thread.
#pragma once

#include <liburing.h>

#include <array>
#include <cstdint>
#include <span>

#include "ksvc/backend/system_call_entry.hpp"

namespace weft::ksvc {

// The arguments of a call as what the call takes them for.
class CallArguments {
 public:
  explicit CallArguments(const SystemCall& call) noexcept : raw_(call.arguments) {}

  std::uint64_t raw(std::size_t i) const noexcept { return raw_[i]; }
  // The kernel looks at the lower half of an int argument only.
  int integer(std::size_t i) const noexcept { return static_cast<int>(raw_[i]); }
  std::uint32_t word(std::size_t i) const noexcept { return static_cast<std::uint32_t>(raw_[i]); }
  std::int64_t offset(std::size_t i) const noexcept { return static_cast<std::int64_t>(raw_[i]); }
  bool null(std::size_t i) const noexcept { return raw_[i] == 0; }
  bool fits_word(std::size_t i) const noexcept { return raw_[i] <= UINT32_MAX; }

 private:
  const std::array<std::uint64_t, 6>& raw_;
};

// What has to be true of a call's descriptor, apart from its arguments.
enum class Needs : std::uint8_t {
  nothing,
  blocking,  // the operation waits where the call would not
  // The operation takes any offset for a pipe, and may write less to one than the call would.
  blocking_and_seekable,
};

struct CallRow {
  std::int16_t nr = -1;
  std::uint8_t opcode = 0;
  // False when the operation cannot express these arguments.
  bool (*fill)(const CallArguments& from, io_uring_sqe& entry) noexcept = nullptr;
  bool names_file = false;
  Needs needs = Needs::nothing;
  CallResult result = CallResult::as_is;
};

// Writes the descriptor, the address and the length that most calls begin with.
inline bool fill_fd_and_memory(const CallArguments& from, io_uring_sqe& entry) noexcept {
  entry.fd = from.integer(0);
  entry.addr = from.raw(1);
  entry.len = from.word(2);
  return from.raw(2) <= INT32_MAX;
}

std::span<const CallRow> file_call_rows() noexcept;
std::span<const CallRow> path_call_rows() noexcept;
std::span<const CallRow> socket_call_rows() noexcept;
std::span<const CallRow> wait_call_rows() noexcept;
std::span<const CallRow> older_call_rows() noexcept;

}  // namespace weft::ksvc
