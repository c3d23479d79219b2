// AsgiApp: an ASGI application as a server calls it: its scope's unchanging part, and Call, the
// request's object behind receive() and send().
//
// Of one host; with the interpreter's lock, but for serve(), which is a green thread's.
#pragma once

#include "python/host.hpp"

namespace weft::python {

class AsgiApp {
 public:
  // `path_prefix`, as it stands in a URL, is put in front of each path. Borrows nothing.
  AsgiApp(Host& host, PyObject* application, PyObject* root_path, std::string path_prefix) noexcept;
  ~AsgiApp();
  AsgiApp(const AsgiApp&) = delete;
  AsgiApp& operator=(const AsgiApp&) = delete;

  // Once the server's address is known, and before any request. `state` is the lifespan's, a
  // dictionary, or null. False: it has raised.
  bool prepare(PyObject* state);
  // A new scope for the request, with all that is in it. Null: it has raised.
  Reference scope_of(Context& context);
  // Answers a request, on its green thread.
  void serve(Context& context);

  // For the collector of cycles.
  int traverse(visitproc visit, void* arg) const;

  Host& host() noexcept { return host_; }
  PyObject* application() noexcept { return application_; }

 private:
  Reference address_of(const Context& context, http::Exchange& exchange, std::string_view& scheme);
  Reference fields_of(const http::HeadView& head);
  bool add_paths(PyObject* scope, std::string_view path);

  Host& host_;
  PyObject* application_;
  PyObject* root_path_;
  std::string path_prefix_;
  PyObject* template_ = nullptr;  // of the scope
  PyObject* state_ = nullptr;
  // Names of fields that have been seen, which are few.
  struct KnownName {
    PyObject* bytes = nullptr;
  };
  static constexpr std::size_t kKnownNames = 256;
  KnownName known_names_[kKnownNames];
  // Who has asked last, since a client asks more than once.
  weft::Endpoint last_client_;
  PyObject* last_client_object_ = nullptr;
};

// Has application(scope, receive, send, *further) answer the request. With the interpreter's lock,
// as Served::Handler::begin.
bool begin_call(Served& served, AsgiApp& asgi, PyObject* application, PyObject* const* further,
                std::size_t count);

}  // namespace weft::python
