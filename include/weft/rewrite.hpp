// RewriteRule: another path for requests whose path fits a pattern, before routes are looked for.
//
//     app.rewrite({{"/blog/*", "/posts/$1"}, {"/favicon.ico", "/static/icons/site.ico"}});
//
// `from` is compared with the path as it was sent, without decoding and without the query. Each `*`
// takes any text, slashes and all, even if empty, and the shorter where there is a choice. In `to`
// `$1` to `$9` are what the first to the ninth of them took, and `$$` is a dollar sign. The query
// stays as it is. The first rule that fits counts, and what it gives is not looked at again, so
// rules cannot go round in circles. Plain data.
#pragma once

#include <string>

namespace weft {

// For App::rewrite().
struct RewriteRule {
  // Begins with '/'.
  std::string from = {};
  // Begins with '/', and has no query.
  std::string to = {};
};

}  // namespace weft
