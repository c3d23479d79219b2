// ScriptWatch: reads a script anew whenever one of its files changes, on a thread of its own.
//
// Invariants: a script that is broken changes nothing, and what is wrong with it is printed; the
// server goes on in any case. Made and ended by the main thread; the LuaScript must outlive it.
#pragma once

#include <chrono>
#include <set>
#include <thread>

#include <weft/lua.hpp>

#include "weft/detail/descriptor.hpp"

namespace weft::cli {

class ScriptWatch {
 public:
  // Throws std::system_error when the system gives no watch.
  explicit ScriptWatch(LuaScript& script);
  ~ScriptWatch();
  ScriptWatch(const ScriptWatch&) = delete;
  ScriptWatch& operator=(const ScriptWatch&) = delete;

 private:
  bool watch_files();
  bool take_changes();
  void run();
  void reload();

  LuaScript& script_;
  detail::Descriptor changes_;
  detail::Descriptor end_;
  std::set<int> folders_;                          // that are watched
  std::chrono::steady_clock::time_point noticed_;  // when something has changed last
  std::thread thread_;
};

}  // namespace weft::cli
