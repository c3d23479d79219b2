#include "app/lua/thread_states.hpp"

#include <algorithm>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "exec/lua/run_watch.hpp"
#include "gvt/scheduler.hpp"

namespace weft::app::lua {

namespace {

// What a request still refers to that hangs when its thread ends: nothing of it may end any more.
void keep_for_good(std::shared_ptr<Script> script, std::shared_ptr<Generation> generation) {
  static std::mutex mutex;
  static auto& kept =
      *new std::vector<std::pair<std::shared_ptr<Script>, std::shared_ptr<Generation>>>;
  const std::lock_guard lock(mutex);
  kept.emplace_back(std::move(script), std::move(generation));
}

}  // namespace

// The watch of the thread is made before, and so outlives them.
ThreadStates::ThreadStates() noexcept { static_cast<void>(exec::lua::RunWatch::of_this_thread()); }

ThreadStates::~ThreadStates() {
  for (Entry& entry : entries_) {
    if (entry.state->active == 0) {
      entry.generation->drop(*entry.state);
    } else {
      keep_for_good(std::move(entry.script), std::move(entry.generation));
    }
  }
}

// Never inlined: a compiler may keep the address of a thread-local across a switch.
[[gnu::noinline]] ThreadStates& ThreadStates::of_this_thread() noexcept {
  thread_local ThreadStates states;
  return states;
}

State* ThreadStates::find(std::uint64_t generation) const noexcept {
  for (const Entry& entry : entries_) {
    if (entry.number == generation && !entry.retired) return entry.state;
  }
  return nullptr;
}

State& ThreadStates::add(std::shared_ptr<Generation> generation) {
  State& state = generation->make_state();
  // Who has no scheduler has no loop.
  state.on_pool = gvt::current_scheduler() == nullptr;
  state.vm.end_with_task(state.on_pool);
  try {
    entries_.push_back(
        {state.script.shared_from_this(), generation->number(), &state, generation, false});
  } catch (...) {
    generation->drop(state);
    throw;
  }
  return state;
}

void ThreadStates::retire(const State& state) noexcept {
  for (Entry& entry : entries_) entry.retired = entry.retired || entry.state == &state;
}

void ThreadStates::retire_others(const Script& script, std::uint64_t generation) noexcept {
  for (Entry& entry : entries_) {
    if (&entry.state->script == &script && entry.number != generation) entry.retired = true;
  }
}

void ThreadStates::drop_retired() noexcept {
  for (std::size_t i = 0; i < entries_.size();) {
    Entry& entry = entries_[i];
    if (!entry.retired || entry.state->active > 0) {
      ++i;
      continue;
    }
    entry.generation->drop(*entry.state);
    // The generation ends before the script that it refers to.
    const std::shared_ptr<Script> script = std::move(entry.script);
    const std::shared_ptr<Generation> last = std::move(entry.generation);
    entries_.erase(entries_.begin() + static_cast<std::ptrdiff_t>(i));
  }
}

bool ThreadStates::has_retired() const noexcept {
  return std::ranges::any_of(entries_, [](const Entry& entry) { return entry.retired; });
}

Active::~Active() {
  --state_.active;
  ThreadStates& states = ThreadStates::of_this_thread();
  if (state_.vm.is_exhausted()) [[unlikely]] {
    states.retire(state_);
  }
  if (states.has_retired()) [[unlikely]] {
    states.drop_retired();
  }
}

}  // namespace weft::app::lua
