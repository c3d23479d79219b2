// blocking(): work that would hold up a worker, on a thread of the pool, while the caller parks.
//
//     const auto rows = weft::blocking([&] { return database.query(text); });
//
// For calls that block (drivers, libraries) and for computing that takes long. Outside a worker, on
// a pool thread among others, the function runs in place.
#pragma once

#include <exception>
#include <type_traits>
#include <utility>

#include "weft/detail/kept_value.hpp"

namespace weft {

namespace detail {

// Calls `function(argument)` on a pool thread and parks until it has returned.
void run_on_pool(void (*function)(void* argument) noexcept, void* argument);

}  // namespace detail

// Gives what `function` returns, or throws what it throws. It is not interrupted: once it has
// begun, the caller goes on when it has ended, cancelled or not. When all threads are busy and the
// queue is full, the caller waits for its turn. Throws Cancelled when cancelled before.
template <class Function>
auto blocking(Function&& function) -> std::invoke_result_t<Function&> {
  struct Call {
    static void run(void* argument) noexcept {
      auto& self = *static_cast<Call*>(argument);
      try {
        self.value.keep(self.function);
      } catch (...) {
        self.failure = std::current_exception();
      }
    }

    std::remove_reference_t<Function>& function;
    detail::KeptValue<std::invoke_result_t<Function&>> value{};
    std::exception_ptr failure{};
  };

  Call call{function};
  detail::run_on_pool(&Call::run, &call);
  if (call.failure != nullptr) std::rethrow_exception(std::move(call.failure));
  return call.value.take();
}

}  // namespace weft
