// WEFT_ASSERT: a programmer's promise, checked in release builds too.
//
// A broken promise means memory or connections can no longer be trusted, so the process stops at
// once with the place and the promise on standard error. Never use it for what input can cause.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace weft::ksvc {

[[noreturn]] [[gnu::cold]] [[gnu::noinline]] inline void assertion_failed(const char* promise,
                                                                          const char* file,
                                                                          int line) noexcept {
  std::fprintf(stderr, "weft: %s:%d: broken promise: %s\n", file, line, promise);
  std::abort();
}

}  // namespace weft::ksvc

#define WEFT_ASSERT(promise)                       \
  (__builtin_expect(static_cast<bool>(promise), 1) \
       ? static_cast<void>(0)                      \
       : ::weft::ksvc::assertion_failed(#promise, __FILE__, __LINE__))
