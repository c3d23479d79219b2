// Traits: one implementation of each trait, by type; what an Instance is put together from.
//
// Checked where it is named: an implementation that is none, or a notifier that the back end cannot
// watch, does not compile.
#pragma once

#include "ksvc/core/clock.hpp"
#include "ksvc/core/completion_sink.hpp"
#include "ksvc/core/io_backend.hpp"
#include "ksvc/core/notifier.hpp"
#include "ksvc/core/shared_page.hpp"
#include "ksvc/core/syscall_router.hpp"
#include "ksvc/core/worker_pool.hpp"

namespace weft::ksvc {

template <SyscallRouter RouterType, IoBackend BackendType, WorkerPool PoolType,
          WatchedBy<BackendType> NotifierType, CompletionSink SinkType, BufferProvider BuffersType,
          SharedPage PageType, Clock ClockType>
struct Traits {
  using Router = RouterType;
  using Backend = BackendType;
  using Pool = PoolType;
  using Notifier = NotifierType;
  using Sink = SinkType;
  using Buffers = BuffersType;
  using Page = PageType;
  using Clock = ClockType;

  // The same with one trait replaced.
  template <class T>
  using WithRouter = Traits<T, Backend, Pool, Notifier, Sink, Buffers, Page, Clock>;
  template <class T>
  using WithBackend = Traits<Router, T, Pool, Notifier, Sink, Buffers, Page, Clock>;
  template <class T>
  using WithPool = Traits<Router, Backend, T, Notifier, Sink, Buffers, Page, Clock>;
  template <class T>
  using WithNotifier = Traits<Router, Backend, Pool, T, Sink, Buffers, Page, Clock>;
  template <class T>
  using WithSink = Traits<Router, Backend, Pool, Notifier, T, Buffers, Page, Clock>;
  template <class T>
  using WithBuffers = Traits<Router, Backend, Pool, Notifier, Sink, T, Page, Clock>;
  template <class T>
  using WithPage = Traits<Router, Backend, Pool, Notifier, Sink, Buffers, T, Clock>;
  template <class T>
  using WithClock = Traits<Router, Backend, Pool, Notifier, Sink, Buffers, Page, T>;
};

}  // namespace weft::ksvc
