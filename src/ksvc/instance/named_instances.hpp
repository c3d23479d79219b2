// The sets of traits that have names: one that is safe everywhere, one for a machine with a core to
// spare, and the one that weft's own workers are made of.
//
// The build's options WEFT_SERVER_* set what ServerTraits makes use of; nothing else depends on
// them. Types only.
#pragma once

#include "ksvc/backend/basic_io_uring.hpp"
#include "ksvc/backend/epoll.hpp"
#include "ksvc/clock/monotonic_clock.hpp"
#include "ksvc/instance/instance_builder.hpp"
#include "ksvc/notify/event_fd_notifier.hpp"
#include "ksvc/notify/futex_notifier.hpp"
#include "ksvc/page/cached_shared_page.hpp"
#include "ksvc/page/mmap_shared_page.hpp"
#include "ksvc/pool/fixed_pool.hpp"
#include "ksvc/pool/lazy_pool.hpp"
#include "ksvc/router/probe_router.hpp"
#include "ksvc/sink/direct_wake_sink.hpp"
#include "ksvc/sink/ring_completion_sink.hpp"

namespace weft::ksvc {

// Safe everywhere that io_uring is allowed; with WithBackend<Epoll> everywhere else.
using DefaultTraits = Traits<ProbeRouter, BasicIoUring, FixedPool, EventFdNotifier,
                             RingCompletionSink, HeapBuffers, MmapSharedPage, MonotonicClock>;

inline constexpr UringOptions kServerUring{
    .sqpoll = WEFT_SERVER_SQPOLL != 0,
    .fixed_files = WEFT_SERVER_FIXED_FILES != 0,
    .fixed_buffers = true,  // what RegisteredBuffers are registered with
    .multishot_accept = WEFT_SERVER_MULTISHOT_ACCEPT != 0,
    .zero_copy_send = WEFT_SERVER_ZERO_COPY_SEND != 0,
};
// Needs Linux 6.7, for futexes in the ring.
using ServerTraits = Traits<ProbeRouter, CompositeIoUring<kServerUring>, LazyPool, FutexNotifier,
                            DirectWakeSink, RegisteredBuffers, CachedSharedPage, MonotonicClock>;

// What a worker of the HTTP server is made of where io_uring is allowed; and where it is not.
using RuntimeTraits = Traits<ProbeRouter, BasicIoUring, LazyPool, EventFdNotifier, DirectWakeSink,
                             ProvidedBufferRing, CachedSharedPage, MonotonicClock>;
using RuntimeEpollTraits = Traits<ProbeRouter, Epoll, LazyPool, EventFdNotifier, DirectWakeSink,
                                  HeapBuffers, CachedSharedPage, MonotonicClock>;

using DefaultInstance = InstanceOf<DefaultTraits>;
using ServerInstance = InstanceOf<ServerTraits>;
using RuntimeInstance = InstanceOf<RuntimeTraits>;

}  // namespace weft::ksvc
