// static_files(): the files of a folder as answers, in front of routes or as a route of their own.
//
//     app.use(weft::static_files("public"));       // what fits no file goes on to the routes
//     app.files("/assets", "dist/assets");         // or as routes, beneath a path
//
// Only what is beneath the folder is given, whatever links or names lead elsewhere; hidden files
// never are. Files have ETag and Last-Modified, and conditional requests and those for one range
// are answered as they should be. A folder without the slash at its end is redirected to the one
// with it. The folder is looked up once, when this is called. Any thread.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "weft/middleware.hpp"

namespace weft {

// How long those files may be kept whose path beneath the folder fits.
struct StaticCacheRule {
  // `*` stands for any characters, slashes too: "*.js", "assets/*".
  std::string pattern = {};
  // The Cache-Control: "public, max-age=31536000, immutable" for names that change with the
  // content.
  std::string cache_control = {};
};

// What files are served, and how.
struct StaticOptions {
  // Of static_files() alone: where in the URL the folder is; "/assets". Empty: everywhere.
  std::string prefix = {};
  // The files that stand for their folder, the first that is there. Empty: none do.
  std::vector<std::string> index = {"index.html"};
  // Show what is in a folder without such a file, to whoever asks.
  bool listing = false;
  // A folder of more is not shown: its page is of no use to people, and takes a megabyte.
  std::size_t listing_entries = 10'000;
  // Look for NAME.br, NAME.zst and NAME.gz beside a file, and give clients that take it such a one
  // instead. They are taken to hold what the file does. Costs up to three looks for each request.
  bool precompressed = false;
  // The Cache-Control of files that no rule fits; empty: none.
  std::string cache_control = {};
  // The first whose pattern fits counts, over cache_control.
  std::vector<StaticCacheRule> cache_rules = {};
  // The file for paths that nothing else answers, if they look like pages (no dot in the last part)
  // and the client takes HTML: of an application that has its routes in the browser.
  std::string fallback = {};
  // Content types by the end of a name, without the dot and in lower case, over those that are
  // known: {{"glb", "model/gltf-binary"}}.
  std::vector<std::pair<std::string, std::string>> types = {};
  // Serve what is in /.well-known/ (RFC 8615), too, though its name is that of a hidden file.
  bool well_known = false;
};

// Answers GET and HEAD with the file of that path, and has all else go on. A fallback is given
// where no route has fit. Throws std::invalid_argument for an option that makes no sense, and
// std::runtime_error when the folder cannot be opened.
[[nodiscard]] Middleware static_files(const std::string& folder, const StaticOptions& options = {});

// The handler of a route that ends in `*path`, which is the path beneath the folder; 404 where
// there is no file. RouteVerbs::files() adds such routes. Throws as static_files() does.
[[nodiscard]] std::function<void(Context&)> file_handler(const std::string& folder,
                                                         const StaticOptions& options = {});

}  // namespace weft
