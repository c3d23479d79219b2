// basic_auth: lets requests in that bring a name and a password (RFC 7617).
//
//     app.group("/admin", weft::basic_auth({{"ada", hash_from_configuration}}));
//
// Without credentials, and with wrong ones, the answer is 401 with a challenge, on which a browser
// asks for them; with malformed ones it is 400. Who has come in is a weft::Identity, as
// c.get<weft::Identity>(). The password travels in every request, so use it over TLS alone.
// All workers call the same object, so what `check` uses must be safe for that.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "weft/identity.hpp"
#include "weft/middleware.hpp"

namespace weft {

struct BasicAuthOptions {
  std::string realm = "restricted";  // what the browser shows
  // Name and password together, decoded. People type them.
  std::size_t credentials_bytes = 1024;
  // What it is true for comes in without any; it has no Identity.
  std::function<bool(Context&)> skip = {};
};

// Whether it is that user's password. May park, and may throw HttpError.
using BasicCheck =
    std::function<bool(Context& context, std::string_view name, std::string_view password)>;

// Throws std::invalid_argument for a realm with control bytes, and without a check.
[[nodiscard]] Middleware basic_auth(BasicCheck check, const BasicAuthOptions& options = {});

// Names and their passwords: hashes by hash_password(), or the text itself, which is for tests and
// secrets that a machine has made. Whether a name is there does not show in the time it takes, as
// long as all are hashes or none is. Throws std::invalid_argument without users, for a name with a
// colon, and for an empty password.
[[nodiscard]] Middleware basic_auth(std::map<std::string, std::string> users,
                                    const BasicAuthOptions& options = {});

}  // namespace weft
