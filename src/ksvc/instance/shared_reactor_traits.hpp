// SharedReactorTraits<Traits>: the same set of traits on a reactor that several workers share.
//
// The back end becomes the worker's end of a SharedReactor on the set's own, and the notifier the
// one that wakes a worker there. Types only.
#pragma once

#include "ksvc/instance/traits.hpp"
#include "ksvc/notify/shared_reactor_notifier.hpp"
#include "ksvc/reactor/shared_reactor.hpp"

namespace weft::ksvc {

template <class Set>
using SharedReactorTraits =
    Traits<typename Set::Router, SharedReactorBackend<typename Set::Backend>, typename Set::Pool,
           SharedReactorNotifier, typename Set::Sink, typename Set::Buffers, typename Set::Page,
           typename Set::Clock>;

}  // namespace weft::ksvc
