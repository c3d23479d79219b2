// etag(): gives whole answers an ETag, and clients that have them already a 304.
//
//     app.use(weft::etag());
//
// For GET and HEAD with the status 200. The tag is a hash of the body, which is made all the same:
// what is saved is sending it. A tag that a handler has set stays, and is what is compared then.
// If-None-Match is answered 304, a failed If-Match 412. Streams and files are left alone. Any
// thread.
#pragma once

#include "weft/middleware.hpp"

namespace weft {

// How etag() tags.
struct EtagOptions {
  // Tags that promise the same meaning, and not the same bytes: where what is in front of the
  // server packs answers, say.
  bool weak = false;
};

// Makes the middleware.
[[nodiscard]] Middleware etag(const EtagOptions& options = {});

}  // namespace weft
