// What an Idempotency-Key says (draft-ietf-httpapi-idempotency-key-header §2.1).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace weft::app {

// A string of structured fields (RFC 9651 §3.3.3) without parameters, or, as many clients send it,
// the same without quotes and blanks. Nothing when it is neither, or empty.
[[nodiscard]] std::optional<std::string> read_idempotency_key(std::string_view sent);

}  // namespace weft::app
