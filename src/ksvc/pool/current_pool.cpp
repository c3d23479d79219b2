#include "ksvc/pool/current_pool.hpp"

#include <utility>

namespace weft::ksvc {

namespace {

thread_local const void* current = nullptr;

}  // namespace

[[gnu::noinline]] const void* current_pool() noexcept { return current; }

[[gnu::noinline]] const void* set_current_pool(const void* pool) noexcept {
  return std::exchange(current, pool);
}

}  // namespace weft::ksvc
