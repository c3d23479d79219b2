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
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weft/context.hpp"
#include "weft/handler.hpp"
#include "weft/middleware.hpp"
#include "weft/middleware/static_files.hpp"
#include "weft/worker_routes.hpp"

namespace weft {

class App;
class RouteGroup;
class RouteDescription;
struct RouteNotes;

// What to do with a path that no route answers, but would with a slash more or less at its end.
enum class TrailingSlash : std::uint8_t {
  strict,    // 404
  redirect,  // sent there: 301 for GET and HEAD, for the rest 308, which keeps method and body
  ignore,    // answered as if the path had been written so
};

// The methods by name. Each takes a pattern, then middleware of the route's own, if any, and last
// the handler:
//
//     app.get("/private", weft::basic_auth(check), show);
//
// What describes the route (route_description.hpp) may stand before the handler, too.
// `Self` has add(method, pattern, parts) for one method, or all.
template <class Self>
class RouteVerbs {
 public:
  // Adds a route for a method, in capitals, one that HTTP itself defines.
  template <class... Parts>
  Self& route(std::string_view method, std::string_view pattern, Parts&&... parts) {
    return with(method, pattern, std::forward<Parts>(parts)...);
  }
  // GET answers HEAD too, and each path OPTIONS, unless they have routes of their own.
  template <class... Parts>
  Self& get(std::string_view pattern, Parts&&... parts) {
    return with("GET", pattern, std::forward<Parts>(parts)...);
  }
  // Each is route() for the method it is named for.
  template <class... Parts>
  Self& head(std::string_view pattern, Parts&&... parts) {
    return with("HEAD", pattern, std::forward<Parts>(parts)...);
  }
  template <class... Parts>
  Self& post(std::string_view pattern, Parts&&... parts) {
    return with("POST", pattern, std::forward<Parts>(parts)...);
  }
  template <class... Parts>
  Self& put(std::string_view pattern, Parts&&... parts) {
    return with("PUT", pattern, std::forward<Parts>(parts)...);
  }
  template <class... Parts>
  Self& patch(std::string_view pattern, Parts&&... parts) {
    return with("PATCH", pattern, std::forward<Parts>(parts)...);
  }
  template <class... Parts>
  Self& del(std::string_view pattern, Parts&&... parts) {
    return with("DELETE", pattern, std::forward<Parts>(parts)...);
  }
  template <class... Parts>
  Self& options(std::string_view pattern, Parts&&... parts) {
    return with("OPTIONS", pattern, std::forward<Parts>(parts)...);
  }
  // For every method that the pattern has no route of its own for, added before or after; but
  // TRACE and CONNECT.
  template <class... Parts>
  Self& any(std::string_view pattern, Parts&&... parts) {
    return with(std::nullopt, pattern, std::forward<Parts>(parts)...);
  }
  // The files of a folder, beneath a path: `files("/assets", "dist/assets")`. Routes that are more
  // exact come first, so that "/" may be all the rest. See static_files.hpp for the options.
  Self& files(std::string_view path, const std::string& folder, const StaticOptions& options = {}) {
    const auto handler = file_handler(folder, options);
    while (path.ends_with('/')) path.remove_suffix(1);
    const std::string base(path);
    if (!base.empty()) with("GET", base, on_loop(), handler);
    return with("GET", base + "/*path", on_loop(), handler);
  }

 private:
  friend Self;
  RouteVerbs() = default;

  template <class... Parts>
  Self& with(std::optional<std::string_view> method, std::string_view pattern, Parts&&... parts) {
    static_assert(sizeof...(Parts) > 0, "a route needs a handler");
    auto& self = static_cast<Self&>(*this);
    self.add(method, pattern, detail::route_parts(std::forward<Parts>(parts)...));
    return self;
  }
};

// Routes whose patterns begin alike; a value that refers to its App. The pattern "" is the prefix
// itself.
class RouteGroup : public RouteVerbs<RouteGroup> {
 public:
  // Routes below a longer prefix, with all middleware that this group has so far, and more.
  template <class... Links>
  RouteGroup group(std::string_view prefix, Links&&... links) const {
    return below(prefix, detail::links_of(std::forward<Links>(links)...));
  }
  // What is said of all routes that are added to this group from now on, for documents; see
  // route_description.hpp. Their tags come before a route's own.
  RouteGroup& describe(const RouteNotes& notes);
  // The same with what they all take and answer: describe_route({.tags = {"books"}}).error(401).
  // What a route says of a status counts for it. Throws std::invalid_argument for a body or a value
  // of the path, which are a route's own.
  RouteGroup& describe(const RouteDescription& description);
  // The handlers of all routes that are added to this group from now on run on the pool, but for
  // those of routes that say otherwise; see worker_routes.hpp.
  RouteGroup& worker(const WorkerOptions& options = {});
  // Middleware for the routes that are added to this group from now on, and for requests below its
  // prefix that no route fits.
  template <class... Links>
  RouteGroup& use(Links&&... links) {
    extend(detail::links_of(std::forward<Links>(links)...));
    return *this;
  }

 private:
  friend class App;
  friend class RouteVerbs<RouteGroup>;
  RouteGroup(App& app, std::string prefix, std::vector<Middleware> links);

  void add(std::optional<std::string_view> method, std::string_view pattern,
           detail::RouteParts parts);
  void extend(std::vector<Middleware> links);
  RouteGroup below(std::string_view prefix, std::vector<Middleware> links) const;
  std::string whole(std::string_view pattern) const;

  App* app_;
  std::string prefix_;  // empty, or without a slash at its end
  std::vector<Middleware> links_;
  std::shared_ptr<const RouteDescription> described_;   // null: nothing is said
  std::shared_ptr<const detail::Placement> placement_;  // null: as the App's settings say
};

}  // namespace weft
