// What a signal's machine context says, on the processor this is built for.
#pragma once

#if defined(__x86_64__)
#include "gvt/interrupted_x86_64.hpp"
#elif defined(__aarch64__)
#include "gvt/interrupted_aarch64.hpp"
#else
#error "weft cannot read a machine context here yet: add gvt/interrupted_<processor>.hpp"
#endif
