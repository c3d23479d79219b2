#include "exec/sendable_handler.hpp"

namespace weft::exec {

std::size_t counted_bytes(const SendableClosure& closure) noexcept {
  std::size_t sum = 0;
  for (const auto& function : closure.functions) {
    sum += function.code.size() + function.cells.size() * sizeof(std::size_t);
  }
  for (const auto& cell : closure.cells) {
    const auto* const value = std::get_if<Value>(&cell.content);
    sum += sizeof cell + (value != nullptr ? counted_bytes(*value) : 0);
  }
  return sum;
}

}  // namespace weft::exec
