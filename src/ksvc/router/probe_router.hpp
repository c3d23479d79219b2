// ProbeRouter: the SyscallRouter that asks the kernel once, when it is made.
//
// A call whose io_uring operation this kernel supports is served by the ring, otherwise by the
// pool; a newer kernel promotes its calls by itself. Immutable; a look-up is an array index and
// safe from any thread.
#pragma once

#include <cstdint>
#include <optional>

#include "ksvc/core/syscall_router.hpp"
#include "ksvc/router/kernel_features.hpp"
#include "ksvc/router/route_table.hpp"

namespace weft::ksvc {

class ProbeRouter {
 public:
  explicit ProbeRouter(const KernelFeatures& features)
      : routes_([&features](std::uint8_t opcode) {
          return features.io_uring && features.uring_opcodes.test(opcode);
        }) {}

  Tier tier(long nr) const noexcept { return routes_.tier(nr); }
  std::optional<std::uint8_t> opcode(long nr) const noexcept { return routes_.opcode(nr); }
  static constexpr const char* name() noexcept { return "ProbeRouter"; }

 private:
  RouteTable routes_;
};

static_assert(SyscallRouter<ProbeRouter>);

}  // namespace weft::ksvc
