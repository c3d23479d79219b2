// LogWriter: a log that nobody waits for: lines are put into a queue, and a thread writes them.
//
//     weft::LogWriter log("/var/log/shop/orders.log");
//     log.write("order 7 was paid");
//
// Invariants. write() never waits: where the disk or the reader of a pipe is too slow and the queue
// is full, the line is dropped and counted, and a line in the log says how many are missing. Lines
// are written whole, those of one thread in their order. Whatever goes wrong in writing (no space,
// a reader that has gone) is counted, complained of on standard error, and tried again; meanwhile
// lines wait in the queue. When it is destroyed, what waits is written first.
// Any thread may call any of this, handlers too, but flush(), which waits.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace weft {

namespace app {
class AccessLog;
}

// How a LogWriter works.
struct LogWriterOptions {
  // Room for the lines of one thread, rounded up to a power of two, at most 1 GiB. A worker that
  // logs 50,000 requests a second fills the default in 150 ms, for which a disk may well be busy.
  std::size_t queue_bytes = 1024 * 1024;
  // After lines were written it is waited for so long, so that the next ones are written together.
  std::chrono::milliseconds gather{50};
  // What could not be written is tried again after this.
  std::chrono::milliseconds retry{1'000};
  // How long the destructor tries to get out what waits.
  std::chrono::milliseconds last_words{5'000};
  // The permission bits of a file that is made, less what the umask takes.
  unsigned mode = 0644;
  // The line that tells of dropped ones; empty: "# 3 lines were dropped: ...".
  std::function<std::string(std::uint64_t dropped)> dropped_line = {};
};

// Figures of a LogWriter, since it was made.
struct LogWriterStats {
  std::uint64_t lines = 0;     // that were taken
  std::uint64_t dropped = 0;   // for want of room
  std::uint64_t bytes = 0;     // written
  std::uint64_t batches = 0;   // writes that did something
  std::uint64_t partial = 0;   // of those, writes that did less than they were asked to
  std::uint64_t waits = 0;     // for a reader that had no room
  std::uint64_t errors = 0;    // writes that failed
  std::uint64_t reopened = 0;  // files opened anew
};

class LogWriter {
 public:
  // `path` is a file, which is made where there is none and else continued; "-" is standard output,
  // "/dev/stderr" standard error. Throws std::runtime_error when it cannot be opened.
  explicit LogWriter(const std::string& path, const LogWriterOptions& options = {});
  ~LogWriter();
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;

  // A line without its end; a line break in it is written as "\n". False when it was dropped.
  bool write(std::string_view line) noexcept;
  // Counts a line as dropped that could not be made.
  void drop() noexcept;
  // Opens the file anew, soon, which has been renamed or removed. That is noticed without this,
  // too, within a second in which something is written.
  void reopen() noexcept;
  // Returns when all is written that was put there before, or false when that takes longer.
  bool flush(std::chrono::milliseconds at_most = std::chrono::milliseconds(5'000));

  // What it was made with.
  const std::string& path() const noexcept;
  // Any time.
  LogWriterStats stats() const noexcept;

 private:
  friend class app::AccessLog;
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace weft
