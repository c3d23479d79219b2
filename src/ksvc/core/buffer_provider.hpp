// BufferProvider: whose memory a receive fills.
//
// Contract. A provider owns a fixed number of numbered blocks of one size. A block is either free
// or lent; lent blocks come back through release(), exactly once, checked by the lease's
// generation. All calls on the owner's thread.
// - detach() turns a lease into one that may be kept for long: the provider stocks a fresh block in
//   its place, so that slow owners never starve the others.
// - borrow() gives a lease that is detached from the start, of block_bytes() bytes and size 0, and
//   always succeeds: the memory for a ReceiveInto when no numbered block is free. Its owner sets
//   the size when the operation has ended, and has from then on a lease like any other.
// - available() is how many numbered blocks are not lent. A receive that ended with -ENOBUFS is
//   worth submitting again once it is above zero.
// - A detached or borrowed lease is released like any other, and counts neither as lent nor as
//   available.
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
  { provider.borrow() } -> std::same_as<BufferLease>;
  { constant.block_bytes() } -> std::same_as<std::uint32_t>;
  { constant.lent() } -> std::same_as<std::size_t>;
  { constant.available() } -> std::same_as<std::size_t>;
  { P::name() } -> std::convertible_to<const char*>;
};

}  // namespace weft::ksvc
