// ClientPlan: what one simulated client will do, drawn from a seed before it begins.
#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

#include "ask.hpp"

namespace weft::http::test {

struct ClientPlan {
  enum class Ending : std::uint8_t {
    waits,        // for all answers; then ends its side, and waits for the server's end
    half_closes,  // behind its last byte, before it has the answers
    closes,       // both sides, whatever has come
    resets,
    vanishes,  // neither sends nor reads any more
    stalls,    // sends no more, but reads
  };
  static constexpr std::size_t kAtItsEnd = SIZE_MAX;

  std::vector<Ask> asks;
  std::chrono::nanoseconds starts_after{0};
  std::size_t depth = 1;                       // requests that are under way at once
  std::size_t most_pieces = 1;                 // that a request is cut into
  std::chrono::nanoseconds between_pieces{0};  // at most
  std::chrono::nanoseconds thinks{0};          // behind an answer, at most
  std::chrono::nanoseconds rests{0};           // between reads: a slow reader
  bool lets_server_end = false;                // when that has announced to do so
  Ending ending = Ending::waits;
  std::size_t ends_at = kAtItsEnd;        // after so many bytes sent
  std::size_t ends_amid = kAtItsEnd;      // or after so many received
  std::size_t pauses_behind = kAtItsEnd;  // this byte, for as long as between pieces

  // Whether it does its part, so that the server has to do all of its own.
  bool is_fair() const {
    return ends_at == kAtItsEnd && ends_amid == kAtItsEnd &&
           (ending == Ending::waits || ending == Ending::half_closes);
  }
  std::size_t total_bytes() const;
};

// What a whole workload is made of.
struct PlanOptions {
  unsigned most_clients = 12;
  unsigned most_asks = 6;
  // Percentages.
  unsigned unfair_clients = 30;
  unsigned slow_readers = 10;
};
std::vector<ClientPlan> random_plans(Random& random, const PlanOptions& options);

}  // namespace weft::http::test
