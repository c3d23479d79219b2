// TaskState: what belongs to the function that is running, on a green thread or an OS thread, and
// goes when it ends.
//
// Its own thread only.
#pragma once

#include <cstdint>

namespace weft::detail {

class CancelNode;
struct LocalValue;

struct TaskState {
  CancelNode* cancel = nullptr;  // what may cancel it; null: nothing
  LocalValue* locals = nullptr;  // its values of GreenLocal objects
  const char* name = nullptr;    // lives for as long as the function runs
  std::uint64_t id = 0;          // unique among those of its worker; 0: not given one yet
  bool movable = false;          // may go on on another worker
  bool stays = false;            // but has come to rely on the one it is on
};

// Of the caller. Never inlined, for a green thread may go on on another OS thread.
TaskState& current_task() noexcept;

// Drops the values of a function that has ended.
void drop_locals(TaskState& task) noexcept;

}  // namespace weft::detail
