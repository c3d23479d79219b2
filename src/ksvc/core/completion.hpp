// What comes back from an IoBackend: a Completion, and the BufferLease it may carry.
//
// A lease says whose turn it is with a receive buffer. Whoever takes a completion with a lease must
// give the lease back to the BufferProvider exactly once; the generation catches a second time.
#pragma once

#include <cstdint>

namespace weft::ksvc {

// The owner's name for an operation: 0 is nobody's, and what has its 16 highest bits set belongs to
// the back ends.
using CorrelationId = std::uint64_t;

struct BufferLease {
  char* data = nullptr;
  std::uint32_t size = 0;        // bytes received, not the block's capacity
  std::uint16_t block = 0;       // which block of the provider
  std::uint16_t generation = 0;  // which lending of that block

  explicit operator bool() const noexcept { return data != nullptr; }
};

struct Completion {
  CorrelationId corr_id = 0;
  std::int32_t result = 0;  // as the system call returns it: a count, a descriptor, or -errno
  bool more = false;        // a multishot operation stays armed; false is its final completion
  BufferLease lease;
};

}  // namespace weft::ksvc
