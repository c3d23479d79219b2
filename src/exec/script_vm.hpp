// ScriptVm: a state in which scripts of one language run, as whoever runs them sees it.
//
// The contract. A state belongs to one thread at a time: the one that made it, until another one
// runs something in it, and that one from then on. What it runs may wait; it does so by parking the
// green thread that called, never with a frame of the script's language on the stack that is
// switched, so any number of calls may be under way in one state, of which one runs.
// load() compiles text, which is never anything but text, and runs it once; what it returns is the
// text's own result. A Function is a handle on a function of the state, which it keeps alive; it
// must end before the state does. call() runs a function to its end: arguments and the first result
// are converted, within the limits of values. What goes wrong in a script is a value, with the
// place where it happened; no exception comes out of a state but what ends a green thread
// (Cancelled) and what its waits throw for their caller. Memory is bounded per state: beyond it a
// script fails, and the state goes on. A script that computes beyond its time fails in the same
// way.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "exec/value.hpp"

namespace weft::exec {

// Text of a script and what messages call it.
struct ScriptText {
  std::string_view name;
  std::string_view text;
};

// Why a script did not do what it was to do.
struct ScriptFailure {
  enum class Kind : std::uint8_t {
    refused,        // it could not be compiled, or a value could not cross
    failed,         // it threw
    out_of_memory,  // its state's bound
    ran_too_long,   // without waiting
  };
  Kind kind = Kind::failed;
  std::string text;  // one line: what happened, where, and who called
  int status = 500;  // what it asks a client to be told
};

template <class T>
using ScriptResult = std::variant<T, ScriptFailure>;

template <class Vm>
concept ScriptVm =
    requires(Vm& vm, const Vm& seen, const ScriptText& script,
             const typename Vm::Function& function, std::span<const Value> arguments) {
      { vm.load(script) } -> std::same_as<ScriptResult<typename Vm::Function>>;
      { vm.call(function, arguments) } -> std::same_as<ScriptResult<Value>>;
      { vm.collect() } noexcept -> std::same_as<void>;
      { seen.memory_bytes() } noexcept -> std::same_as<std::size_t>;
      { seen.running() } noexcept -> std::same_as<std::size_t>;  // calls that have not ended
    };

}  // namespace weft::exec
