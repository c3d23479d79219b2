// What the kernel services cost where no kernel is asked: routers, the shared page, clocks,
// buffers, queues and sinks, each beside what it stands for.

#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <ctime>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "ksvc/buffers/heap_buffers.hpp"
#include "ksvc/buffers/provided_buffer_ring.hpp"
#include "ksvc/buffers/registered_buffers.hpp"
#include "ksvc/clock/monotonic_clock.hpp"
#include "ksvc/page/cached_shared_page.hpp"
#include "ksvc/page/mmap_shared_page.hpp"
#include "ksvc/queue/mpsc_queue.hpp"
#include "ksvc/queue/spsc_queue.hpp"
#include "ksvc/router/kernel_features.hpp"
#include "ksvc/router/probe_router.hpp"
#include "ksvc/router/static_router.hpp"
#include "ksvc/sink/completion_ring_reader.hpp"
#include "ksvc/sink/direct_wake_sink.hpp"
#include "ksvc/sink/ring_completion_sink.hpp"
#include "ksvc_rows.hpp"

namespace {

using namespace weft;
using bench::keep;
using bench::Rows;

constexpr std::size_t kRepetitions = 100'000;
constexpr std::size_t kCallRepetitions = 5'000;
constexpr ksvc::BufferOptions kBuffers{.blocks = 256, .block_bytes = 4096};

template <class Router>
void add_router(Rows& rows, const std::string& name, const Router& router) {
  rows.add_operation("router_" + name, kRepetitions, [&router](std::size_t i) {
    long nr = static_cast<long>(i & 0xFF);
    keep(nr);
    keep(router.tier(nr));
  });
}

template <class Page>
void add_page(Rows& rows, const std::string& name, Page& page) {
  rows.add_operation("page_" + name + "_pid", kRepetitions,
                     [&page](std::size_t) { keep(page.fact(ksvc::Fact::pid)); });
  auto writer = page.writer(0);
  rows.add_operation("page_" + name + "_count", kRepetitions, [writer](std::size_t) {
    writer.add(ksvc::Counter::submitted, std::int64_t{1});
  });
}

void add_calls(Rows& rows, const ksvc::MonotonicClock& clock) {
  rows.add_operation("call_getpid", kCallRepetitions,
                     [](std::size_t) { keep(::syscall(SYS_getpid)); });
  rows.add_operation("call_clock_gettime", kCallRepetitions, [](std::size_t) {
    timespec time{};
    keep(::syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &time));
    keep(time);
  });
  rows.add_operation("clock_monotonic", kRepetitions, [&clock](std::size_t) { keep(clock.now()); });
}

template <class Provider>
void add_long_leases(Rows& rows, const std::string& name, Provider& provider) {
  rows.add_operation("buffers_" + name + "_borrow", kRepetitions, [&provider](std::size_t) {
    ksvc::BufferLease lease = provider.borrow();
    keep(lease);
    provider.release(lease);
  });
}

template <class Provider>
void add_buffers(Rows& rows, const std::string& name, Provider& provider) {
  rows.add_operation("buffers_" + name, kRepetitions, [&provider](std::size_t) {
    ksvc::BufferLease lease = provider.acquire();
    keep(lease);
    provider.release(lease);
  });
  rows.add_operation("buffers_" + name + "_detach", kRepetitions, [&provider](std::size_t) {
    ksvc::BufferLease lease = provider.acquire();
    provider.detach(lease);
    keep(lease);
    provider.release(lease);
  });
  add_long_leases(rows, name, provider);
}

// The kernel's part is left out: it picks the block.
void add_buffer_ring(Rows& rows, ksvc::ProvidedBufferRing& provider) {
  rows.add_operation("buffers_provided", kRepetitions, [&provider](std::size_t i) {
    const auto block = static_cast<std::uint16_t>(i & (kBuffers.blocks - 1));
    ksvc::BufferLease lease = provider.adopt(block, 64);
    keep(lease);
    provider.release(lease);
    if ((i & 15) == 15) provider.publish();
  });
  add_long_leases(rows, "provided", provider);
}

void add_heap(Rows& rows) {
  rows.add_operation("heap_new_delete_4k", kRepetitions, [](std::size_t) {
    void* memory = ::operator new(4096);
    keep(memory);
    ::operator delete(memory);
  });
}

// As large as a queue of routes to register.
constexpr std::size_t kQueued = 1024;

// From one thread to another, which both never stop: nanoseconds per value.
double across_threads(int first_core, int second_core) {
  constexpr std::size_t kValues = 200'000;
  ksvc::SpscQueue<std::uint64_t> queue(kQueued);
  std::atomic<bool> begin{false};
  std::thread producer([&] {
    bench::pin_this_thread(second_core);
    while (!begin.load(std::memory_order_acquire)) {
    }
    for (std::uint64_t i = 0; i < kValues; ++i) {
      while (!queue.push(i)) {
      }
    }
  });
  bench::pin_this_thread(first_core);
  begin.store(true, std::memory_order_release);
  const double spent = bench::nanoseconds_per(kValues, [&queue](std::size_t) {
    while (!queue.pop()) {
    }
  });
  producer.join();
  return spent;
}

void add_queues(Rows& rows, const bench::RowsArguments& arguments,
                ksvc::SpscQueue<std::uint64_t>& spsc, ksvc::MpscQueue<std::uint64_t>& mpsc) {
  rows.add_operation("queue_spsc_push_pop", kRepetitions, [&spsc](std::size_t i) {
    keep(spsc.push(std::uint64_t{i}));
    keep(spsc.pop());
  });
  rows.add_operation("queue_mpsc_push_pop", kRepetitions, [&mpsc](std::size_t i) {
    keep(mpsc.push(std::uint64_t{i}));
    std::uint64_t value = 0;
    keep(mpsc.pop(value));
    keep(value);
  });
  rows.add("queue_spsc_across_threads", "ns",
           [arguments] { return across_threads(arguments.first_core, arguments.second_core); });
}

struct Waiter : ksvc::CompletionTarget {
  Waiter() : CompletionTarget(&Waiter::completed) {}
  static void completed(CompletionTarget& target, unsigned, const ksvc::Completion& completion) {
    static_cast<Waiter&>(target).sum += completion.result;
  }
  std::int64_t sum = 0;
};

// In batches of 16, read in the same thread: what both ends cost together, without a wake.
void add_sinks(Rows& rows, Waiter& waiter, ksvc::RingCompletionSink& sink,
               ksvc::CompletionRingReader<>& reader) {
  rows.add_operation("sink_direct_wake", kRepetitions, [&waiter](std::size_t i) {
    ksvc::DirectWakeSink direct;
    direct.complete({waiter.corr_id(), static_cast<std::int32_t>(i), false, {}});
  });
  rows.add_operation("sink_ring", kRepetitions, [&sink, &reader](std::size_t i) {
    sink.complete({i, static_cast<std::int32_t>(i), false, {}});
    if ((i & 15) != 15) return;
    sink.flush();
    reader.read([](const ksvc::CompletionRecord& record) { keep(record); });
  });
}

}  // namespace

int main(int count, char** words) {
  const auto arguments = bench::RowsArguments::from(count, words);
  bench::pin_this_thread(arguments.first_core);
  Rows rows;

  const ksvc::KernelFeatures features = ksvc::probe_kernel_features();
  const ksvc::ProbeRouter probe_router(features);
  const ksvc::StaticRouter<ksvc::kKernel6_1> static_router;
  add_router(rows, "probe", probe_router);
  add_router(rows, "static", static_router);

  const ksvc::MonotonicClock clock;
  add_calls(rows, clock);
  std::optional<ksvc::MmapSharedPage> mapped;
  std::optional<ksvc::CachedSharedPage> cached;
  if (auto page = ksvc::MmapSharedPage::create({.path = arguments.folder}); page) {
    mapped.emplace(*page);
    cached.emplace(*page);
    add_page(rows, "mmap", *mapped);
    add_page(rows, "cached", *cached);
  } else {
    rows.skip("page_mmap_pid", page.error().message());
  }

  ksvc::HeapBuffers heap(kBuffers);
  ksvc::RegisteredBuffers registered(kBuffers);
  ksvc::ProvidedBufferRing provided(kBuffers);
  add_heap(rows);
  add_buffers(rows, "heap", heap);
  add_buffers(rows, "registered", registered);
  io_uring ring{};
  if (::io_uring_queue_init(4, &ring, 0) == 0 && provided.attach(&ring)) {
    add_buffer_ring(rows, provided);
  } else {
    rows.skip("buffers_provided", "io_uring is refused here");
  }

  ksvc::SpscQueue<std::uint64_t> spsc(kQueued);
  ksvc::MpscQueue<std::uint64_t> mpsc(kQueued);
  add_queues(rows, arguments, spsc, mpsc);

  Waiter waiter;
  auto sink = ksvc::RingCompletionSink::create();
  if (!sink) return 1;
  ksvc::CompletionRingReader<> reader((*sink)->ring());
  add_sinks(rows, waiter, **sink, reader);

  rows.run(arguments.rounds);
  rows.print();
}
