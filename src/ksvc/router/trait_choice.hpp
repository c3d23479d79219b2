// choose_traits: which implementation of each trait weft takes on a kernel, and why.
//
// A pure function of what it is given, for reports; the sentences are for people. Any thread.
#pragma once

#include <string>
#include <vector>

#include "ksvc/router/backend_choice.hpp"
#include "ksvc/router/kernel_features.hpp"

namespace weft::ksvc {

struct TraitChoice {
  const char* trait;   // as the map has it: "router", "back end", ...
  const char* choice;  // the type's name; "none" where nothing can be had
  std::string reason;
};

// In the order of the trait map. `backend` is what choose_backend() said of the same features.
std::vector<TraitChoice> choose_traits(const KernelFeatures& features,
                                       const BackendChoice& backend);

}  // namespace weft::ksvc
