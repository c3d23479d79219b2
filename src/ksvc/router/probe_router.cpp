#include "ksvc/router/probe_router.hpp"

#include "ksvc/core/assert.hpp"
#include "ksvc/router/syscall_table.hpp"

namespace weft::ksvc {

ProbeRouter::ProbeRouter(const KernelFeatures& features) noexcept {
  for (const SyscallRow& row : syscall_table()) {
    WEFT_ASSERT(row.nr >= 0 && row.nr < kEntries);
    Entry& entry = entries_[static_cast<std::size_t>(row.nr)];
    if (row.tier != Tier::ring) {
      entry.tier = row.tier;
    } else if (features.io_uring && features.uring_opcodes.test(row.opcode)) {
      entry = {Tier::ring, row.opcode};
    }
  }
}

static_assert(SyscallRouter<ProbeRouter>);

}  // namespace weft::ksvc
