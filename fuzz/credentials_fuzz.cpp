// What clients send to prove something: base64 has one spelling, keys are printable text, and a
// session that is read is written as the same.

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "app/middleware/idempotency_key.hpp"
#include "app/middleware/session_state.hpp"
#include "app/secrets.hpp"

namespace {

void expect(bool condition) {
  if (!condition) std::abort();
}

void read_session(std::string_view text) {
  weft::app::SessionState state;
  if (!weft::app::decode_session(text, state)) return;
  const std::string written = weft::app::encode_session(state, state.id);
  expect(written.size() <= weft::app::SessionState::kFixedBytes + state.id.size() + state.bytes);
  weft::app::SessionState again;
  expect(weft::app::decode_session(written, again));
  expect(weft::app::encode_session(again, again.id) == written);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto bytes = weft::app::from_base64url(text)) {
    expect(weft::app::to_base64url(*bytes) == text);
  }
  if (const auto bytes = weft::app::from_base64(text)) {
    expect(text.size() % 4 == 0 && bytes->size() <= text.size() / 4 * 3);
  }
  if (const auto key = weft::app::read_idempotency_key(text)) {
    expect(!key->empty() && key->size() <= size);
    for (const char c : *key) expect(c >= 0x20 && c < 0x7F);
  }
  const weft::app::SecretKey key = weft::app::key_for("a key", "for this");
  expect(!weft::app::unseal({&key, 1}, text, "context"));
  const std::string sealed = weft::app::seal(key, text, "context");
  expect(weft::app::unseal({&key, 1}, sealed, "context") == text);
  expect(!weft::app::unseal({&key, 1}, sealed, "another"));
  read_session(text);
  return 0;
}
