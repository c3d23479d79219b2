// LogWriter::State: the queues of a log, and the thread that writes what is in them.
//
// Any thread puts lines and records there; what makes lines of records does so on the thread that
// writes.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "app/log/line_batch.hpp"
#include "app/log/line_queue.hpp"
#include "app/log/log_file.hpp"
#include "app/log/thread_number.hpp"
#include "ksvc/notify/futex_call.hpp"
#include "weft/detail/spin_lock.hpp"
#include "weft/log_writer.hpp"

namespace weft {

namespace app {
inline constexpr std::size_t kLeastQueueBytes = 4 * 1024;
}

class LogWriter::State {
 public:
  State(const std::string& path, const LogWriterOptions& options);
  ~State();

  bool write(std::string_view line) noexcept;
  // Calls `put(queue)` with the queue of this thread; false when that is, or there is no queue.
  template <class Put>
  bool put(const Put& put) noexcept;
  // Keeps what makes lines of records until all that was put there before retire() is written.
  app::LineMaker& adopt(std::unique_ptr<app::LineMaker> maker);
  void retire(const app::LineMaker& maker) noexcept;
  void drop() noexcept { no_queue_.fetch_add(1, std::memory_order_relaxed); }
  void ask_to_reopen() noexcept {
    reopen_wanted_.store(true);
    wake();
  }
  bool flush(std::chrono::milliseconds at_most);
  const std::string& path() const noexcept { return path_; }
  LogWriterStats stats() const noexcept;

 private:
  enum class Progress : std::uint8_t { nothing, some, stuck };
  // What the writing thread is at, for those who may have to wake it.
  enum Sleep : std::uint32_t {
    awake,
    gathering,  // to be woken by who fills half of a queue
    asleep,     // to be woken by the next line
    retrying,   // to be woken by no line
  };
  // One that is not used any more is let go when what there was by then has been written.
  enum class Use : std::uint8_t { used, retired, leaving };
  struct Maker {
    std::unique_ptr<app::LineMaker> maker;
    Use use = Use::used;
  };

  app::LineQueue* queue_of(unsigned number) noexcept {
    app::LineQueue* const queue = by_thread_[number].load(std::memory_order_acquire);
    return queue != nullptr ? queue : make_queue(number);
  }
  app::LineQueue* make_queue(unsigned number) noexcept;
  static bool push(app::LineQueue& queue, std::string_view line) noexcept;
  void wake() noexcept {
    if (sleep_.exchange(awake) != awake) ksvc::futex_wake(sleep_, ksvc::FutexScope::process);
  }

  // ---- The writing thread's
  void run() noexcept;
  Progress drain();
  bool drain(app::LineQueue& queue, Progress& progress);
  bool write_batch(Progress& progress);
  void look_at_the_file();
  void begin_to_let_go() noexcept;
  void let_go() noexcept;
  void tell_dropped(Progress& progress);
  bool keep_or_fail(std::int64_t result);
  void open_anew();
  void pause(Progress progress, bool ending);
  bool any_line() const noexcept;
  void complain(const std::string& what) noexcept;
  std::vector<app::LineQueue*> queues() const;
  std::uint64_t dropped() const noexcept;

  const std::string path_;
  const LogWriterOptions options_;
  const std::size_t queue_bytes_;
  app::LogFile file_;

  mutable std::mutex mutex_;  // guards what follows, up to the next comment
  std::vector<std::unique_ptr<app::LineQueue>> all_;
  std::vector<Maker> makers_;
  std::condition_variable flushed_;
  std::uint64_t flush_done_ = 0;
  // By thread_number(); null: that thread has not written yet.
  std::array<std::atomic<app::LineQueue*>, app::kMostThreadNumbers> by_thread_{};
  // Of all threads beyond; made at once.
  detail::SpinLock others_lock_;
  app::LineQueue* others_;

  std::atomic<std::uint32_t> sleep_{awake};
  std::atomic<bool> stopping_{false};
  std::atomic<bool> reopen_wanted_{false};
  std::atomic<std::uint64_t> flush_asked_{0};
  std::atomic<std::uint64_t> no_queue_{0};  // lines dropped for want of memory

  std::atomic<std::uint64_t> bytes_{0};
  std::atomic<std::uint64_t> batches_{0};
  std::atomic<std::uint64_t> partial_{0};
  std::atomic<std::uint64_t> waits_{0};
  std::atomic<std::uint64_t> errors_{0};
  std::atomic<std::uint64_t> reopened_{0};

  app::LineQueue notes_{app::kLeastQueueBytes};  // lines of the writing thread's own
  app::LineBatch batch_;
  std::uint64_t dropped_told_ = 0;
  bool failing_ = false;
  std::chrono::steady_clock::time_point next_complaint_;
  std::chrono::steady_clock::time_point next_look_;
  std::thread thread_;
};

template <class Put>
bool LogWriter::State::put(const Put& put) noexcept {
  const unsigned number = app::thread_number();
  bool taken = false;
  bool half_full = false;
  if (number < app::kMostThreadNumbers) [[likely]] {
    app::LineQueue* const queue = queue_of(number);
    if (queue == nullptr) [[unlikely]] {
      drop();
      return false;
    }
    taken = put(*queue);
    half_full = queue->is_half_full();
  } else {
    const detail::SpinGuard guard(others_lock_);
    taken = put(*others_);
    half_full = others_->is_half_full();
  }
  const std::uint32_t sleep = sleep_.load(std::memory_order_seq_cst);
  if (sleep == asleep || (sleep == gathering && half_full)) [[unlikely]]
    wake();
  return taken;
}

}  // namespace weft
