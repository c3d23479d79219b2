// system_call(): any system call, made where it holds up nobody, while the caller parks.
//
//     const auto synced = weft::system_call(SYS_fsync, fd);
//
// The kernel's ring carries out what it has an operation for, the pool the rest; what is about the
// calling thread is made in place. Outside a worker the call is made in place and blocks.
#pragma once

#include <array>
#include <cstdint>
#include <type_traits>

#include "weft/result.hpp"

namespace weft {

namespace detail {

Result<std::int64_t> system_call(long nr, const std::array<std::uint64_t, 6>& arguments);

template <class Argument>
std::uint64_t system_call_argument(Argument argument) noexcept {
  if constexpr (std::is_pointer_v<Argument>) {
    return reinterpret_cast<std::uintptr_t>(argument);
  } else if constexpr (std::is_null_pointer_v<Argument>) {
    return 0;
  } else {
    static_assert(std::is_integral_v<Argument> || std::is_enum_v<Argument>);
    return static_cast<std::uint64_t>(argument);
  }
}

}  // namespace detail

// What the kernel answers, or its errno as an Error. What the arguments point to must stay until
// then. A call that would end or copy the process (clone, exit ...) is refused with EPERM. On the
// ring a cancelled caller cancels the call; on the pool it goes on when the call has ended.
template <class... Arguments>
Result<std::int64_t> system_call(long nr, Arguments... arguments) {
  static_assert(sizeof...(arguments) <= 6, "a system call has six arguments at most");
  return detail::system_call(nr, {detail::system_call_argument(arguments)...});
}

}  // namespace weft
