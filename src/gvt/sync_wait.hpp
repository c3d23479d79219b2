// What the ends of waits in src/gvt/sync_*.cpp have in common. The caller's thread.
#pragma once

#include "weft/cancel.hpp"
#include "weft/detail/waiter.hpp"

namespace weft::gvt {

// Whether a wait that nobody ended by a wake ended by its deadline; throws Cancelled otherwise.
inline bool timed_out_or_throw(detail::Outcome outcome) {
  if (outcome == detail::Outcome::timed_out) return true;
  detail::throw_cancelled();
}

}  // namespace weft::gvt
