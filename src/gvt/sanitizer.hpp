// What the sanitizers and valgrind must be told about stacks and switches.
//
// AddressSanitizer keeps the bounds of the current stack, ThreadSanitizer a clock and a call stack
// per fiber. Both are told just before a switch, AddressSanitizer just after it too. Valgrind sees
// switches itself once it knows what is a stack; it runs ordinary builds, so these ask, when they
// make a green thread's stack, whether it is there. Otherwise there is nothing in ordinary builds.
//
// Callgrind cannot be told. What it says that a function costs by itself is right. It takes a
// switch for a call, so what it says that a function costs with all it calls is wrong for those
// that park, and for whoever calls them.
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
#include <sanitizer/lsan_interface.h>
#endif
#ifdef WEFT_UNDER_TSAN
#include <sanitizer/tsan_interface.h>
#endif

#if __has_include(<valgrind/memcheck.h>)
#include <pthread.h>
#include <valgrind/memcheck.h>
#define WEFT_KNOWS_VALGRIND 1
#endif

namespace weft::gvt::sanitizer {

#if defined(WEFT_UNDER_ASAN) || defined(WEFT_UNDER_TSAN)
inline constexpr bool kEnabled = true;
#else
inline constexpr bool kEnabled = false;
#endif

#ifdef WEFT_KNOWS_VALGRIND
inline bool ask_for_valgrind() noexcept { return RUNNING_ON_VALGRIND != 0; }
inline const bool kUnderValgrind = ask_for_valgrind();
#endif

// Frames that were left without returning leave their red zones behind, in memory that others, or
// other uses of the addresses after an unmapping, must find clean.
inline void forget_frames([[maybe_unused]] const void* memory, [[maybe_unused]] std::size_t bytes) {
#ifdef WEFT_UNDER_ASAN
  __asan_unpoison_memory_region(memory, bytes);
#endif
#ifdef WEFT_KNOWS_VALGRIND
  if (kUnderValgrind) [[unlikely]]
    VALGRIND_MAKE_MEM_DEFINED(memory, bytes);
#endif
}

// The object is left for good, on purpose, with all that it refers to.
inline void leave_for_good([[maybe_unused]] const void* object) noexcept {
#ifdef WEFT_UNDER_ASAN
  __lsan_ignore_object(object);
#endif
}

// One stack as the sanitizers and valgrind know it.
struct Fiber {
#ifdef WEFT_UNDER_ASAN
  void* fake_stack = nullptr;
  const void* bottom = nullptr;
  std::size_t size = 0;
#endif
#ifdef WEFT_UNDER_TSAN
  void* tsan = nullptr;
#endif
#ifdef WEFT_KNOWS_VALGRIND
  unsigned valgrind = 0;
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
#ifdef WEFT_KNOWS_VALGRIND
    if (kUnderValgrind) [[unlikely]] {
      char* const lowest = static_cast<char*>(stack_bottom);
      valgrind = VALGRIND_STACK_REGISTER(lowest, lowest + stack_size - 1);
    }
#endif
  }

  void destroy() noexcept {
#ifdef WEFT_UNDER_TSAN
    if (tsan != nullptr) __tsan_destroy_fiber(tsan);
    tsan = nullptr;
#endif
#ifdef WEFT_KNOWS_VALGRIND
    if (kUnderValgrind) [[unlikely]]
      VALGRIND_STACK_DEREGISTER(valgrind);
#endif
  }
};

// For as long as it is there, valgrind knows the calling thread's own stack. Otherwise it takes the
// way from there to a stack near by for a call or a return, and all that lies between for dead.
class KnownThreadStack {
 public:
  KnownThreadStack() noexcept {
#ifdef WEFT_KNOWS_VALGRIND
    if (kUnderValgrind) [[unlikely]]
      get_known();
#endif
  }
  KnownThreadStack(const KnownThreadStack&) = delete;
  KnownThreadStack& operator=(const KnownThreadStack&) = delete;
  ~KnownThreadStack() {
#ifdef WEFT_KNOWS_VALGRIND
    if (is_known_) [[unlikely]]
      VALGRIND_STACK_DEREGISTER(valgrind_);
#endif
  }

#ifdef WEFT_KNOWS_VALGRIND
 private:
  void get_known() noexcept {
    pthread_attr_t attributes;
    if (::pthread_getattr_np(::pthread_self(), &attributes) != 0) return;
    void* lowest = nullptr;
    std::size_t size = 0;
    if (::pthread_attr_getstack(&attributes, &lowest, &size) == 0) {
      valgrind_ = VALGRIND_STACK_REGISTER(lowest, static_cast<char*>(lowest) + size - 1);
      is_known_ = true;
    }
    ::pthread_attr_destroy(&attributes);
  }

  unsigned valgrind_ = 0;
  bool is_known_ = false;
#endif
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
