// AccessLog: a line for each answer, in a format, to a LogWriter.
//
// log() is for workers, and never waits: it copies what the line needs, which is made and written
// by the log's own thread. It costs no allocation.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "app/log/access_format.hpp"
#include "app/log/access_lines.hpp"
#include "http/answer_observer.hpp"
#include "weft/log_writer.hpp"

namespace weft::app {

class AccessLog {
 public:
  AccessLog(const AccessFormat& format, std::shared_ptr<LogWriter> writer);
  ~AccessLog();
  AccessLog(const AccessLog&) = delete;
  AccessLog& operator=(const AccessLog&) = delete;

  void log(const http::EndedAnswer& answer) noexcept;
  LogWriter& writer() noexcept { return *writer_; }

  // Of a log in that format, what tells of lines that are missing.
  static std::function<std::string(std::uint64_t)> dropped_line_of(const AccessFormat& format);

 private:
  const std::shared_ptr<LogWriter> writer_;
  AccessLines* lines_;  // the writer's
};

// Opens a log in that format; throws what is wrong with either, std::invalid_argument for the
// format.
std::unique_ptr<AccessLog> open_access_log(const std::string& path, const std::string& format);

}  // namespace weft::app
