#include "failing_new.hpp"

#include <cstdlib>
#include <new>
#include <utility>

namespace {

thread_local bool t_fails = false;
thread_local std::ptrdiff_t t_live = 0;

void free_counted(void* place) noexcept {
  if (place != nullptr) --t_live;
  std::free(place);
}

}  // namespace

void* operator new(std::size_t size) {
  if (!std::exchange(t_fails, false)) {
    if (void* const place = std::malloc(size)) {
      ++t_live;
      return place;
    }
  }
  throw std::bad_alloc();
}
// A sanitizer's own would be used otherwise, and what it gives is not for free().
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  void* const place = std::malloc(size);
  if (place != nullptr) ++t_live;
  return place;
}
void operator delete(void* place) noexcept { free_counted(place); }
void operator delete(void* place, std::size_t) noexcept { free_counted(place); }

namespace weft::http::test {

void fail_next_allocation() noexcept { t_fails = true; }

bool call_off_failed_allocation() noexcept { return std::exchange(t_fails, false); }

std::ptrdiff_t live_allocations_here() noexcept { return t_live; }

}  // namespace weft::http::test
