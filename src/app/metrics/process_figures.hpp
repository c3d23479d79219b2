// What the system says of this process, under the names that everybody uses for it.
//
// What cannot be had is left out. Any thread; reads files of /proc, which are in memory.
#pragma once

#include "app/metrics/exposition.hpp"

namespace weft::app {

void write_process(Exposition& exposition);

}  // namespace weft::app
