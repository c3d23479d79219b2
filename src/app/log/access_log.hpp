// AccessLog: a line for each answer, in a format, to a LogWriter.
//
// log() is for workers, and never waits. It costs no allocation but for very long lines.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "app/log/access_format.hpp"
#include "app/log/escape.hpp"
#include "app/log/thread_number.hpp"
#include "http/answer_observer.hpp"
#include "weft/log_writer.hpp"

namespace weft::app {

// The status that stands for no answer at all, because the client went.
inline constexpr int kClientGone = 499;

class AccessLog {
 public:
  AccessLog(AccessFormat format, std::shared_ptr<LogWriter> writer);
  ~AccessLog();
  AccessLog(const AccessLog&) = delete;
  AccessLog& operator=(const AccessLog&) = delete;

  void log(const http::EndedAnswer& answer) noexcept;
  LogWriter& writer() noexcept { return *writer_; }

  // Of a log in that format, what tells of lines that are missing.
  static std::function<std::string(std::uint64_t)> dropped_line_of(const AccessFormat& format);

  // What a thread has formatted last and is likely to need again.
  class Memory;

 private:
  Memory* memory_of(unsigned number) noexcept;

  const AccessFormat format_;
  const std::shared_ptr<LogWriter> writer_;
  std::array<std::atomic<Memory*>, kMostThreadNumbers> by_thread_{};
  std::mutex mutex_;  // guards what follows
  std::unique_ptr<Memory> others_;
};

// The line itself.
void render(const AccessFormat& format, const http::EndedAnswer& answer, AccessLog::Memory& memory,
            LineText& line);

// Formats and opens a log; throws what is wrong with either, std::invalid_argument for the format.
std::unique_ptr<AccessLog> open_access_log(const std::string& path, const std::string& format);

}  // namespace weft::app
