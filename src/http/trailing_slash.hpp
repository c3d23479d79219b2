// TrailingSlash: what becomes of a path that no route answers, but would with a slash more or less
// at its end.
//
// Values; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace weft::http {

enum class TrailingSlash : std::uint8_t {
  strict,    // two paths are two paths: 404
  redirect,  // the client is sent to the path that there is
  ignore,    // it is answered as the path that there is
};

// The path with a slash added to its end or taken from it; empty where that makes no sense.
[[nodiscard]] std::string with_other_slash(std::string_view path);

// Whether a client takes it for a path on this server: "//host" names another one, and so does
// "/\host" for browsers.
[[nodiscard]] bool stays_here(std::string_view path);

// Where to send the client, as a Location field says it.
[[nodiscard]] std::string location_of(std::string path, std::string_view query);

}  // namespace weft::http
