// SendableHandler: a function of one state of a script, in a form that other states can make it of.
//
// Either a reference to one that all states have, or a closure: code, with what it holds as values.
// The code is a compiler's that ran in this process; none is taken from anywhere else. Owns all of
// it; read by any thread.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "exec/value.hpp"

namespace weft::exec {

// An object of the host's that any state can be given: how is known to the layer it belongs to.
class SendableThing {
 public:
  SendableThing() = default;
  SendableThing(const SendableThing&) = delete;
  SendableThing& operator=(const SendableThing&) = delete;
  virtual ~SendableThing() = default;

  // Into the state of the script that `state` points to. As the language raises errors.
  virtual void push(void* state) const = 0;
};

// A closure and those that it calls, which may call each other.
struct SendableClosure {
  struct Module {
    std::string name;
  };
  struct Globals {};
  struct Null {};  // that stands within tables
  struct Function {
    std::size_t number;  // in `functions`
  };
  // What functions hold; several may hold the same.
  struct Cell {
    std::variant<Value, Module, Globals, Null, Function, std::shared_ptr<const SendableThing>>
        content;
    // Where it is held first.
    std::size_t function = 0;
    std::size_t place = 0;
  };
  struct Code {
    std::string code;
    std::vector<std::size_t> cells;
  };

  std::vector<Code> functions;  // the closure itself first
  std::vector<Cell> cells;
};

// About what it takes.
std::size_t counted_bytes(const SendableClosure& closure) noexcept;

using SendableHandler = std::variant<FunctionReference, SendableClosure>;

// What may be sent.
struct ClosureLimits {
  // The closure and those that it calls: a handler with its helpers has ten.
  std::size_t functions = 250;
  // All their code: programs that people write are far below.
  std::size_t code_bytes = std::size_t{1} * 1024 * 1024;
  // How far one may be from the first, by way of others.
  std::size_t depth = 50;
  // All that they hold: every state keeps a copy.
  ValueLimits values{.bytes = std::size_t{1} * 1024 * 1024};
};

}  // namespace weft::exec
