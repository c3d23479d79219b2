// Admission: which requests for a pool may run now, and in which order the others wait.
//
// Each passes gates in a fixed order: its route's, its executor's, the pool's. A gate lets so many
// be inside at once and has a line, first come, first served. Places are taken in one order by all,
// so nobody waits in a circle, and whoever is behind the last gate has a thread.
// Any worker's thread, and no thread of a pool: those run at low priority, and a loop that waited
// for a lock one of them holds would wait as long as others keep that thread from running. So what
// has run on a pool leaves when it has come back to its worker.
#pragma once

#include <array>
#include <cstddef>
#include <mutex>

#include "gvt/counter.hpp"

namespace weft::exec {

class Entrant;

class Gate {
 public:
  explicit Gate(std::size_t places) noexcept : free_(places) {}
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;

  // As of some recent moment; any thread.
  std::uint64_t inside() const noexcept { return inside_.value(); }
  std::uint64_t waiting() const noexcept { return waiting_.value(); }

 private:
  friend class Admission;

  bool take_place() noexcept;
  void give_back_place() noexcept;
  void line_up(Entrant& entrant) noexcept;
  void take_out(Entrant& entrant) noexcept;

  std::size_t free_;
  Entrant* first_ = nullptr;
  Entrant* last_ = nullptr;
  // Counted by whoever holds the lock.
  gvt::Counter inside_;
  gvt::Counter waiting_;
};

// One that wants to run. It stays where it is from enter() until leave() or withdraw().
class Entrant {
 public:
  static constexpr std::size_t kMostGates = 3;

  // The next in a list that enter() and the like have returned.
  Entrant* next_admitted() const noexcept { return next_; }

 protected:
  Entrant() noexcept = default;
  ~Entrant() = default;

  // In their order; null: none.
  void set_way(const std::array<Gate*, kMostGates>& gates) noexcept { way_ = gates; }

 private:
  friend class Admission;
  friend class Gate;

  // Behind its last gate, under the lock: whether it still wants to.
  virtual bool still_wants() noexcept = 0;

  std::array<Gate*, kMostGates> way_{};
  std::size_t passed_ = 0;
  Gate* waits_at_ = nullptr;
  Entrant* next_ = nullptr;
  Entrant* previous_ = nullptr;
};

class Admission {
 public:
  // Each gives a list of those that are to run from now on. An entrant of it may end, and leave, as
  // soon as it runs: the next one is asked for before that.

  [[nodiscard]] Entrant* enter(Entrant& entrant) noexcept;
  // It has run.
  [[nodiscard]] Entrant* leave(Entrant& entrant) noexcept;
  // It does not want to any more, wherever it is; it must not be about to run.
  [[nodiscard]] Entrant* withdraw(Entrant& entrant) noexcept;

 private:
  // A list through the entrants themselves.
  struct List {
    void push(Entrant& entrant) noexcept;
    Entrant* pop() noexcept;
    Entrant* first = nullptr;
    Entrant* last = nullptr;
  };

  void advance(Entrant& entrant, List& admitted, List& leaving) noexcept;
  void let_go(List& admitted, List& leaving) noexcept;

  std::mutex mutex_;
};

}  // namespace weft::exec
