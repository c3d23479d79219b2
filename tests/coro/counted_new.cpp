#include "counted_new.hpp"

#include <cstdlib>
#include <new>

namespace {

thread_local std::size_t t_allocations = 0;
thread_local std::size_t t_bytes = 0;

}  // namespace

void* operator new(std::size_t size) {
  ++t_allocations;
  t_bytes += size;
  if (void* const place = std::malloc(size)) return place;
  throw std::bad_alloc();
}
// A sanitizer's own would be used otherwise, and what it gives is not for free().
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  ++t_allocations;
  t_bytes += size;
  return std::malloc(size);
}
void operator delete(void* place) noexcept { std::free(place); }
void operator delete(void* place, std::size_t) noexcept { std::free(place); }

namespace weft {

std::size_t allocations_here() noexcept { return t_allocations; }
std::size_t bytes_here() noexcept { return t_bytes; }

}  // namespace weft
