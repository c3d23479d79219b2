// Notifier: how another thread wakes the loop.
//
// Contract. wake() may be called from any thread and from signal handlers, never blocks, and
// coalesces: any number of calls before the loop looks count as one. fd() becomes readable after a
// wake; the loop calls acknowledge() before it looks at what it was woken for, so that a wake that
// comes later is seen again.
#pragma once

#include <concepts>

namespace weft::ksvc {

template <class N>
concept Notifier = requires(N& notifier, const N& constant) {
  { notifier.wake() } noexcept -> std::same_as<void>;
  { notifier.acknowledge() } noexcept -> std::same_as<void>;
  { constant.fd() } noexcept -> std::same_as<int>;
};

}  // namespace weft::ksvc
