#include "gvt/backtrace.hpp"

#include <unwind.h>

#include <cstddef>
#include <cstdint>

#include "gvt/interrupted.hpp"

// parked_frame_<processor>.S: calls `call` from a frame whose caller is, to whoever unwinds, where
// `parked` goes on.
extern "C" void weft_call_above_parked(void (*call)(void*), void* argument,
                                       const weft::gvt::Context* parked) noexcept;

namespace weft::gvt {

static_assert(offsetof(Context, stack_pointer) == 0 && offsetof(Context, frame_pointer) == 8 &&
                  offsetof(Context, instruction) == 16,
              "weft_call_above_parked() knows where these are");

namespace {

struct Walk {
  std::span<void*> addresses;
  std::size_t skip = 0;  // frames at the start that are not wanted
  // Nor are those inside the one that stands at this address.
  std::uintptr_t from = 0;
  bool parked = false;
  std::size_t count = 0;
  bool found = false;
};

_Unwind_Reason_Code visit(_Unwind_Context* frame, void* argument) {
  Walk& walk = *static_cast<Walk*>(argument);
  int exact = 0;
  const std::uintptr_t address = _Unwind_GetIPInfo(frame, &exact);
  // Every stack ends at a return address of zero.
  if (address == 0) return _URC_END_OF_STACK;
  if (walk.skip != 0) {
    --walk.skip;
    return _URC_NO_REASON;
  }
  if (address == walk.from && !walk.found) {
    walk.found = true;
    walk.count = 0;
  } else if (address == walk.from && walk.parked) {
    // No return address is where a stack goes on. This is the link register of one that never ran.
    return _URC_END_OF_STACK;
  }
  if (walk.count == walk.addresses.size()) return _URC_END_OF_STACK;
  // A return address may already belong to the next line, or the next function.
  walk.addresses[walk.count++] = reinterpret_cast<void*>(address - (exact != 0 ? 0 : 1));
  return _URC_NO_REASON;
}

void walk_from_here(void* walk) { _Unwind_Backtrace(&visit, walk); }

}  // namespace

std::size_t backtrace(std::span<void*> addresses) noexcept {
  Walk walk{.addresses = addresses, .skip = 1};
  _Unwind_Backtrace(&visit, &walk);
  return walk.count;
}

std::size_t parked_backtrace(const Context& parked, std::span<void*> addresses) noexcept {
  Walk walk{.addresses = addresses,
            .from = reinterpret_cast<std::uintptr_t>(parked.instruction),
            .parked = true};
  weft_call_above_parked(&walk_from_here, &walk, &parked);
  return walk.found ? walk.count : 0;
}

std::size_t interrupted_backtrace(const void* machine_context,
                                  std::span<void*> addresses) noexcept {
  const void* instruction = interrupted_instruction(machine_context);
  if (between_two_stacks(instruction)) return 0;
  Walk walk{.addresses = addresses, .from = reinterpret_cast<std::uintptr_t>(instruction)};
  _Unwind_Backtrace(&visit, &walk);
  // ThreadSanitizer calls handlers later, and not from where the signal came: then this is all.
  return walk.count;
}

void warm_up_backtraces() noexcept {
  void* addresses[4];
  backtrace(addresses);
}

}  // namespace weft::gvt
