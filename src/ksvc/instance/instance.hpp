// Instance: kernel services put together from one implementation of each trait.
//
// A thread submits system calls through a Port of its own. What memory can answer, and what
// concerns the calling thread itself, is done there and then; everything else is queued for the
// owner, who runs dispatcher_loop(): it sends each call to the ring or to the worker pool, as the
// router says, and the result to the sink. A queue or a table that is full says so or waits;
// nothing is dropped.
//
// create(), turn() and the destructor belong to the owner's thread; port(), stop() and release() to
// any. A Port belongs to one thread. Ports, and whoever calls stop() or release(), end before the
// instance, and it ends only after turn() has returned false: until then the kernel may have its
// memory. In a forked child there is no dispatcher: what is submitted there is called in place.
#pragma once

#include <atomic>
#include <bit>
#include <concepts>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <type_traits>
#include <vector>

#include "ksvc/instance/direct_call.hpp"
#include "ksvc/instance/entry.hpp"
#include "ksvc/instance/in_flight_table.hpp"
#include "ksvc/instance/instance_parts.hpp"
#include "ksvc/instance/traits.hpp"
#include "ksvc/instance/wake_gate.hpp"
#include "ksvc/queue/mpsc_queue.hpp"
#include "weft/result.hpp"

namespace weft::ksvc {

template <class TraitsType>
class InstanceOf {
 public:
  using Traits = TraitsType;
  using Router = typename Traits::Router;
  using Backend = typename Traits::Backend;
  using Pool = typename Traits::Pool;
  using Notifier = typename Traits::Notifier;
  using Sink = typename Traits::Sink;
  using Buffers = typename Traits::Buffers;
  using Page = typename Traits::Page;
  using Clock = typename Traits::Clock;
  using Parts = InstanceParts<Traits>;

  // Fails with EOPNOTSUPP when this kernel cannot watch the notifier, and as the parts do.
  static Result<std::unique_ptr<InstanceOf>> create(const Parts& parts = {});
  InstanceOf(const InstanceOf&) = delete;
  InstanceOf& operator=(const InstanceOf&) = delete;

  class Port;
  Port port() noexcept { return Port(*this); }
  // Gives back the lease that a completion carried.
  void release(BufferLease& lease);
  // The dispatcher cancels what it can, waits for the rest and returns. Not before the last submit;
  // and the instance must not go before stop() has returned.
  void stop() noexcept {
    stopping_.store(true, std::memory_order_release);
    gate_.ring();
  }

  // Owner: one round of the dispatcher. False when it was told to stop and nothing is left.
  bool turn();

  const Router& router() const noexcept { return router_; }
  Backend& backend() noexcept { return *backend_; }
  Pool& pool() noexcept { return *pool_; }
  Notifier& notifier() noexcept { return gate_.notifier(); }
  Sink& sink() noexcept { return *sink_; }
  Buffers& buffers() noexcept { return buffers_.get(); }
  Page& page() noexcept { return page_; }
  const Clock& clock() const noexcept { return clock_; }

 private:
  static constexpr CorrelationId kWakeId = InFlightTable::kNoId;
  // Calls taken up per turn before the kernel is entered, so that neither starves the other.
  static constexpr int kEntriesPerTurn = 256;

  // What the back end drains into: finds out whose completion it is.
  struct Sorter {
    void complete(const Completion& completion) noexcept { instance.completed(completion); }
    InstanceOf& instance;
  };

  InstanceOf(const Parts& parts, std::unique_ptr<Backend> backend, Page page,
             std::unique_ptr<Sink> sink);

  unsigned take_entries();
  void dispatch(const Entry& entry);
  bool lend_memory(InFlight& slot);
  bool give_to_ring(InFlight& slot);
  void give_to_pool(InFlight& slot);
  void retry_pool();
  static void run_on_pool(PoolTask& task) noexcept;
  void completed(const Completion& completion) noexcept;
  void take_pool_results();
  void take_returned_leases();
  void finish(InFlight& slot, std::int64_t result) noexcept;
  void cancel_all();
  bool has_work() noexcept;
  TimePoint wake_up_time() const noexcept;
  std::size_t results_waiting() const noexcept;
  bool may_begin() const noexcept;
  void publish_counters() noexcept;

  Clock clock_;
  Router router_;
  Page page_;
  const Page page_for_ports_;  // never read, only copied, so by any thread
  std::uint64_t owner_pid_;
  std::unique_ptr<Backend> backend_;
  BufferSource<Buffers, Backend> buffers_;
  std::unique_ptr<Sink> sink_;
  WakeGate<Notifier> gate_;
  MpscQueue<Entry> entries_;
  MpscQueue<InFlight*> pool_results_;
  InFlightTable table_;
  std::deque<InFlight*> waiting_for_pool_;
  std::size_t in_pool_ = 0;  // accepted, and their results not taken yet
  std::mutex returned_mutex_;
  std::vector<BufferLease> returned_;  // guarded by it
  std::atomic<bool> has_returned_{false};
  std::atomic<bool> stopping_{false};
  bool watching_ = false;
  bool cancelled_ = false;
  std::uint32_t worker_;
  std::uint64_t submitted_ = 0;
  std::uint64_t batches_ = 0;
  std::uint64_t completions_ = 0;
  // Last, so that its threads end before what they use.
  std::unique_ptr<Pool> pool_;
};

// One thread's way into an instance.
template <class Traits>
class InstanceOf<Traits>::Port {
 public:
  Answer submit(const Entry& entry);
  Page& page() noexcept { return page_; }

 private:
  friend class InstanceOf;
  explicit Port(InstanceOf& instance) noexcept
      : instance_(&instance),
        clock_(instance.clock_),
        page_(instance.page_for_ports_),
        owner_pid_(instance.owner_pid_) {}

  std::optional<std::int64_t> answer_from_page(const Entry& entry) noexcept;

  InstanceOf* instance_;
  Clock clock_;
  Page page_;
  std::uint64_t owner_pid_;
};

template <class... Implementations>
using Instance = InstanceOf<Traits<Implementations...>>;

// Runs the instance until it is told to stop; written once, over all traits.
template <class Traits>
void dispatcher_loop(InstanceOf<Traits>& instance) {
  while (instance.turn()) {
  }
}

}  // namespace weft::ksvc

#include "ksvc/instance/instance_impl.hpp"
