// BufferProvider: whose memory a receive fills.
//
// Contract. A provider owns a fixed number of blocks of one size. A block is either free or lent;
// lent blocks come back through release(), exactly once, checked by the lease's generation.
// detach() turns a lease into one that may be kept for long: the provider stocks a fresh block in
// its place, so that slow owners never starve the others. All calls on the owner's thread.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>

#include "ksvc/core/completion.hpp"

namespace weft::ksvc {

struct BufferOptions {
  std::uint16_t blocks = 1024;  // a power of two
  std::uint32_t block_bytes = 4096;
};

template <class P>
concept BufferProvider = requires(P& provider, const P& constant, BufferLease& lease) {
  { provider.release(lease) } -> std::same_as<void>;
  { provider.detach(lease) } -> std::same_as<void>;
  { constant.block_bytes() } -> std::same_as<std::uint32_t>;
  { constant.lent() } -> std::same_as<std::size_t>;
  { P::name() } -> std::convertible_to<const char*>;
};

}  // namespace weft::ksvc
