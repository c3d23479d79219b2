// key_auth: lets requests in that bring a key of an application's, in a header or elsewhere.
//
//     app.group("/api", weft::key_auth({.keys = {{key_from_configuration, "billing"}}}));
//
// Without a key, and with one that is not known, the answer is 401 with a challenge; with several
// of them, or one that is too long, it is 400. Who has come in is c.get<weft::Identity>().
// All workers call the same object, so what `check` uses must be safe for that.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "weft/identity.hpp"
#include "weft/middleware.hpp"

namespace weft {

struct KeyAuthOptions {
  // Keys, and whose they are. They are kept as digests; how long the search takes says nothing of
  // them.
  std::map<std::string, std::string> keys = {};
  // In place of, or behind these: whose key it is, or nothing. May park, and may throw HttpError.
  std::function<std::optional<Identity>(Context& context, std::string_view key)> check = {};
  // Each is where the key may stand: the name of a header, of a cookie, of a value of the query.
  // The first of them that is there counts. An empty name: not there. What is in an address ends up
  // in logs.
  std::string header = "X-Api-Key";
  std::string cookie = {};
  std::string query = {};
  // What the client is told that it needs a key for.
  std::string realm = "restricted";
  // The key. Random ones are some 40 bytes, signed ones a few hundred.
  std::size_t key_bytes = 1024;
  // What it is true for comes in without any; it has no Identity.
  std::function<bool(Context&)> skip = {};
};

// Throws std::invalid_argument without keys and check, for a key of fewer than 16 bytes, without a
// place to look for keys, and for a realm with control bytes.
[[nodiscard]] Middleware key_auth(const KeyAuthOptions& options);

}  // namespace weft
