// bearer_auth: lets requests in that bring a token which the application knows (RFC 6750).
//
//     app.group("/api", weft::bearer_auth([](weft::Context&, std::string_view token) {
//       return find_token(token);   // std::optional<weft::Identity>
//     }));
//
// Without a token the answer is 401, with one that is refused 401 and `invalid_token`, with a
// malformed one 400 and `invalid_request`, and without the scope that is asked for 403 and
// `insufficient_scope`, each with its WWW-Authenticate. Tokens are taken from the Authorization
// field alone: those in addresses end up in logs. Who has come in is c.get<weft::Identity>().
// All workers call the same object, so what `check` uses must be safe for that.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "weft/identity.hpp"
#include "weft/middleware.hpp"

namespace weft {

struct BearerAuthOptions {
  // What the client is told that it needs a token for.
  std::string realm = "restricted";
  // What the Identity must have among its scopes; empty: nothing.
  std::string scope = {};
  // The token. A signed one with many claims stays below; a head has 16 KiB by default.
  std::size_t token_bytes = 4096;
  // What it is true for comes in without any; it has no Identity.
  std::function<bool(Context&)> skip = {};
};

// Whose token it is, or nothing when it is not, or no longer, good. May park, and may throw
// HttpError. Where it compares with secrets, equal_in_constant_time() does that.
using BearerCheck =
    std::function<std::optional<Identity>(Context& context, std::string_view token)>;

// Throws std::invalid_argument for a realm with control bytes, a scope with blanks, quotes or
// backslashes, and without a check.
[[nodiscard]] Middleware bearer_auth(BearerCheck check, const BearerAuthOptions& options = {});

}  // namespace weft
