#include "weft/log_writer.hpp"

#include <pthread.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <new>
#include <stdexcept>
#include <utility>

#include "app/log/log_state.hpp"
#include "ksvc/core/signals_blocked.hpp"

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
// More would take longer to write than anybody waits, and its entries have 31 bits for their size.
constexpr std::size_t kMostQueueBytes = std::size_t{1} << 30;

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

}  // namespace

LogWriter::State::State(const std::string& path, const LogWriterOptions& options)
    : path_(path),
      options_(options),
      queue_bytes_(
          std::bit_ceil(std::clamp(options.queue_bytes, app::kLeastQueueBytes, kMostQueueBytes))) {
  if (const std::string refused = file_.open(path, options.mode); !refused.empty()) {
    throw std::runtime_error(refused);
  }
  all_.push_back(std::make_unique<LineQueue>(queue_bytes_));
  others_ = all_.back().get();
  const ksvc::SignalsBlocked blocked;
  thread_ = std::thread([this] { run(); });
}

LogWriter::State::~State() {
  stopping_.store(true);
  wake();
  thread_.join();
}

// ---- Who writes

LineQueue* LogWriter::State::make_queue(unsigned number) noexcept {
  LineQueue* queue = nullptr;
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
  return put([line](LineQueue& queue) { return push(queue, line); });
}

app::LineMaker& LogWriter::State::adopt(std::unique_ptr<app::LineMaker> maker) {
  const std::lock_guard lock(mutex_);
  return *makers_.emplace_back(std::move(maker)).maker;
}

void LogWriter::State::retire(const app::LineMaker& maker) noexcept {
  {
    const std::lock_guard lock(mutex_);
    for (Maker& one : makers_) {
      if (one.maker.get() == &maker) one.use = Use::retired;
    }
  }
  wake();
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
      begin_to_let_go();
      progress = drain();
    } catch (const std::bad_alloc&) {
      failing_ = true;  // It is tried again.
    }
    if (progress != Progress::stuck) {
      let_go();
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
  if (!write_batch(progress)) return Progress::stuck;
  for (LineQueue* const queue : queues()) {
    if (!drain(*queue, progress)) return Progress::stuck;
  }
  tell_dropped(progress);
  return drain(notes_, progress) ? progress : Progress::stuck;
}

// What is there by now; whoever writes all the time must not keep others waiting.
bool LogWriter::State::drain(LineQueue& queue, Progress& progress) {
  const std::uint64_t end = queue.end();
  while (queue.taken() != end) {
    batch_.fill(queue, end);
    if (!write_batch(progress)) return false;
  }
  return true;
}

// All of it. False when that does not go on.
bool LogWriter::State::write_batch(Progress& progress) {
  while (!batch_.is_empty()) {
    look_at_the_file();
    const std::string_view text = batch_.unwritten();
    const std::int64_t written = file_.write(text, kRoomStep);
    if (written <= 0) {
      keep_or_fail(written);
      return false;
    }
    failing_ = false;
    progress = Progress::some;
    const auto done = static_cast<std::size_t>(written);
    batch_.wrote(done);
    bytes_.fetch_add(done, std::memory_order_relaxed);
    batches_.fetch_add(1, std::memory_order_relaxed);
    if (done < text.size()) partial_.fetch_add(1, std::memory_order_relaxed);
  }
  return true;
}

void LogWriter::State::look_at_the_file() {
  const auto now = steady_clock::now();
  if (now < next_look_) return;
  next_look_ = now + kMovedPause;
  if (file_.was_moved()) open_anew();
}

// Who is not used any more: all that there is for it to do is in the queues by now.
void LogWriter::State::begin_to_let_go() noexcept {
  const std::lock_guard lock(mutex_);
  for (Maker& one : makers_) {
    if (one.use == Use::retired) one.use = Use::leaving;
  }
}

void LogWriter::State::let_go() noexcept {
  const std::lock_guard lock(mutex_);
  std::erase_if(makers_, [](const Maker& one) { return one.use == Use::leaving; });
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
  if (now == dropped_told_ || !notes_.is_empty()) return;
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
  batch_.rewind();
}

bool LogWriter::State::any_line() const noexcept {
  const std::lock_guard lock(mutex_);
  return std::ranges::any_of(all_, [](const auto& queue) { return !queue->is_empty(); });
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
