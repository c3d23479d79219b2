// idempotency: does what a request asks for once, however often the client sends it
// (draft-ietf-httpapi-idempotency-key-header).
//
//     app.post("/payments", weft::idempotency({.required = true}), pay);
//
// A client makes up a key for what it wants done, and sends it with every try. The first one is
// handled; one that comes while it runs is answered 409, and one that comes later gets the answer
// that was given, with `Idempotency-Replayed: true`. The key with another request (method, target,
// type or body) is answered 422, a missing one where it is required, and a malformed one, 400.
// An answer of 500 or more, 408, 425 or 429, and what a handler throws but an HttpError of another
// status, gives the key back: the next try is handled. Streamed answers and files are not kept, nor
// are large ones: who tries again is told so by a 409, and nothing is done twice. All workers call
// the same object.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "weft/idempotency_store.hpp"
#include "weft/middleware.hpp"

namespace weft {

struct IdempotencyOptions {
  // Whether a request must have a key; otherwise one without is handled as if this were not there.
  bool required = false;
  // Requests of other methods are let through: by their definition they may come twice.
  std::vector<std::string> methods = {"POST", "PATCH"};
  // Where keys are kept; empty: a store in memory, of its own.
  std::shared_ptr<IdempotencyStore> store = {};
  // How long an answer is kept. Clients that were cut off try again within hours.
  std::chrono::seconds lifetime = std::chrono::hours(24);
  // How long a key is taken by one that is not heard of again: longer than any handler may take.
  std::chrono::seconds lease = std::chrono::minutes(5);
  // Whose key it is, since two clients may have made up the same, and neither must get what the
  // other was answered; empty: the name of the Identity, the Authorization field, the peer's
  // session, all three as far as they are there.
  std::function<std::string(Context&)> scope = {};
  // Who takes up the store's room, of which each may have a share; empty: the name of the Identity,
  // or else the client's address, of which a /64 of IPv6 is one. Who has neither, as behind a Unix
  // socket, has no share of his own, but all the room there is; so has an empty text. Never
  // anything that a client can make up anew for each request.
  std::function<std::string(Context&)> owner = {};
  // The key. UUIDs are 36.
  std::size_t key_bytes = 255;
  // An answer, its headers included. One beyond is not kept.
  std::size_t answer_bytes = std::size_t{64} * 1024;
  // What it is true for is let through.
  std::function<bool(Context&)> skip = {};
};

// Throws std::invalid_argument for methods that are none, times that are not positive, and bounds
// of 0.
[[nodiscard]] Middleware idempotency(const IdempotencyOptions& options = {});

}  // namespace weft
