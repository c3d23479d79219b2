// PoolCall: one request on its way to a pool thread, there, and back.
//
// Invariants. Nothing of the request is looked at by two threads: the worker's until it is admitted
// by all gates, the pool thread's while it runs, the worker's again from when it has come round.
// One that nobody has admitted may be ended by its deadline in the line, by the end of its
// request's time, by its client's going and by the server's end; from then on it never runs. One
// that has been admitted always comes round. Memory of the worker's, where it is made and given
// back.
#pragma once

#include <chrono>
#include <cstdint>
#include <exception>
#include <optional>

#include "exec/admission.hpp"
#include "exec/pool_bodies.hpp"
#include "gvt/scheduler.hpp"
#include "http/awaited_end.hpp"
#include "http/exchange.hpp"
#include "ksvc/core/worker_pool.hpp"
#include "weft/detail/armed_wait.hpp"
#include "weft/detail/cancel_node.hpp"
#include "weft/detail/waiter.hpp"

namespace weft::exec {

class Lane;
class Workshop;

// What a handler has done on the pool.
struct PoolReport {
  std::chrono::nanoseconds processor_time{0};
  bool refused = false;  // it wanted what can only be had on the worker
};

// What is to run on the pool: a function with its object, under a name that lives for ever.
struct PoolWork {
  void (*run)(void* object, http::Exchange& exchange) = nullptr;
  void* object = nullptr;
  const char* name = nullptr;
  // Told on the worker, when it has run. Null: nobody wants to know, and no time is taken.
  void (*has_run)(void* object, http::Exchange& exchange,
                  const PoolReport& report) noexcept = nullptr;
};

// Of the processor's, that the calling thread has used.
std::chrono::nanoseconds thread_time() noexcept;

class PoolCall final : public http::AwaitedEnd,
                       public Entrant,
                       private detail::Runnable,
                       private ksvc::PoolTask {
 public:
  PoolCall(const PoolCall&) = delete;
  PoolCall& operator=(const PoolCall&) = delete;

  // On the request's worker. Reads the body, and throws what that throws; std::bad_alloc, too.
  static PoolCall& make(Workshop& workshop, Lane& lane, http::Exchange& exchange,
                        const PoolWork& work);

  bool has_ended(http::ToldOfAnswer told, detail::CancelNode* node) noexcept override;
  bool give_up() noexcept override { return true; }
  void fill(Context& context) override;
  void request_ended() noexcept override;

  // For the workshop, which has admitted it.
  ksvc::PoolTask& task() noexcept { return *this; }

 private:
  PoolCall(Workshop& workshop, Lane& lane, http::Exchange& exchange, const PoolWork& work);
  ~PoolCall() = default;

  bool still_wants() noexcept override { return waiter_.claim(detail::Outcome::woken); }
  static void run_on_pool(ksvc::PoolTask& task) noexcept;
  void run() noexcept;
  static void came_round(detail::Runnable& self) noexcept;
  void end() noexcept;
  void answer_busy();

  Workshop& workshop_;
  Lane& lane_;
  http::Exchange& exchange_;
  PoolWork work_;
  PoolBodies bodies_;
  detail::Waiter waiter_;
  detail::ArmedWait armed_;
  std::optional<detail::ChildCancelNode> cancel_;  // of what runs
  http::ToldOfAnswer told_;
  std::int64_t entered_ns_ = 0;
  std::int64_t begun_ns_ = 0;  // 0: not at all
  PoolReport report_;
  std::exception_ptr failure_;
  bool ended_ = false;
};

}  // namespace weft::exec
