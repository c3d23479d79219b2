// SessionStore: where sessions are kept that do not stand in their cookie.
//
// Derive from it for a database or a cache that several processes share. All workers call the same
// object, so it must be safe for that. Every call is made on the stack of a request's handler, so
// it may park; what it throws ends that request with 500.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace weft {

class SessionStore {
 public:
  // Whether a session must have been there before it is saved.
  enum class Save : std::uint8_t { created, existing };

  virtual ~SessionStore() = default;

  // What was saved under the key and has not expired since. The key is a digest of what the client
  // has, in letters, digits, '-' and '_'; who reads the store cannot use it.
  virtual std::optional<std::string> load(const std::string& key) = 0;
  // Keeps the bytes for so long, in place of what was there. False when it should have been there
  // and was not: it was destroyed meanwhile, by another request, and stays so.
  virtual bool save(const std::string& key, std::string_view bytes, std::chrono::seconds lifetime,
                    Save how) = 0;
  // Has the bytes, for so long, under another key in place of what is under `former`: at one
  // stroke, so that whatever happens meanwhile exactly one of the two is there. False when there is
  // nothing under `former`, and then nothing has changed.
  virtual bool rename(const std::string& former, const std::string& key, std::string_view bytes,
                      std::chrono::seconds lifetime) = 0;
  // There need not be any of that key.
  virtual void destroy(const std::string& key) = 0;
};

// What memory_session_store() is told.
struct MemorySessionStoreOptions {
  // Each is a bound: when there are more, or more bytes, the one that was not used for the longest
  // goes.
  std::size_t sessions = 100'000;
  std::size_t bytes = std::size_t{256} * 1024 * 1024;
  // The time since some moment in the past, which never goes back; empty: the steady clock.
  std::function<std::chrono::nanoseconds()> clock = {};
};

// Sessions in the memory of this process; they end with it. Throws std::invalid_argument for bounds
// of 0.
[[nodiscard]] std::shared_ptr<SessionStore> memory_session_store(
    const MemorySessionStoreOptions& options = {});

}  // namespace weft
