// What applications need to keep secrets: comparing without telling, tokens nobody guesses, and
// passwords that are kept as hashes.
//
//     const std::string kept = weft::hash_password(c.form("password"));     // to be stored
//     if (!weft::password_matches(kept, c.form("password"))) weft::Context::abort(401);
//
// Invariants: nothing here keeps what it was given. Any thread; the two that hash passwords take
// tens of milliseconds on purpose, and so run on the pool while a green thread that calls parks.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace weft {

// Whether both are the same, in a time that depends on their lengths alone: for what a client sends
// and a secret it should know.
[[nodiscard]] bool equal_in_constant_time(std::string_view left, std::string_view right) noexcept;

// So many bytes from the system's random source, as text that fits cookies, headers and addresses
// (base64url without padding, RFC 4648 §5). 16 bytes are beyond guessing. Throws
// std::invalid_argument for less, and for more than 4,096.
[[nodiscard]] std::string random_token(std::size_t bytes = 32);

// A hash that stands for the password (Argon2id, with its salt and costs: "$argon2id$…"). Takes
// 64 MiB of memory while it runs. Throws std::invalid_argument for a password of more than
// 1,024 bytes, and std::bad_alloc.
[[nodiscard]] std::string hash_password(std::string_view password);

// Whether it is the password of that hash. False, too, for a hash that is none, and for a password
// of more than 1,024 bytes.
[[nodiscard]] bool password_matches(const std::string& hash, std::string_view password);

}  // namespace weft
