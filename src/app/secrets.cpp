// Everything that libsodium does for weft.
#include "app/secrets.hpp"

#include <sodium.h>

#include <algorithm>
#include <new>
#include <stdexcept>

#include "weft/blocking.hpp"
#include "weft/secrets.hpp"

namespace weft {

namespace {

// A password is typed, or comes from a password manager; more is an attempt to keep us busy.
constexpr std::size_t kMostPasswordBytes = 1024;
// A secret of fewer bytes could be guessed, even if all of them were random.
constexpr std::size_t kLeastSecretBytes = 32;
// The one in use, the one before it, and a few that nobody has taken out. Each is tried.
constexpr std::size_t kMostKeys = 8;

// Chooses what this processor does fastest; every call but the first is free.
void require_sodium() {
  static const bool ready = sodium_init() >= 0;
  if (!ready) throw std::runtime_error("libsodium cannot be used: it finds no random source");
}

const unsigned char* bytes_of(std::string_view text) noexcept {
  return reinterpret_cast<const unsigned char*>(text.data());
}

unsigned char* bytes_of(std::string& text) noexcept {
  return reinterpret_cast<unsigned char*>(text.data());
}

app::Digest hash(std::string_view key, std::initializer_list<std::string_view> parts) {
  require_sodium();
  crypto_generichash_state state;
  app::Digest digest;
  crypto_generichash_init(&state, key.empty() ? nullptr : bytes_of(key), key.size(), digest.size());
  for (const std::string_view part : parts) {
    const std::uint64_t size = part.size();
    std::array<unsigned char, 8> length;
    for (std::size_t i = 0; i < length.size(); ++i) {
      length[i] = static_cast<unsigned char>(size >> (8 * i));
    }
    crypto_generichash_update(&state, length.data(), length.size());
    crypto_generichash_update(&state, bytes_of(part), part.size());
  }
  crypto_generichash_final(&state, digest.data(), digest.size());
  return digest;
}

std::optional<std::string> decode(std::string_view text, int variant) {
  // libsodium 1.0.18 takes some bytes beyond ASCII for letters.
  if (std::any_of(text.begin(), text.end(), [](char c) { return (c & 0x80) != 0; })) {
    return std::nullopt;
  }
  std::string bytes(text.size() / 4 * 3 + 3, '\0');
  std::size_t size = 0;
  const char* end = nullptr;
  if (sodium_base642bin(bytes_of(bytes), bytes.size(), text.data(), text.size(), nullptr, &size,
                        &end, variant) != 0 ||
      end != text.data() + text.size()) {
    return std::nullopt;
  }
  bytes.resize(size);
  return bytes;
}

}  // namespace

namespace app {

void fill_randomly(std::span<unsigned char> bytes) {
  require_sodium();
  randombytes_buf(bytes.data(), bytes.size());
}

SecretKey key_for(std::string_view text, std::string_view purpose) { return hash(purpose, {text}); }

std::vector<SecretKey> keys_for(const std::vector<std::string>& texts, std::string_view purpose,
                                std::string_view whose) {
  const auto refuse = [&](const std::string& why) {
    throw std::invalid_argument(std::string(whose) + " " + why);
  };
  if (texts.empty()) {
    refuse("has no key: give .keys at least one, made by `openssl rand -base64 32` say");
  }
  if (texts.size() > kMostKeys) refuse("has more than 8 keys: take out those nobody needs");
  std::vector<SecretKey> keys;
  for (const std::string& text : texts) {
    if (text.size() < kLeastSecretBytes) {
      refuse("has a key of fewer than 32 bytes: make one by `openssl rand -base64 32` say");
    }
    keys.push_back(key_for(text, purpose));
  }
  return keys;
}

Digest digest_of(std::initializer_list<std::string_view> parts) { return hash({}, parts); }

Digest sign(const SecretKey& key, std::initializer_list<std::string_view> parts) {
  return hash(text_of(key), parts);
}

std::string seal(const SecretKey& key, std::string_view text, std::string_view context) {
  require_sodium();
  constexpr std::size_t kNonce = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
  static_assert(kNonce + crypto_aead_xchacha20poly1305_ietf_ABYTES == kSealBytes);
  std::string sealed(kSealBytes + text.size(), '\0');
  randombytes_buf(sealed.data(), kNonce);
  crypto_aead_xchacha20poly1305_ietf_encrypt(bytes_of(sealed) + kNonce, nullptr, bytes_of(text),
                                             text.size(), bytes_of(context), context.size(),
                                             nullptr, bytes_of(sealed), key.data());
  return sealed;
}

std::optional<std::string> unseal(std::span<const SecretKey> keys, std::string_view sealed,
                                  std::string_view context) {
  if (sealed.size() < kSealBytes) return std::nullopt;
  require_sodium();
  constexpr std::size_t kNonce = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
  std::string text(sealed.size() - kSealBytes, '\0');
  for (const SecretKey& key : keys) {
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(
            bytes_of(text), nullptr, nullptr, bytes_of(sealed) + kNonce, sealed.size() - kNonce,
            bytes_of(context), context.size(), bytes_of(sealed), key.data()) == 0) {
      return text;
    }
  }
  return std::nullopt;
}

TableKey random_table_key() {
  static_assert(sizeof(TableKey) == crypto_shorthash_KEYBYTES);
  TableKey key;
  fill_randomly(key);
  return key;
}

std::uint64_t table_number(const TableKey& key, std::string_view text) noexcept {
  std::array<unsigned char, crypto_shorthash_BYTES> hashed;
  crypto_shorthash(hashed.data(), bytes_of(text), text.size(), key.data());
  std::uint64_t number = 0;
  for (const unsigned char byte : hashed) number = number << 8 | byte;
  return number;
}

std::string to_base64url(std::string_view bytes) {
  constexpr int kVariant = sodium_base64_VARIANT_URLSAFE_NO_PADDING;
  // The function writes a zero behind it.
  std::string text(sodium_base64_encoded_len(bytes.size(), kVariant), '\0');
  sodium_bin2base64(text.data(), text.size(), bytes_of(bytes), bytes.size(), kVariant);
  text.pop_back();
  return text;
}

std::optional<std::string> from_base64url(std::string_view text) {
  return decode(text, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

std::optional<std::string> from_base64(std::string_view text) {
  return decode(text, sodium_base64_VARIANT_ORIGINAL);
}

}  // namespace app

bool equal_in_constant_time(std::string_view left, std::string_view right) noexcept {
  return left.size() == right.size() && sodium_memcmp(left.data(), right.data(), left.size()) == 0;
}

std::string random_token(std::size_t bytes) {
  if (bytes < 16 || bytes > 4096) {
    throw std::invalid_argument("a random token has from 16 to 4,096 bytes, not " +
                                std::to_string(bytes));
  }
  std::string random(bytes, '\0');
  app::fill_randomly({bytes_of(random), random.size()});
  return app::to_base64url(random);
}

std::string hash_password(std::string_view password) {
  if (password.size() > kMostPasswordBytes) {
    throw std::invalid_argument("a password has at most 1,024 bytes, not " +
                                std::to_string(password.size()));
  }
  require_sodium();
  std::string text(crypto_pwhash_STRBYTES, '\0');
  const int failed = blocking([&] {
    return crypto_pwhash_str_alg(text.data(), password.data(), password.size(),
                                 crypto_pwhash_OPSLIMIT_INTERACTIVE,
                                 crypto_pwhash_MEMLIMIT_INTERACTIVE, crypto_pwhash_ALG_ARGON2ID13);
  });
  if (failed != 0) throw std::bad_alloc();
  text.resize(text.find('\0'));
  return text;
}

bool password_matches(const std::string& hash, std::string_view password) {
  // libsodium reads so many bytes in any case, and costs are in the text: they must not be
  // another's.
  if (password.size() > kMostPasswordBytes || hash.size() >= crypto_pwhash_STRBYTES) return false;
  require_sodium();
  return blocking([&] {
    return crypto_pwhash_str_verify(hash.c_str(), password.data(), password.size()) == 0;
  });
}

}  // namespace weft
