// Waiting for a descriptor on an OS thread that is no worker.
//
// Any thread; blocks it.
#pragma once

#include <cstdint>

#include "ksvc/core/clock.hpp"

namespace weft::net {

// Until `fd` has one of these events of poll(), or has failed: 0. Otherwise -ETIMEDOUT when the
// deadline has passed, or why the caller is cancelled (-ECANCELED, -ETIMEDOUT).
std::int32_t wait_on_os_thread(int fd, short events, ksvc::TimePoint deadline) noexcept;

// Why the caller must not begin to wait: what cancelled it, its deadline included, or 0.
std::int32_t cancelled_on_os_thread() noexcept;

}  // namespace weft::net
