// Runnable: something a worker can run, linked into its queue without an allocation.
//
// A Runnable is in at most one queue at a time and must stay put while it is in one.
#pragma once

namespace weft::detail {

struct Runnable {
  using Run = void (*)(Runnable& self);

  explicit Runnable(Run run_function) noexcept : run(run_function) {}

  Runnable* next = nullptr;
  Run run;
};

}  // namespace weft::detail
