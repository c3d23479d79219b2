// What a shared cache may keep of an answer, and for how long (RFC 9111 §3, §4.2).
//
// Functions of their arguments alone; any thread.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/head_parser.hpp"
#include "http/response.hpp"

namespace weft::app {

// What the Cache-Control of an answer says that matters here.
struct CacheDirectives {
  bool forbidden = false;  // no-store, no-cache, private, or one that is malformed
  bool is_public = false;  // for requests with credentials, too (§3.5)
  std::optional<std::chrono::seconds> max_age;
  std::optional<std::chrono::seconds> shared_max_age;
  std::optional<std::chrono::seconds> stale_while_revalidate;

  void add(std::string_view value);
};

// How long and how an answer may be kept; nothing when it may not.
struct CachePermission {
  std::chrono::milliseconds fresh{0};
  std::chrono::milliseconds stale{0};  // behind that
  bool is_public = false;
  std::vector<std::string> vary;  // in lower case
};
std::optional<CachePermission> permission_to_keep(const http::Response& response,
                                                  std::chrono::milliseconds ttl,
                                                  std::chrono::milliseconds stale);

// Whether a request says so in its Cache-Control.
[[nodiscard]] bool request_says(const http::HeadView& head, std::string_view directive);

}  // namespace weft::app
