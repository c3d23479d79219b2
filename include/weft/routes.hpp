// RouteVerbs and RouteGroup: how routes are written down, one after the other.
//
//     auto v1 = app.group("/v1");
//     v1.get("/users/{id:int}", show).del("/users/{id:int}", remove);
//     v1.group("/orders").get("", list).post("", create);
//
// Patterns are compared with the path as it was sent, without decoding. A segment is static text;
// or `{name}`, also written `:name`, which takes any segment that is not empty; or `{name:type}`,
// which takes only what fits: `int` and `uint` (decimal, within 64 bits), `uuid`, `hex`, `alpha`
// (ASCII letters). The last may be `{name:path}`, also written `*name`, which takes the rest of the
// path, slashes and all, even if empty. Where several fit, static text comes before a type (uint,
// int, uuid, hex, alpha, in this order), that before `{name}`, and that before the rest.
// Any thread, one at a time for one group; a group must not outlive its App.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "weft/context.hpp"
#include "weft/handler.hpp"

namespace weft {

class App;
class RouteGroup;

// What to do with a path that no route answers, but would with a slash more or less at its end.
enum class TrailingSlash : std::uint8_t {
  strict,    // 404
  redirect,  // sent there: 301 for GET and HEAD, for the rest 308, which keeps method and body
  ignore,    // answered as if the path had been written so
};

// The methods by name. `Self` has the functions that take any:
// route(method, pattern, handler), any(pattern, handler) and group(prefix).
template <class Self>
class RouteVerbs {
 public:
  // GET answers HEAD too, and each path OPTIONS, unless they have routes of their own.
  Self& get(std::string_view pattern, Handler handler) { return add("GET", pattern, handler); }
  Self& head(std::string_view pattern, Handler handler) { return add("HEAD", pattern, handler); }
  Self& post(std::string_view pattern, Handler handler) { return add("POST", pattern, handler); }
  Self& put(std::string_view pattern, Handler handler) { return add("PUT", pattern, handler); }
  Self& patch(std::string_view pattern, Handler handler) { return add("PATCH", pattern, handler); }
  Self& del(std::string_view pattern, Handler handler) { return add("DELETE", pattern, handler); }
  Self& options(std::string_view pattern, Handler handler) {
    return add("OPTIONS", pattern, handler);
  }

 private:
  friend Self;
  RouteVerbs() = default;

  Self& add(std::string_view method, std::string_view pattern, Handler& handler) {
    return static_cast<Self&>(*this).route(method, pattern, std::move(handler));
  }
};

// Routes whose patterns begin alike; a value that refers to its App. The pattern "" is the prefix
// itself.
class RouteGroup : public RouteVerbs<RouteGroup> {
 public:
  RouteGroup& route(std::string_view method, std::string_view pattern, Handler handler);
  RouteGroup& any(std::string_view pattern, Handler handler);
  RouteGroup group(std::string_view prefix) const;

 private:
  friend class App;
  RouteGroup(App& app, std::string prefix) : app_(&app), prefix_(std::move(prefix)) {}

  std::string whole(std::string_view pattern) const;

  App* app_;
  std::string prefix_;  // empty, or without a slash at its end
};

}  // namespace weft
