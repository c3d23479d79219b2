// What ThreadSanitizer cannot see of io_uring: the order in which the kernel does things.
//
// Rings are mapped and unmapped by system calls of liburing's own. Without a word about it, a ring
// at an address where another thread's was before looks like a race with it. And what a thread does
// before it sends comes before what another does that has received it; of plain calls the sanitizer
// knows that. In other builds all of this is nothing.
#pragma once

#if defined(__SANITIZE_THREAD__)
#define WEFT_ORDERS_BY_KERNEL 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define WEFT_ORDERS_BY_KERNEL 1
#endif
#endif

#ifdef WEFT_ORDERS_BY_KERNEL
#include <sanitizer/tsan_interface.h>
#endif

namespace weft::ksvc {

#ifdef WEFT_ORDERS_BY_KERNEL
inline char order_of_mappings;
inline char order_of_data;
inline void before_rings_are_unmapped() noexcept { __tsan_release(&order_of_mappings); }
inline void after_rings_are_mapped() noexcept { __tsan_acquire(&order_of_mappings); }
inline void before_kernel_sends() noexcept { __tsan_release(&order_of_data); }
inline void after_data_has_come() noexcept { __tsan_acquire(&order_of_data); }
#else
inline void before_rings_are_unmapped() noexcept {}
inline void after_rings_are_mapped() noexcept {}
inline void before_kernel_sends() noexcept {}
inline void after_data_has_come() noexcept {}
#endif

}  // namespace weft::ksvc
