// NativeRoute: a route whose handler is called by the server itself, with arguments out of the path
// and the query, and whose plain results it answers itself.
//
// What is not plain is Python's: a request whose values do not fit goes to the ASGI application,
// which says what is wrong; a result or an exception goes to the route's complete().
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "python/asgi.hpp"

namespace weft::python {

class NativeRoute {
 public:
  enum class Source : std::uint8_t { path, query };
  enum class Kind : std::uint8_t { text, integer, real, boolean };
  struct Parameter {
    std::string key;
    Source source = Source::path;
    Kind kind = Kind::text;
    bool is_list = false;
    bool is_required = true;
    PyObject* fallback = nullptr;  // kept
  };

  // Of an object of type Route, which is kept.
  NativeRoute(Host& host, AsgiApp& asgi, PyObject* route);
  ~NativeRoute();
  NativeRoute(const NativeRoute&) = delete;
  NativeRoute& operator=(const NativeRoute&) = delete;

  // Answers a request, on its green thread.
  void serve(Context& context);

  AsgiApp& asgi() noexcept { return asgi_; }
  PyObject* object() noexcept { return route_; }

 private:
  Host& host_;
  AsgiApp& asgi_;
  PyObject* route_;
};

}  // namespace weft::python
