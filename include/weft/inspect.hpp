// snapshot(): the green threads there are, what they wait for and where they stand, while they run.
//
//     for (const auto& thread : weft::snapshot()) std::cerr << weft::describe(thread);
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace weft {

// One green thread at the moment of a snapshot.
struct GreenThreadInfo {
  // `ready` is on its way to run.
  enum class State : std::uint8_t { running, ready, waiting };

  std::uint64_t id = 0;                     // of its worker's
  std::string name = {};                    // as given to spawn(), or empty
  unsigned worker = 0;                      // from 0
  State state = State::waiting;             // when its worker looked
  std::string waits_for = {};               // "a mutex", "I/O" ...; empty unless it waits
  const void* object = nullptr;             // what it waits at, if that has an address
  std::chrono::nanoseconds since{};         // for how long it has been waiting
  std::vector<std::string> backtrace = {};  // innermost first: "function (file:line)"
};

// How a snapshot is taken.
struct SnapshotOptions {
  // Where each stands; to look up names takes time.
  bool backtraces = true;
  // How long to wait for a worker that is busy; those of one that has not answered are left out.
  std::chrono::milliseconds patience{200};
};

// All green threads of the caller's workers, by worker and id: those that have begun and not ended.
// From a green thread only.
std::vector<GreenThreadInfo> snapshot(const SnapshotOptions& options = {});

// One green thread in a few lines of text.
std::string describe(const GreenThreadInfo& thread);

}  // namespace weft
