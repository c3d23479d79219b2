// decompress(): unpacks request bodies that come in gzip, deflate, brotli or zstd.
//
//     app.use(weft::decompress());
//
// Handlers read what was packed, whole or as a stream, as if it had come that way. Without this a
// body with a Content-Encoding is answered 415, also where it is read outside of this: so put it
// before all that reads bodies. Few bytes can unpack to very many; what is unpacked is bounded as
// it comes, and nothing is kept of what is beyond. Header fields stay as the client sent them: the
// Content-Length, too, is that of the packed body. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "weft/middleware.hpp"

namespace weft {

// What decompress() unpacks, and how much of it.
struct DecompressOptions {
  // The codings that are taken; another, or one on top of another, is answered 415.
  std::vector<std::string> codings = {"gzip", "deflate", "br", "zstd"};
  // What a body may unpack to; more is answered 413. Limits::body_bytes and body_limit() hold for
  // it, too, so that the least of them counts.
  std::uint64_t max_bytes = 8 * 1024 * 1024;
  // How many times longer than the packed body it may be; more is answered 413. Text of people and
  // programs comes to 3 to 30, a bomb to 1000 and more.
  std::uint64_t max_ratio = 100;
  // The ratio is not looked at before so much was unpacked: what is short can be all blanks.
  std::uint64_t ratio_from_bytes = 256 * 1024;
  // Bodies that are unpacked at a time, on all workers; more are answered 503. Each keeps up to 16
  // MiB while it lasts, as its client wants, of which no more is touched than it unpacks to.
  std::size_t at_a_time = 128;
};

// Throws std::invalid_argument for an option that makes no sense.
[[nodiscard]] Middleware decompress(const DecompressOptions& options = {});

}  // namespace weft
