// body_limit(): how long the body of a request may be, for an App, a group or a route.
//
//     app.use(weft::body_limit(64 * 1024));
//     app.post("/upload", weft::body_limit(100 * 1024 * 1024), store);
//
// The innermost one counts, so that a route may have more than the rest, but never more than
// Limits::body_bytes: what is longer is refused before a route is looked for. Any thread.
#pragma once

#include <cstdint>

#include "weft/middleware.hpp"

namespace weft {

// Answers 413 to a body that is longer: before the handler is called where the length is announced,
// and while it is read where it comes in chunks. 0: none at all.
Middleware body_limit(std::uint64_t bytes);

}  // namespace weft
