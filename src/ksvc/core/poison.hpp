// Memory that nobody may touch now, as AddressSanitizer is told it; nothing in ordinary builds.
//
// Whoever poisons memory unpoisons it before it is unmapped: what is mapped there later is
// somebody else's. System calls made by way of the C library are checked too, the kernel's own
// writes for io_uring are not.
#pragma once

#include <cstddef>

#if defined(__SANITIZE_ADDRESS__)
#define WEFT_POISONS_MEMORY 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WEFT_POISONS_MEMORY 1
#endif
#endif

#ifdef WEFT_POISONS_MEMORY
#include <sanitizer/asan_interface.h>
#endif

namespace weft::ksvc {

#ifdef WEFT_POISONS_MEMORY
inline constexpr bool kPoisonsMemory = true;
#else
inline constexpr bool kPoisonsMemory = false;
#endif

inline void poison([[maybe_unused]] const void* memory, [[maybe_unused]] std::size_t bytes) {
#ifdef WEFT_POISONS_MEMORY
  __asan_poison_memory_region(memory, bytes);
#endif
}

inline void unpoison([[maybe_unused]] const void* memory, [[maybe_unused]] std::size_t bytes) {
#ifdef WEFT_POISONS_MEMORY
  __asan_unpoison_memory_region(memory, bytes);
#endif
}

}  // namespace weft::ksvc
