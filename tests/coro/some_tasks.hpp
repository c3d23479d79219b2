// Coroutines that tests are made of.
#pragma once

#include <chrono>
#include <stdexcept>
#include <string>
#include <utility>

#include "weft/coro.hpp"

namespace weft {

inline Task<> nothing() { co_return; }

inline Task<int> number(int value) { co_return value; }

inline Task<int> number_later(int value) {
  co_await coro::sleep(std::chrono::microseconds(10));
  co_return value;
}

inline Task<> fail(const char* why) {
  co_await coro::yield();
  throw std::runtime_error(why);
}

// Until it is cancelled.
inline Task<> wait_for_ever(bool* was_cancelled = nullptr) {
  try {
    co_await coro::sleep(std::chrono::hours(10));
  } catch (const Cancelled&) {
    if (was_cancelled != nullptr) *was_cancelled = true;
    throw;
  }
}

// What was thrown says.
template <class Thrown, class Function>
std::string text_of(Function&& function) {
  try {
    std::forward<Function>(function)();
  } catch (const Thrown& thrown) {
    return thrown.what();
  }
  return "nothing was thrown";
}

}  // namespace weft
