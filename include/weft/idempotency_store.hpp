// IdempotencyStore: where idempotency() keeps which keys were used, and what was answered.
//
// Derive from it for a database that several processes share. All workers call the same object, so
// it must be safe for that, and claim() must let one of several through. Every call is made on the
// stack of a request's handler, so it may park; what it throws ends that request with 500.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace weft {

// An answer that was given, as it is given again.
struct KeptAnswer {
  int status = 0;                 // 0: it was not kept, being a stream or too large
  std::string content_type = {};  // empty: none
  std::vector<std::pair<std::string, std::string>> headers = {};  // that handlers have set
  std::string body = {};                                          // all of it
  // Names of headers that middleware outside had set, and that were taken out or set anew.
  std::vector<std::string> replaced = {};
};

class IdempotencyStore {
 public:
  // What became of a claim.
  struct Claim {
    // Whose the key is now.
    enum class Kind : std::uint8_t {
      taken,        // the key is the caller's, who will complete() or release() it
      in_progress,  // somebody else has it, and is not done
      completed,    // what was answered is in `answer`
      full,         // there is no room for another key
      owner_full,   // nor for another of this owner's
    };
    Kind kind = Kind::taken;       // which of these
    std::string fingerprint = {};  // of completed and in_progress: what came with the key first
    KeptAnswer answer = {};        // of completed
  };

  virtual ~IdempotencyStore() = default;

  // What is claimed. Key, fingerprint and owner are digests, in letters, digits, '-' and '_'. An
  // owner may be empty: nobody can be told from others then, and there is no share of his.
  struct Wish {
    std::string key;             // whose it is has gone into it, too
    std::string fingerprint;     // of the request
    std::string owner;           // who asks, so that one cannot take all the room
    std::chrono::seconds lease;  // after which it is free if nothing more is heard of it
  };

  // Takes a key that nobody has; who had one whose lease is over has crashed.
  virtual Claim claim(const Wish& wish) = 0;
  // Keeps the answer for so long.
  virtual void complete(const std::string& key, KeptAnswer answer,
                        std::chrono::seconds lifetime) = 0;
  // Gives the key up; the next one with it begins anew.
  virtual void release(const std::string& key) = 0;
};

// What memory_idempotency_store() is told.
struct MemoryIdempotencyStoreOptions {
  // Each is a bound: keys, and bytes of answers. One more is refused, until some have expired: to
  // forget an answer early is to do twice what must be done once.
  std::size_t keys = 100'000;
  std::size_t bytes = std::size_t{256} * 1024 * 1024;
  // Each is the same of one owner, so that others find room whatever one client does: a tenth.
  std::size_t keys_per_owner = 10'000;
  std::size_t bytes_per_owner = std::size_t{256} * 1024 * 1024 / 10;
  // The time since some moment in the past, which never goes back; empty: the steady clock.
  std::function<std::chrono::nanoseconds()> clock = {};
};

// Keys in the memory of this process; they end with it. Throws std::invalid_argument for bounds
// of 0.
[[nodiscard]] std::shared_ptr<IdempotencyStore> memory_idempotency_store(
    const MemoryIdempotencyStoreOptions& options = {});

}  // namespace weft
