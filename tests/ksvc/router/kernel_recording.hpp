// Recorded kernels: what the probe says, or would say, on a release of Linux, read from data.
//
// The files are tests/vectors/kernels/linux-RELEASE.txt; the README beside them has the format. A
// file that cannot be read, or names what nobody knows, throws std::runtime_error. Any thread.
#pragma once

#include <string>
#include <vector>

#include "ksvc/router/kernel_features.hpp"

namespace weft::ksvc {

// `release` as in the file's name: "6.8".
KernelFeatures load_kernel_recording(const std::string& release);

// The releases there are recordings of, oldest first.
std::vector<std::string> recorded_releases();

// The flags that are set, by the names they have in the files.
std::vector<std::string> flags_of(const KernelFeatures& features);

}  // namespace weft::ksvc
