// Notifier: how another thread wakes the loop.
//
// Contract. Several notifiers may serve one back end; one owner watches a notifier.
// - wake(): any thread, and signal handlers; never blocks, keeps errno. Calls coalesce: any number
//   of them before the next acknowledge() count as one.
// - watch(backend, corr_id): owner. Submits whatever will complete with that id once it was woken,
//   which may be at once, when the wake came first. A completion with `more` leaves the watch
//   armed; after a final one the owner watches again. The result says nothing that matters.
// - acknowledge(): owner, after each completion of the watch, before it watches again and before it
//   looks at what it was woken for. So a wake that comes later is seen again. It may be called
//   without a wake.
// - The notifier outlives the last wake(). It may go before the back end, which then must not be
//   entered again.
#pragma once

#include <concepts>

#include "ksvc/core/completion.hpp"

namespace weft::ksvc {

template <class N>
concept Notifier = requires(N& notifier) {
  { notifier.wake() } noexcept -> std::same_as<void>;
  { notifier.acknowledge() } noexcept -> std::same_as<void>;
};

// Whether `Backend` has what it takes to watch it: a back end without futexes cannot watch one.
template <class N, class Backend>
concept WatchedBy = Notifier<N> && requires(N& notifier, Backend& backend, CorrelationId corr_id) {
  { notifier.watch(backend, corr_id) } -> std::same_as<void>;
};

}  // namespace weft::ksvc
