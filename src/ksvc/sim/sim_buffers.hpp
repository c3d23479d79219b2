// SimBuffers: the receive blocks of a simulated kernel: HeapBuffers that spoil what is given back,
// so that who reads on in a released block reads nonsense.
#pragma once

#include <cstring>

#include "ksvc/buffers/heap_buffers.hpp"
#include "ksvc/core/poison.hpp"

namespace weft::ksvc {

class SimBuffers : public HeapBuffers {
 public:
  using HeapBuffers::HeapBuffers;

  void release(BufferLease& lease) noexcept {
    const BufferLease given_back = lease;
    HeapBuffers::release(lease);
    // Where memory is poisoned, whoever touches it is stopped already.
    if constexpr (!kPoisonsMemory) std::memset(given_back.data, kSpoiled, given_back.size);
  }
  static const char* name() noexcept { return "simulated buffers"; }

 private:
  static constexpr int kSpoiled = 0xDB;
};

static_assert(BufferProvider<SimBuffers>);

}  // namespace weft::ksvc
