// Identity: who a request is from, as a middleware that authenticates has found out.
//
//     const auto* who = c.get<weft::Identity>();     // null where nobody has asked
//
// Plain data. Belongs to its request.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace weft {

struct Identity {
  std::string name = {};                 // of the user, the client or the key
  std::string scheme = {};               // "basic", "bearer", "key": how it was shown
  std::vector<std::string> scopes = {};  // what it may do, where that is known

  // Whether it may do that.
  bool may(std::string_view scope) const {
    return std::find(scopes.begin(), scopes.end(), scope) != scopes.end();
  }
};

}  // namespace weft
