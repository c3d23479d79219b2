// Scans for long runs of bytes, by whatever the processor does best.
//
// Invariants: what is asked for here has the meaning of the scan of the same name in scan.hpp, on
// views of at least `least_bytes`. The choice is made once, at the first call, by asking the
// processor; it costs an indirect call, and so is for runs that are known to be long.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace weft::http::scan {

struct WideScans {
  static constexpr std::size_t least_bytes = 32;
  using Scan = std::size_t (*)(std::string_view bytes, std::size_t from);

  const char* name;
  bool (*works_here)();
  Scan value_end;
  Scan target_end;
};

// All that this program was built with, best first; the last one works everywhere.
[[nodiscard]] std::span<const WideScans> all_wide_scans();

// The first of them that works here.
[[nodiscard]] const WideScans& wide_scans();

}  // namespace weft::http::scan
