// From what the kernel answers, a count or a negative errno, to Results.
//
// Functions of their arguments alone; any thread.
#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>

#include "weft/result.hpp"

namespace weft::net {

inline Error error_of(std::int32_t answer) noexcept { return Error::from_errno(-answer); }

inline Result<std::size_t> count_of(std::int32_t answer) {
  if (answer < 0) return error_of(answer);
  return static_cast<std::size_t>(answer);
}

// Of a call that answers -1 and leaves an errno.
inline Result<void> done_or_errno(int answer) {
  if (answer != 0) return Error::from_errno(errno);
  return {};
}

}  // namespace weft::net
