// What one scheduler's green threads are doing, as plain data.
//
// On the scheduler's own thread.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <vector>

#include "gvt/green_thread.hpp"
#include "weft/inspect.hpp"

namespace weft::gvt {

class Scheduler;

struct SeenThread {
  GreenThreadInfo info;
  std::array<void*, 64> addresses{};
  std::size_t address_count = 0;
};

std::vector<SeenThread> look_at(Scheduler& scheduler, bool backtraces);

// Names the addresses; slow.
std::vector<GreenThreadInfo> told(std::vector<SeenThread> seen);

}  // namespace weft::gvt
