// CarriedValues: what c:set() keeps for a request, on its way from the loop to the pool and back.
//
// Values go as everywhere between states: copied. What cannot is told to who asks for it.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "exec/value.hpp"

namespace weft::app::lua {

class Request;

struct CarriedValue {
  std::string name;
  std::variant<exec::Value, exec::ValueRefusal> value;
};
using CarriedValues = std::vector<CarriedValue>;

// What is kept for a request under names that are texts. Outside of Lua.
CarriedValues read_values(const Request& request);
// Keeps them, in place of those of the same name; null: takes it out. Outside of Lua; throws
// exec::lua::ScriptError.
void keep_values(Request& request, const CarriedValues& values);
// What is another in `after`. Throws std::runtime_error when some of it cannot be carried.
CarriedValues changes(const CarriedValues& before, CarriedValues after);
// Why the one of that name was not carried; null: it was, or is not there.
const exec::ValueRefusal* find_refusal(const CarriedValues& values, std::string_view name) noexcept;

}  // namespace weft::app::lua
