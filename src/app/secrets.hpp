// What middleware needs to hand secrets to clients and know them again: keys, seals, signatures,
// digests and the texts they travel in.
//
// Invariants: keys are made of texts of the user's, one for each purpose, so that what was sealed
// for one thing opens nothing else. All comparisons take a time that depends on lengths alone.
// Any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weft::app {

inline constexpr std::size_t kKeyBytes = 32;
using SecretKey = std::array<unsigned char, kKeyBytes>;
using Digest = std::array<unsigned char, 32>;

void fill_randomly(std::span<unsigned char> bytes);

// A key for one purpose (at most 64 bytes of text) out of the user's text.
[[nodiscard]] SecretKey key_for(std::string_view text, std::string_view purpose);
// The same for each; throws std::invalid_argument, in the name of `whose`, when there are none or
// too many, or when one is too short to be a secret.
[[nodiscard]] std::vector<SecretKey> keys_for(const std::vector<std::string>& texts,
                                              std::string_view purpose, std::string_view whose);

// Of all parts and their lengths, so that no two lists of parts have the same (BLAKE2b).
[[nodiscard]] Digest digest_of(std::initializer_list<std::string_view> parts);
// The same under a key: a signature.
[[nodiscard]] Digest sign(const SecretKey& key, std::initializer_list<std::string_view> parts);

// What sealed bytes have beside the text: a nonce and a tag.
inline constexpr std::size_t kSealBytes = 24 + 16;
// Encrypted and authenticated together with `context` (XChaCha20-Poly1305).
[[nodiscard]] std::string seal(const SecretKey& key, std::string_view text,
                               std::string_view context);
// What was sealed under one of the keys; nothing for all else.
[[nodiscard]] std::optional<std::string> unseal(std::span<const SecretKey> keys,
                                                std::string_view sealed, std::string_view context);

// A number that stands for a text in tables of this process alone; nobody outside can make two
// texts have the same (SipHash).
using TableKey = std::array<unsigned char, 16>;
[[nodiscard]] TableKey random_table_key();
[[nodiscard]] std::uint64_t table_number(const TableKey& key, std::string_view text) noexcept;

// base64url without padding.
[[nodiscard]] std::string to_base64url(std::string_view bytes);
[[nodiscard]] std::optional<std::string> from_base64url(std::string_view text);
// base64 with its padding (RFC 4648 §4), nothing else in it.
[[nodiscard]] std::optional<std::string> from_base64(std::string_view text);

template <std::size_t N>
std::string_view text_of(const std::array<unsigned char, N>& bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), N};
}

}  // namespace weft::app
