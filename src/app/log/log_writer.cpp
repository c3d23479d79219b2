#include "weft/log_writer.hpp"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cerrno>
#include <condition_variable>
#include <cstdio>
#include <cstring>
#include <exception>
#include <mutex>
#include <new>
#include <stdexcept>
#include <thread>
#include <vector>

#include "app/log/line_queue.hpp"
#include "app/log/log_file.hpp"
#include "app/log/thread_number.hpp"
#include "ksvc/notify/futex_call.hpp"
#include "weft/detail/spin_lock.hpp"

namespace weft {

namespace {

using app::LineQueue;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

// What goes wrong is told once in this time.
constexpr std::chrono::seconds kComplaintPause{10};
// How often a file is looked for under its name.
constexpr std::chrono::seconds kMovedPause{1};
// A reader who has no room is waited for in steps of this, between which the end may be asked for.
constexpr milliseconds kRoomStep{50};
constexpr std::size_t kLeastQueueBytes = 4 * 1024;

// What the writing thread is at, for those who may have to wake it.
enum Sleep : std::uint32_t {
  awake,
  gathering,  // to be woken by who fills half of a queue
  asleep,     // to be woken by the next line
  retrying,   // to be woken by no line
};

std::string with_breaks_escaped(std::string_view line) {
  std::string text;
  for (const char c : line) {
    if (c == '\n' || c == '\r') {
      text += c == '\n' ? "\\n" : "\\r";
    } else {
      text += c;
    }
  }
  return text;
}

std::string usual_dropped_line(std::uint64_t dropped) {
  return "# " + std::to_string(dropped) +
         " lines were dropped: they came faster than they could be written";
}

// A thread of ours must not be the one that a signal for the program ends up with.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

}  // namespace

class LogWriter::State {
 public:
  State(const std::string& path, const LogWriterOptions& options);
  ~State();

  bool write(std::string_view line) noexcept;
  void drop() noexcept { no_queue_.fetch_add(1, std::memory_order_relaxed); }
  void ask_to_reopen() noexcept {
    reopen_wanted_.store(true);
    wake();
  }
  bool flush(milliseconds at_most);
  const std::string& path() const noexcept { return path_; }
  LogWriterStats stats() const noexcept;

 private:
  enum class Progress : std::uint8_t { nothing, some, stuck };

  LineQueue* queue_of(unsigned number) noexcept;
  bool push(LineQueue& queue, std::string_view line) noexcept;
  void wake() noexcept {
    if (sleep_.exchange(awake) != awake) ksvc::futex_wake(sleep_, ksvc::FutexScope::process);
  }

  // ---- The writing thread's
  void run() noexcept;
  Progress drain();
  bool drain(LineQueue& queue, Progress& progress);
  void tell_dropped(Progress& progress);
  bool keep_or_fail(std::int64_t result);
  void open_anew();
  void pause(Progress progress, bool ending);
  bool any_line() const noexcept;
  void complain(const std::string& what) noexcept;
  std::vector<LineQueue*> queues() const;
  std::uint64_t dropped() const noexcept;

  const std::string path_;
  const LogWriterOptions options_;
  const std::size_t queue_bytes_;
  app::LogFile file_;

  mutable std::mutex mutex_;  // guards what follows, up to the next comment
  std::vector<std::unique_ptr<LineQueue>> all_;
  std::condition_variable flushed_;
  std::uint64_t flush_done_ = 0;
  // By thread_number(); null: that thread has not written yet.
  std::array<std::atomic<LineQueue*>, app::kMostThreadNumbers> by_thread_{};
  // Of all threads beyond; made at once.
  detail::SpinLock others_lock_;
  LineQueue* others_;

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

  LineQueue notes_{kLeastQueueBytes};  // lines of the writing thread's own
  LineQueue* amid_ = nullptr;          // whose line was written in part
  std::uint64_t dropped_told_ = 0;
  bool failing_ = false;
  steady_clock::time_point next_complaint_;
  steady_clock::time_point next_look_;
  std::thread thread_;
};

LogWriter::State::State(const std::string& path, const LogWriterOptions& options)
    : path_(path),
      options_(options),
      queue_bytes_(std::bit_ceil(std::max(options.queue_bytes, kLeastQueueBytes))) {
  if (const std::string refused = file_.open(path, options.mode); !refused.empty()) {
    throw std::runtime_error(refused);
  }
  all_.push_back(std::make_unique<LineQueue>(queue_bytes_));
  others_ = all_.back().get();
  const SignalsBlocked blocked;
  thread_ = std::thread([this] { run(); });
}

LogWriter::State::~State() {
  stopping_.store(true);
  wake();
  thread_.join();
}

// ---- Who writes

LineQueue* LogWriter::State::queue_of(unsigned number) noexcept {
  LineQueue* queue = by_thread_[number].load(std::memory_order_acquire);
  if (queue != nullptr) [[likely]]
    return queue;
  try {
    auto made = std::make_unique<LineQueue>(queue_bytes_);
    const std::lock_guard lock(mutex_);
    all_.push_back(std::move(made));
    queue = all_.back().get();
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
  by_thread_[number].store(queue, std::memory_order_release);
  return queue;
}

bool LogWriter::State::push(LineQueue& queue, std::string_view line) noexcept {
  // Two looks at the whole are quicker than one at each byte.
  if (line.find('\n') == line.npos && line.find('\r') == line.npos) [[likely]]
    return queue.push(line);
  try {
    return queue.push(with_breaks_escaped(line));
  } catch (const std::bad_alloc&) {
    queue.refuse();
    return false;
  }
}

bool LogWriter::State::write(std::string_view line) noexcept {
  const unsigned number = app::thread_number();
  bool taken = false;
  bool half_full = false;
  if (number < app::kMostThreadNumbers) [[likely]] {
    LineQueue* const queue = queue_of(number);
    if (queue == nullptr) {
      no_queue_.fetch_add(1, std::memory_order_relaxed);
      return false;
    }
    taken = push(*queue, line);
    half_full = queue->is_half_full();
  } else {
    const detail::SpinGuard guard(others_lock_);
    taken = push(*others_, line);
    half_full = others_->is_half_full();
  }
  const std::uint32_t sleep = sleep_.load(std::memory_order_seq_cst);
  if (sleep == asleep || (sleep == gathering && half_full)) [[unlikely]]
    wake();
  return taken;
}

bool LogWriter::State::flush(milliseconds at_most) {
  const std::uint64_t asked = flush_asked_.fetch_add(1) + 1;
  wake();
  std::unique_lock lock(mutex_);
  return flushed_.wait_for(lock, at_most, [&] { return flush_done_ >= asked; });
}

LogWriterStats LogWriter::State::stats() const noexcept {
  LogWriterStats stats;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& queue : all_) stats.lines += queue->lines();
  }
  stats.dropped = dropped();
  stats.bytes = bytes_;
  stats.batches = batches_;
  stats.partial = partial_;
  stats.waits = waits_;
  stats.errors = errors_;
  stats.reopened = reopened_;
  return stats;
}

std::uint64_t LogWriter::State::dropped() const noexcept {
  const std::lock_guard lock(mutex_);
  std::uint64_t sum = no_queue_;
  for (const auto& queue : all_) sum += queue->refused();
  return sum;
}

std::vector<LineQueue*> LogWriter::State::queues() const {
  const std::lock_guard lock(mutex_);
  std::vector<LineQueue*> all;
  all.reserve(all_.size());
  for (const auto& queue : all_) all.push_back(queue.get());
  return all;
}

// ---- The writing thread

void LogWriter::State::run() noexcept {
  steady_clock::time_point give_up = steady_clock::time_point::max();
  for (;;) {
    // Each is looked at before the queues are: what was put there earlier is written by then.
    const bool ending = stopping_.load();
    const std::uint64_t flush_asked = flush_asked_.load();
    if (ending && give_up == steady_clock::time_point::max()) {
      give_up = steady_clock::now() + options_.last_words;
    }
    Progress progress = Progress::stuck;
    try {
      if (reopen_wanted_.exchange(false)) open_anew();
      progress = drain();
    } catch (const std::bad_alloc&) {
      failing_ = true;  // It is tried again.
    }
    if (progress != Progress::stuck) {
      const std::lock_guard lock(mutex_);
      flush_done_ = std::max(flush_done_, flush_asked);
      flushed_.notify_all();
    }
    if (ending && progress != Progress::stuck) return;
    if (ending && steady_clock::now() >= give_up) {
      return complain("some of its last lines are lost");
    }
    pause(progress, ending);
  }
}

LogWriter::State::Progress LogWriter::State::drain() {
  Progress progress = Progress::nothing;
  // What was begun is ended first, whoever's it is.
  if (amid_ != nullptr && !drain(*amid_, progress)) return Progress::stuck;
  for (LineQueue* const queue : queues()) {
    if (!drain(*queue, progress)) return Progress::stuck;
  }
  tell_dropped(progress);
  return drain(notes_, progress) ? progress : Progress::stuck;
}

// What is there by now; whoever writes all the time must not keep others waiting.
bool LogWriter::State::drain(LineQueue& queue, Progress& progress) {
  std::size_t left = SIZE_MAX;
  for (;;) {
    const auto parts = queue.unwritten();
    const std::size_t size = parts[0].size() + parts[1].size();
    left = std::min(left, size);
    if (size == 0 || (left == 0 && !queue.is_amid_a_line())) return true;
    if (steady_clock::now() >= next_look_) {
      next_look_ = steady_clock::now() + kMovedPause;
      if (file_.was_moved()) {
        open_anew();
        continue;
      }
    }
    const std::int64_t written = file_.write(parts, kRoomStep);
    if (written <= 0) {
      keep_or_fail(written);
      return false;
    }
    failing_ = false;
    progress = Progress::some;
    const auto done = static_cast<std::size_t>(written);
    left -= std::min(left, done);
    queue.wrote(done);
    amid_ = queue.is_amid_a_line() ? &queue : nullptr;
    bytes_.fetch_add(done, std::memory_order_relaxed);
    batches_.fetch_add(1, std::memory_order_relaxed);
    if (done < size) partial_.fetch_add(1, std::memory_order_relaxed);
  }
}

// Whether it is worth no complaint.
bool LogWriter::State::keep_or_fail(std::int64_t result) {
  const int failed = result < 0 ? errno : EIO;
  if (failed == EINTR) return true;
  if (failed == EAGAIN) {
    failing_ = false;
    waits_.fetch_add(1, std::memory_order_relaxed);
    return true;
  }
  failing_ = true;
  errors_.fetch_add(1, std::memory_order_relaxed);
  complain(std::string(std::strerror(failed)) +
           "; its lines wait, and are dropped when there is no more room for them");
  return false;
}

void LogWriter::State::tell_dropped(Progress&) {
  const std::uint64_t now = dropped();
  if (now == dropped_told_ || notes_.unwritten()[0].size() > 0) return;
  const std::uint64_t more = now - dropped_told_;
  std::string line;
  try {
    if (options_.dropped_line) line = options_.dropped_line(more);
  } catch (const std::exception& error) {
    complain(std::string("its dropped_line threw: ") + error.what());
  }
  // One that is too long is as good as none.
  const bool is_told = !line.empty() && push(notes_, line);
  if (is_told || push(notes_, usual_dropped_line(more))) dropped_told_ = now;
}

void LogWriter::State::open_anew() {
  if (const std::string refused = file_.reopen(); !refused.empty()) return complain(refused);
  reopened_.fetch_add(1, std::memory_order_relaxed);
  // A line that was begun in the other file is written whole in this one.
  if (amid_ != nullptr) amid_->rewind();
  amid_ = nullptr;
}

bool LogWriter::State::any_line() const noexcept {
  const std::lock_guard lock(mutex_);
  return std::ranges::any_of(all_,
                             [](const auto& queue) { return queue->unwritten()[0].size() > 0; });
}

void LogWriter::State::pause(Progress progress, bool ending) {
  // A reader who has no room has been waited for already.
  if (progress == Progress::stuck && !failing_) return;
  Sleep how = retrying;
  std::chrono::nanoseconds at_most = ending ? kRoomStep : options_.retry;
  if (progress == Progress::some) {
    how = gathering;
    at_most = options_.gather;
  } else if (progress == Progress::nothing) {
    how = asleep;
    at_most = std::chrono::hours(1);
  }
  sleep_.store(how, std::memory_order_seq_cst);
  const bool something_came = (how == asleep && any_line()) || stopping_ != ending ||
                              reopen_wanted_ || (how != retrying && flush_asked_ != flush_done_);
  if (!something_came) ksvc::futex_wait(sleep_, how, at_most, ksvc::FutexScope::process);
  sleep_.store(awake);
}

void LogWriter::State::complain(const std::string& what) noexcept {
  const auto now = steady_clock::now();
  if (now < next_complaint_) return;
  next_complaint_ = now + kComplaintPause;
  std::fprintf(stderr, "weft: the log %s: %s\n", path_.c_str(), what.c_str());
}

// ---- LogWriter

LogWriter::LogWriter(const std::string& path, const LogWriterOptions& options)
    : state_(std::make_unique<State>(path, options)) {}

LogWriter::~LogWriter() = default;

bool LogWriter::write(std::string_view line) noexcept { return state_->write(line); }

void LogWriter::drop() noexcept { state_->drop(); }

void LogWriter::reopen() noexcept { state_->ask_to_reopen(); }

bool LogWriter::flush(milliseconds at_most) { return state_->flush(at_most); }

const std::string& LogWriter::path() const noexcept { return state_->path(); }

LogWriterStats LogWriter::stats() const noexcept { return state_->stats(); }

}  // namespace weft
