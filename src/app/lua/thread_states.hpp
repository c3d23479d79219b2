// ThreadStates: the states of one thread, of all scripts: a worker's, or one of the pool's.
//
// A state that is replaced by a newer one stays until nothing runs in it. Its thread's only.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "app/lua/script.hpp"

namespace weft::app::lua {

class ThreadStates {
 public:
  ThreadStates() noexcept;
  ~ThreadStates();
  ThreadStates(const ThreadStates&) = delete;
  ThreadStates& operator=(const ThreadStates&) = delete;

  static ThreadStates& of_this_thread() noexcept;

  // Null: there is none of that generation.
  State* find(std::uint64_t generation) const noexcept;
  // Runs the script. Throws exec::lua::ScriptError.
  State& add(std::shared_ptr<Generation> generation);
  void retire(const State& state) noexcept;
  // Of the other generations of that script.
  void retire_others(const Script& script, std::uint64_t generation) noexcept;
  // Those in which nothing runs any more.
  void drop_retired() noexcept;
  bool has_retired() const noexcept;

 private:
  struct Entry {
    std::shared_ptr<Script> script;  // goes after what refers to it
    std::uint64_t number;
    State* state;
    std::shared_ptr<Generation> generation;
    bool retired;
  };
  // Few, so they are looked through.
  std::vector<Entry> entries_;
};

// While something runs in a state.
class Active {
 public:
  explicit Active(State& state) noexcept : state_(state) { ++state.active; }
  ~Active();
  Active(const Active&) = delete;
  Active& operator=(const Active&) = delete;

 private:
  State& state_;
};

}  // namespace weft::app::lua
