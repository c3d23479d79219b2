// What tests of workers on every back end share.
#pragma once

#include <functional>
#include <string>
#include <utility>

#include "gvt/run_queue.hpp"

namespace weft::gvt {

struct BackendNames {
  template <class Backend>
  static std::string GetName(int) {
    return Backend::name();
  }
};

struct Task : Runnable {
  explicit Task(std::function<void()> to_do) : Runnable(&Task::run_it), body(std::move(to_do)) {}
  static void run_it(Runnable& self) { static_cast<Task&>(self).body(); }
  std::function<void()> body;
};

}  // namespace weft::gvt
