// SyscallRouter: which tier serves a system call.
//
// Contract. A router is settled when it is made and never changes, so every call is a look-up,
// allocates nothing and is safe from any thread.
// - tier(nr): where the call goes. A number the router has never heard of goes to the pool, where
//   the kernel itself answers: a call the kernel has is never refused for being new.
// - opcode(nr): the io_uring operation that does the call, when its tier is `ring`.
// - Tier::ring says the call can be an operation, not that any argument will do: the dispatcher
//   sends an argument that the operation cannot express (poll() of two descriptors) to the pool.
// - Tier::inline_only: the call is about the calling thread, so another thread's answer is wrong;
//   or it is short, and its result does not fit into a completion.
// - Tier::refused: done behind the runtime's back the call would end or fork it, or ruin a stack.
#pragma once

#include <concepts>
#include <cstdint>
#include <optional>

namespace weft::ksvc {

enum class Tier : std::uint8_t {
  shared_page = 0,  // answered from mapped memory, without a system call
  ring = 1,         // an io_uring operation
  pool = 2,         // an ordinary call on a worker thread
  inline_only,      // an ordinary call on the caller's own thread
  refused,          // not done at all
};

constexpr const char* tier_name(Tier tier) noexcept {
  switch (tier) {
    case Tier::shared_page: return "shared page";
    case Tier::ring: return "ring";
    case Tier::pool: return "pool";
    case Tier::inline_only: return "inline";
    case Tier::refused: return "refused";
  }
  return "unknown";
}

template <class R>
concept SyscallRouter = requires(const R& router, long nr) {
  { router.tier(nr) } noexcept -> std::same_as<Tier>;
  { router.opcode(nr) } noexcept -> std::same_as<std::optional<std::uint8_t>>;
  { R::name() } -> std::convertible_to<const char*>;
};

}  // namespace weft::ksvc
