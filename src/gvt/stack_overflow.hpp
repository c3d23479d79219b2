// OverflowWatch: says which green thread ran out of stack, and where, before the process dies of
// it.
//
// The first watch installs one handler for SIGSEGV and SIGBUS in the process, for good. A fault in
// the guard of a stack that the reporter of this OS thread knows is described on standard error;
// then the process dies of the same signal at the same instruction, so that a core shows it. Any
// other fault goes to the handler that was there before, as the kernel would have brought it there,
// but on the alternate stack. A handler that is installed later comes first: it should pass on what
// it does not know. Builds with a sanitizer leave these signals to the sanitizer.
//
// A frame that is larger than the guard, one page, may step over it; code compiled with
// -fstack-clash-protection does not.
//
// Made and destroyed on the OS thread that it watches.
#pragma once

#include <csignal>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace weft::gvt {

struct OverflowedStack {
  std::string_view name;        // of the green thread; empty: it has none
  std::uint64_t id = 0;         // 0: it has none
  std::size_t stack_bytes = 0;  // what it could use
};

class OverflowReporter {
 public:
  // Whether the fault is an overflow of a stack of this worker, and which. Called by a signal
  // handler: it may read memory and no more.
  virtual bool describes(const void* fault_address, OverflowedStack& stack) const noexcept = 0;

 protected:
  ~OverflowReporter() = default;
};

// A stack for the signal handlers of this OS thread, unless it has one that is large enough; the
// one it had is put back.
class AlternateSignalStack {
 public:
  AlternateSignalStack() noexcept;
  ~AlternateSignalStack();
  AlternateSignalStack(const AlternateSignalStack&) = delete;
  AlternateSignalStack& operator=(const AlternateSignalStack&) = delete;

 private:
  void* mapping_ = nullptr;  // ours; null when there was one
  std::size_t bytes_ = 0;
  stack_t previous_ = {};
};

class OverflowWatch {
 public:
  explicit OverflowWatch(const OverflowReporter& reporter) noexcept;
  ~OverflowWatch();
  OverflowWatch(const OverflowWatch&) = delete;
  OverflowWatch& operator=(const OverflowWatch&) = delete;

 private:
  AlternateSignalStack stack_;
  const OverflowReporter* previous_;
};

}  // namespace weft::gvt
