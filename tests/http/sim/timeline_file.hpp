// Reads the timelines of tests/vectors/http1/clock: what a client does and sees, and when. The
// README of the vectors says what they look like.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "http/limits.hpp"

namespace weft::http::test {

struct TimelineStep {
  enum class Kind : char { send = '<', act = '*', expect = '>' };

  Kind kind;
  std::string where;
  std::chrono::milliseconds at;  // since the client connects
  std::string text;              // to send, or to do
  std::vector<std::pair<std::string, std::string>> facts;
};

struct Timeline {
  std::string where;  // "file.vec:12: what it claims"
  std::vector<std::function<void(Limits&)>> limits;
  std::vector<TimelineStep> steps;
  std::chrono::milliseconds duration{0};
};

// All of all files. Throws std::runtime_error on a file that it cannot make sense of.
[[nodiscard]] std::vector<Timeline> read_timelines();

}  // namespace weft::http::test
