// KeptValue: what a function returned, until someone takes it; for void, nothing.
#pragma once

#include <optional>
#include <type_traits>
#include <utility>

namespace weft::detail {

template <class Value>
class KeptValue {
  static_assert(!std::is_reference_v<Value>, "return a value, or a pointer");

 public:
  template <class Function, class... Arguments>
  void keep(Function&& function, Arguments&&... arguments) {
    if constexpr (std::is_void_v<Value>) {
      std::forward<Function>(function)(std::forward<Arguments>(arguments)...);
    } else {
      value_.emplace(std::forward<Function>(function)(std::forward<Arguments>(arguments)...));
    }
  }
  // Once, when there is one.
  Value take() {
    if constexpr (!std::is_void_v<Value>) return std::move(*value_);
  }

 private:
  struct Nothing {};

  [[no_unique_address]] std::conditional_t<std::is_void_v<Value>, Nothing, std::optional<Value>>
      value_;
};

}  // namespace weft::detail
