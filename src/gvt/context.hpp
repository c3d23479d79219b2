// The switch between two stacks, for the processor this is built for.
#pragma once

#if defined(__x86_64__)
#include "gvt/context_x86_64.hpp"
#elif defined(__aarch64__)
#include "gvt/context_aarch64.hpp"
#else
#error "weft has no stack switch for this processor yet: add gvt/context_<processor>.hpp"
#endif
