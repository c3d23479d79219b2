// DebugInformation: names, files and lines of code, from the debug information of what is loaded.
//
// One implementation reads it by way of elfutils' libdw, the other, for builds without that
// library, knows nothing; which of the two is built is the build's choice. One thread at a time.
#pragma once

#include <memory>
#include <vector>

#include "gvt/symbols.hpp"

namespace weft::gvt {

class DebugInformation {
 public:
  static std::unique_ptr<DebugInformation> of_this_process();
  virtual ~DebugInformation() = default;

  // As Symbolizer::look_up(), but empty where nothing is known.
  virtual std::vector<Symbol> look_up(const void* address) = 0;
  // As Symbolizer::has_debug_information().
  virtual bool has(const void* address) = 0;
};

}  // namespace weft::gvt
