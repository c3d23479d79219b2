// Demo: a small application on the public interface, which `weft demo` serves.
//
// Adds its routes to the application when it is made, before that runs, and must outlive the run.
// Its handlers may be called on several workers at once.
#pragma once

#include <atomic>

#include <weft/app.hpp>

namespace weft::demo {

class Demo {
 public:
  explicit Demo(App& app);
  Demo(const Demo&) = delete;
  Demo& operator=(const Demo&) = delete;

 private:
  void nap(Context& c);
  void park_many(Context& c);
  void show_stats(Context& c) const;

  App& app_;
  // Green threads that the routes have asleep, on all workers; bounded.
  std::atomic<unsigned> asleep_{0};
};

}  // namespace weft::demo
