// What ThreadSanitizer cannot see of liburing: it maps and unmaps rings by system calls of its own.
//
// Without a word about it, a ring at an address where another thread's was before looks like a
// race with it. The kernel orders the two; so these say that who maps comes after who has unmapped.
#pragma once

#if defined(__SANITIZE_THREAD__)
#define WEFT_ORDERS_MAPPINGS 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define WEFT_ORDERS_MAPPINGS 1
#endif
#endif

#ifdef WEFT_ORDERS_MAPPINGS
#include <sanitizer/tsan_interface.h>
#endif

namespace weft::ksvc {

#ifdef WEFT_ORDERS_MAPPINGS
inline char mapping_order;
inline void before_rings_are_unmapped() noexcept { __tsan_release(&mapping_order); }
inline void after_rings_are_mapped() noexcept { __tsan_acquire(&mapping_order); }
#else
inline void before_rings_are_unmapped() noexcept {}
inline void after_rings_are_mapped() noexcept {}
#endif

}  // namespace weft::ksvc
