// What the sanitizers must be told about stacks and switches; nothing in ordinary builds.
//
// AddressSanitizer keeps the bounds of the current stack, ThreadSanitizer a clock and a call stack
// per fiber. Both are told just before a switch, AddressSanitizer just after it too.
#pragma once

#include <cstddef>

#if defined(__SANITIZE_ADDRESS__)
#define WEFT_UNDER_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WEFT_UNDER_ASAN 1
#endif
#endif

#if defined(__SANITIZE_THREAD__)
#define WEFT_UNDER_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define WEFT_UNDER_TSAN 1
#endif
#endif

#ifdef WEFT_UNDER_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef WEFT_UNDER_TSAN
#include <sanitizer/tsan_interface.h>
#endif

namespace weft::gvt::sanitizer {

#if defined(WEFT_UNDER_ASAN) || defined(WEFT_UNDER_TSAN)
inline constexpr bool kEnabled = true;
#else
inline constexpr bool kEnabled = false;
#endif

// Frames that were left without returning leave their red zones behind, in memory that others, or
// other uses of the addresses after an unmapping, must find clean.
inline void forget_frames([[maybe_unused]] void* memory, [[maybe_unused]] std::size_t bytes) {
#ifdef WEFT_UNDER_ASAN
  __asan_unpoison_memory_region(memory, bytes);
#endif
}

// One stack as the sanitizers know it.
struct Fiber {
#ifdef WEFT_UNDER_ASAN
  void* fake_stack = nullptr;
  const void* bottom = nullptr;
  std::size_t size = 0;
#endif
#ifdef WEFT_UNDER_TSAN
  void* tsan = nullptr;
#endif

  void adopt_thread_stack() noexcept {
#ifdef WEFT_UNDER_TSAN
    tsan = __tsan_get_current_fiber();
#endif
  }

  void create([[maybe_unused]] void* stack_bottom, [[maybe_unused]] std::size_t stack_size) {
#ifdef WEFT_UNDER_ASAN
    bottom = stack_bottom;
    size = stack_size;
    forget_frames(stack_bottom, stack_size);
#endif
#ifdef WEFT_UNDER_TSAN
    tsan = __tsan_create_fiber(0);
#endif
  }

  void destroy() noexcept {
#ifdef WEFT_UNDER_TSAN
    if (tsan != nullptr) __tsan_destroy_fiber(tsan);
    tsan = nullptr;
#endif
  }
};

// `from_ends`: the stack we leave will never be entered again.
[[gnu::always_inline]] inline void before_switch([[maybe_unused]] Fiber& from,
                                                 [[maybe_unused]] Fiber& to,
                                                 [[maybe_unused]] bool from_ends) noexcept {
#ifdef WEFT_UNDER_ASAN
  __sanitizer_start_switch_fiber(from_ends ? nullptr : &from.fake_stack, to.bottom, to.size);
#endif
#ifdef WEFT_UNDER_TSAN
  __tsan_switch_to_fiber(to.tsan, 0);
#endif
}

// `here`: the stack we are on now. `came_from` learns its bounds, which for a thread's own stack
// are known only this way.
[[gnu::always_inline]] inline void after_switch([[maybe_unused]] Fiber& here,
                                                [[maybe_unused]] Fiber* came_from) noexcept {
#ifdef WEFT_UNDER_ASAN
  const void* bottom = nullptr;
  std::size_t size = 0;
  __sanitizer_finish_switch_fiber(here.fake_stack, &bottom, &size);
  if (came_from != nullptr && came_from->bottom == nullptr) {
    came_from->bottom = bottom;
    came_from->size = size;
  }
#endif
}

}  // namespace weft::gvt::sanitizer
