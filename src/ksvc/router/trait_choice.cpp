#include "ksvc/router/trait_choice.hpp"

#include "ksvc/router/probe_router.hpp"
#include "ksvc/router/syscall_table.hpp"

namespace weft::ksvc {
namespace {

std::string router_reason(const KernelFeatures& features, bool uses_ring) {
  if (!uses_ring) return "without a ring, what io_uring could do goes to the pool";
  const ProbeRouter router(features);
  std::size_t able = 0;
  std::size_t served = 0;
  for (const SyscallRow& row : syscall_table()) {
    able += row.tier == Tier::ring ? 1 : 0;
    served += router.tier(row.nr) == Tier::ring ? 1 : 0;
  }
  const std::string all = std::to_string(able) + " calls that io_uring can do";
  if (served == able) return "this kernel does all " + all;
  return "this kernel does " + std::to_string(served) + " of the " + all +
         "; a newer one does more by itself";
}

TraitChoice notifier_choice(const KernelFeatures& features, bool uses_ring) {
  std::string reason = "a descriptor, which every back end can watch";
  if (uses_ring && features.futex_wait) {
    reason += "; this kernel also has the futex wait that FutexNotifier needs";
  }
  return {"notifier", "EventFdNotifier", std::move(reason)};
}

}  // namespace

std::vector<TraitChoice> choose_traits(const KernelFeatures& features,
                                       const BackendChoice& backend) {
  const bool uses_ring = backend.kind == BackendKind::io_uring;
  const char* const backend_type = !backend.possible ? "none"
                                   : uses_ring       ? "BasicIoUring"
                                                     : "Epoll";
  TraitChoice buffers{"buffers", "HeapBuffers", "lent when data is there to be read"};
  if (uses_ring) {
    buffers = {"buffers", "ProvidedBufferRing", "the kernel takes one when data has come"};
  }
  if (!backend.possible) buffers = {"buffers", "none", "they belong to the back end"};
  return {
      {"router", "ProbeRouter", router_reason(features, uses_ring && backend.possible)},
      {"back end", backend_type, backend.reason},
      {"pool", "LazyPool", "one thread until calls block, then more for as long as they do"},
      notifier_choice(features, uses_ring),
      {"sink", "DirectWakeSink", "a result goes straight to whoever waits for it"},
      buffers,
      {"page", "CachedSharedPage", "facts without a system call, from each worker's own copy"},
      {"clock", "MonotonicClock", "read without entering the kernel"},
  };
}

}  // namespace weft::ksvc
