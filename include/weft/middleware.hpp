// Middleware: a function around handlers, that runs before and after them, or in their place.
//
//     app.use([](weft::Context& c, weft::Next& next) {
//       c.set_header("x-frame-options", "DENY");   // before
//       next();                                    // the rest of the chain, and the handler
//       log(c.path(), c.answer().status());        // after
//     });
//
// Straight-line code, as handlers are: next() returns when the handler has ended, also one that is
// a coroutine or answers later. A middleware that does not call it answers by itself. What the rest
// throws comes out of next(); a middleware that catches it must let weft::Cancelled pass.
// All workers call the same object.
#pragma once

#include <concepts>
#include <cstddef>
#include <functional>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

#include "weft/handler.hpp"

namespace weft {

class Context;
class Next;
class RouteDescription;

// What runs around a handler: anything that can be called with (Context&, Next&).
class Middleware {
 public:
  // The function it is kept as.
  using Function = std::function<void(Context&, Next&)>;

  // Takes any such function object. An empty std::function is refused where it is used.
  template <class F>
    requires(!std::same_as<std::remove_cvref_t<F>, Middleware> &&
             std::invocable<std::decay_t<F>&, Context&, Next&>)
  Middleware(F&& function) : function_(std::forward<F>(function)) {
    static_assert(detail::kIsNoAnswer<std::invoke_result_t<std::decay_t<F>&, Context&, Next&>>,
                  "what this middleware returns would be dropped: it answers through its Context&, "
                  "and is no coroutine, for next() waits as it is");
  }

  // Runs it.
  void operator()(Context& context, Next& next) const { function_(context, next); }
  // Whether there is a function to run.
  explicit operator bool() const noexcept { return static_cast<bool>(function_); }

 private:
  Function function_;
};

namespace app {
struct RouteEntry;
}

// The rest of a chain, as a middleware sees it. Ends with the call of the middleware.
class Next {
 public:
  // For the server: what comes behind the first `done` links of the entry's chain.
  Next(app::RouteEntry& entry, std::size_t done, Context& context) noexcept
      : entry_(entry), done_(done), context_(context) {}
  Next(const Next&) = delete;
  Next& operator=(const Next&) = delete;

  // Runs the rest and returns when it has ended. Once: a second call throws std::logic_error.
  void operator()();
  // Whether it has been called.
  bool called() const noexcept { return called_; }

 private:
  app::RouteEntry& entry_;
  std::size_t done_;
  Context& context_;
  bool called_ = false;
};

namespace detail {

struct Placement;

template <class T>
concept MiddlewareLike = std::same_as<std::remove_cvref_t<T>, Middleware> ||
                         std::invocable<std::decay_t<T>&, Context&, Next&>;

// What a route is made of besides its method and pattern.
struct RouteParts {
  std::vector<Middleware> links;
  Handler handler;
  std::shared_ptr<RouteDescription> description;  // null: the route says nothing of itself
  std::shared_ptr<const Placement> placement;     // null: nor where its handler runs

  template <class Part>
  void add(Part&& part) {
    if constexpr (requires { part.add_to(*this); }) {
      part.add_to(*this);
    } else if constexpr (MiddlewareLike<Part>) {
      links.emplace_back(std::forward<Part>(part));
    } else if constexpr (std::constructible_from<Handler, Part>) {
      handler = Handler(std::forward<Part>(part));
    } else {
      static_assert(std::constructible_from<Handler, Part>,
                    "a route takes middleware, called with (Context&, Next&), and last a handler, "
                    "called with (Context&); a function with types of its own is wrapped: "
                    "weft::typed(...)");
    }
  }
};

// Middleware and what describes the route first, and a handler last.
template <class... Parts>
RouteParts route_parts(Parts&&... parts) {
  RouteParts made;
  (made.add(std::forward<Parts>(parts)), ...);
  return made;
}

template <class... Parts>
std::vector<Middleware> links_of(Parts&&... parts) {
  static_assert((MiddlewareLike<Parts> && ...),
                "middleware is called with (weft::Context&, weft::Next&)");
  std::vector<Middleware> links;
  if constexpr ((MiddlewareLike<Parts> && ...)) {
    links.reserve(sizeof...(parts));
    (links.emplace_back(std::forward<Parts>(parts)), ...);
  }
  return links;
}

}  // namespace detail

}  // namespace weft
