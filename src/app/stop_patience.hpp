// StopPatience: how long run() waits for its server to end, once it has been asked to.
//
// One thread.
#pragma once

#include <algorithm>
#include <chrono>
#include <climits>
#include <optional>

#include "http/limits.hpp"

namespace weft::app {

class StopPatience {
 public:
  explicit StopPatience(const http::Limits& limits) noexcept
      : drain_(limits.drain_grace + limits.cancel_rest + limits.drain_last_resort) {}

  // Whether it is the first time; the second leaves little time, and the third none.
  bool stop_is_asked() noexcept {
    ++asked_;
    const Time now = std::chrono::steady_clock::now();
    const Time latest = now + (asked_ == 1   ? drain_
                               : asked_ == 2 ? kAfterSecond
                                             : std::chrono::milliseconds(0));
    deadline_ = deadline_ ? std::min(*deadline_, latest) : latest;
    return asked_ == 1;
  }
  bool is_over() const noexcept {
    return deadline_ && std::chrono::steady_clock::now() >= *deadline_;
  }
  // For poll(): -1 before it was asked for.
  int left_ms() const noexcept {
    if (!deadline_) return -1;
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(*deadline_ - std::chrono::steady_clock::now());
    return static_cast<int>(std::clamp<long long>(left.count(), 0, INT_MAX));
  }

 private:
  using Time = std::chrono::steady_clock::time_point;
  // What a worker that gets to its loop at all needs to cut its clients off, many times over.
  static constexpr std::chrono::milliseconds kAfterSecond{1'000};

  std::chrono::milliseconds drain_;
  int asked_ = 0;
  std::optional<Time> deadline_;
};

}  // namespace weft::app
