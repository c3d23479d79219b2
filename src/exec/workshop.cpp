#include "exec/workshop.hpp"

#include <algorithm>
#include <bit>
#include <stdexcept>
#include <thread>

#include "ksvc/core/assert.hpp"
#include "ksvc/pool/fixed_pool.hpp"
#include "ksvc/pool/lazy_pool.hpp"

namespace weft::exec {

namespace {

// The next request often comes at once, and a thread that sleeps takes tens of microseconds to
// wake.
constexpr std::chrono::microseconds kAwakeTime{50};
constexpr const char* kThreadName = "weft-work";

std::size_t places_of(const WorkshopOptions& options) {
  if (options.threads > 0) return options.threads;
  const unsigned processors = std::max(1U, std::thread::hardware_concurrency());
  // Those that are there from the start compute; those that come as needed may block.
  return options.threads_from_start ? std::clamp(processors / 2, 1U, 8U)
                                    : std::clamp(processors * 4, 4U, 64U);
}

std::unique_ptr<PoolPort> make_pool(const WorkshopOptions& options) {
  const auto threads = static_cast<unsigned>(places_of(options));
  if (options.threads_from_start) {
    ksvc::FixedPoolOptions fixed;
    fixed.threads = threads;
    fixed.awake_time = kAwakeTime;
    fixed.thread_name = kThreadName;
    return std::make_unique<PoolPortOf<ksvc::FixedPool>>(fixed);
  }
  ksvc::LazyPoolOptions lazy;
  lazy.most_threads = threads;
  lazy.awake_time = kAwakeTime;
  lazy.thread_name = kThreadName;
  return std::make_unique<PoolPortOf<ksvc::LazyPool>>(lazy);
}

}  // namespace

void QueueFigures::count_begun(std::int64_t waited_ns) noexcept {
  const auto ns = static_cast<std::uint64_t>(std::max<std::int64_t>(waited_ns, 0));
  const std::uint64_t us = (ns + 999) / 1000;
  std::size_t i = 0;
  if (us > bound_us(0)) {
    i = (static_cast<std::size_t>(std::bit_width(us - 1)) - kFirst + kStep - 1) / kStep;
  }
  waited_[std::min(i, kBounds)].fetch_add(1, std::memory_order_relaxed);
  waited_ns_.fetch_add(ns, std::memory_order_relaxed);
}

std::uint64_t QueueFigures::begun() const noexcept {
  std::uint64_t sum = 0;
  for (const auto& count : waited_) sum += count.load(std::memory_order_relaxed);
  return sum;
}

Lane::Lane(Executor& executor_of_it, const LaneOptions& options)
    : executor_(executor_of_it), queue_time_(options.queue_time) {
  if (options.places > 0) gate_.emplace(options.places);
}

Workshop::Workshop(const WorkshopOptions& options)
    : options_(options), places_(places_of(options)), pool_gate_(places_) {
  add_executor(std::string(kDefaultExecutor), 0);
  if (options_.threads_from_start) need_pool();
}

Workshop::Workshop(std::unique_ptr<PoolPort> pool, std::size_t places)
    : places_(places), pool_gate_(places), pool_(std::move(pool)), pool_ready_(pool_.get()) {
  add_executor(std::string(kDefaultExecutor), 0);
}

Workshop::~Workshop() {
  if (pool_ != nullptr) pool_->stop();
}

void Workshop::add_executor(const std::string& name, std::size_t places) {
  executors_[name] = std::make_unique<Executor>(name, places > 0 ? places : places_);
}

Executor* Workshop::find_executor(std::string_view name) noexcept {
  const auto found = executors_.find(name.empty() ? kDefaultExecutor : name);
  return found != executors_.end() ? found->second.get() : nullptr;
}

std::unique_ptr<Lane> Workshop::make_lane(const LaneOptions& options) {
  Executor* const executor = find_executor(options.executor);
  if (executor == nullptr) {
    throw std::invalid_argument("there is no executor \"" + options.executor +
                                "\": make it with App::executor() before");
  }
  return std::make_unique<Lane>(*executor, options);
}

bool Workshop::on_pool_thread() const noexcept {
  const PoolPort* const pool = this->pool();
  return pool != nullptr && pool->on_own_thread();
}

void Workshop::need_pool() {
  if (pool_ready_.load(std::memory_order_acquire) != nullptr) return;
  std::call_once(pool_made_, [this] {
    pool_ = make_pool(options_);
    pool_ready_.store(pool_.get(), std::memory_order_release);
  });
}

void Workshop::has_come_round() noexcept {
  if (in_hand_.fetch_sub(1, std::memory_order_acq_rel) == 1) in_hand_.notify_all();
}

void Workshop::wait_until_none_runs() const noexcept {
  for (std::uint32_t running = in_hand_.load(std::memory_order_acquire); running != 0;
       running = in_hand_.load(std::memory_order_acquire)) {
    in_hand_.wait(running, std::memory_order_acquire);
  }
}

// Whoever is behind the last gate has a thread, so that none waits in the pool's own queue.
void Workshop::run_all(Entrant* first) noexcept {
  while (first != nullptr) {
    auto& call = static_cast<PoolCall&>(*first);
    first = first->next_admitted();
    in_hand_.fetch_add(1, std::memory_order_relaxed);
    const ksvc::PoolAnswer answer = pool_->submit(call.task());
    WEFT_ASSERT(answer == ksvc::PoolAnswer::accepted);
  }
}

}  // namespace weft::exec
