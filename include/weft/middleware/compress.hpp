// compress(): packs answers with zstd, brotli or gzip for the clients that take them.
//
//     app.use(weft::compress());
//
// What a client takes is what its Accept-Encoding says, weights and all. Whole answers, files and
// streams are packed alike: a stream as it is written, and flush() sends all that was written
// before, so that server-sent events arrive as they happen. Left as they are: answers that have a
// Content-Encoding or say `Cache-Control: no-transform`, parts of files, statuses without a body,
// and what is too small or of a type that does not shrink. Any thread.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "weft/middleware.hpp"

namespace weft {

// What compress() packs, and how.
struct CompressOptions {
  // The codings to use, of those a client likes equally well the first: the cheapest for as much.
  std::vector<std::string> codings = {"zstd", "br", "gzip"};
  // How hard each tries: zstd from 1 to 19, brotli from 0 to 11, gzip from 1 to 9. These are what
  // an answer that is made anew each time can pay for.
  int zstd_level = 3;
  // See zstd_level.
  int brotli_level = 4;
  // See zstd_level.
  int gzip_level = 5;
  // Shorter bodies are left alone: they fit into a packet as they are.
  std::size_t min_bytes = 1024;
  // Media types that are worth it: `type/subtype`, `type/*`, or `*+suffix`.
  std::vector<std::string> types = {"text/*",
                                    "*+json",
                                    "*+xml",
                                    "application/json",
                                    "application/javascript",
                                    "application/x-javascript",
                                    "application/ld+json",
                                    "application/x-ndjson",
                                    "application/xml",
                                    "application/wasm",
                                    "application/yaml",
                                    "application/toml",
                                    "application/rtf",
                                    "application/vnd.ms-fontobject",
                                    "font/otf",
                                    "font/ttf",
                                    "image/bmp",
                                    "image/x-icon"};
  // A whole body longer than this is packed on a thread of the pool: it takes milliseconds, for
  // which others should not wait.
  std::size_t offload_bytes = 256 * 1024;
  // Streams of one worker that are packed at a time; what comes beyond is sent as it is. Each keeps
  // up to a megabyte for as long as it lasts.
  std::size_t streams_per_worker = 256;
};

// Throws std::invalid_argument for an option that makes no sense.
[[nodiscard]] Middleware compress(const CompressOptions& options = {});

}  // namespace weft
