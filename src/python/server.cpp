// Server: a weft::App with its server, as Python has it.
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "app/middleware/passed_bodies.hpp"
#include "python/asgi.hpp"
#include "python/host.hpp"
#include "python/route.hpp"
#include "python/settings.hpp"

namespace weft::python {

namespace {

struct Parts {
  Parts(State& state, PyObject* owner) : host(state, owner) {}
  Host host;
  std::vector<std::unique_ptr<AsgiApp>> asgi_apps;
  std::vector<std::unique_ptr<NativeRoute>> routes;
};

struct Server {
  PyObject ob_base;
  Parts* parts;
};

Host& host_of(PyObject* self) noexcept { return reinterpret_cast<Server*>(self)->parts->host; }
Parts& parts_of(PyObject* self) noexcept { return *reinterpret_cast<Server*>(self)->parts; }

PyObject* make(PyTypeObject* type, PyObject* arguments, PyObject* keywords) {
  if (PyTuple_GET_SIZE(arguments) != 0 || (keywords != nullptr && PyDict_Size(keywords) != 0)) {
    PyErr_SetString(PyExc_TypeError, "Server() takes nothing");
    return nullptr;
  }
  PyObject* const self = type->tp_alloc(type, 0);
  if (self == nullptr) return nullptr;
  try {
    reinterpret_cast<Server*>(self)->parts = new Parts(state_of(type), self);
    return self;
  } catch (const std::exception& error) {
    Py_DECREF(self);
    PyErr_SetString(PyExc_RuntimeError, error.what());
    return nullptr;
  }
}

int traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  if (reinterpret_cast<Server*>(self)->parts == nullptr) return 0;
  const Parts& parts = parts_of(self);
  for (const auto& asgi : parts.asgi_apps) {
    if (const int result = asgi->traverse(visit, arg)) return result;
  }
  for (const auto& route : parts.routes) Py_VISIT(route->object());
  return parts.host.traverse(visit, arg);
}

int clear(PyObject* self) {
  if (reinterpret_cast<Server*>(self)->parts == nullptr) return 0;
  host_of(self).end();
  host_of(self).let_go();
  return 0;
}

void dealloc(PyObject* self) {
  PyObject_GC_UnTrack(self);
  clear(self);
  delete reinterpret_cast<Server*>(self)->parts;
  free_object(self);
}

// Does what may throw; conflicts of routes are ValueErrors. Null: it has raised.
template <class Function>
PyObject* guarded(const Function& function) {
  try {
    function();
    Py_RETURN_NONE;
  } catch (const std::invalid_argument& error) {
    PyErr_SetString(PyExc_ValueError, error.what());
  } catch (const std::exception& error) {
    PyErr_SetString(PyExc_RuntimeError, error.what());
  }
  return nullptr;
}

// A body in front of which nobody asks what it is packed in: an application unpacks it itself.
class BodiesAsTheyCome final : public app::PassedBodies {
 public:
  using PassedBodies::PassedBodies;
  bool unpacks_body() const noexcept override { return true; }
};

void pass_bodies_as_they_come(Context& context, Next& next) {
  http::Exchange& exchange = context.exchange();
  if (!exchange.head().head().encoded_body) [[likely]]
    return next();
  const BodiesAsTheyCome bodies(exchange);
  next();
}

PyObject* add_asgi(PyObject* self, PyObject* arguments, PyObject* keywords) {
  static const char* const kNames[] = {"app", "root_path", "path_prefix", "encoded_bodies",
                                       nullptr};
  PyObject* application = nullptr;
  PyObject* root_path = nullptr;
  const char* path_prefix = "";
  int encoded_bodies = 0;
  if (PyArg_ParseTupleAndKeywords(arguments, keywords, "O|Usp", const_cast<char**>(kNames),
                                  &application, &root_path, &path_prefix, &encoded_bodies) == 0) {
    return nullptr;
  }
  if (PyCallable_Check(application) == 0) {
    PyErr_SetString(PyExc_TypeError, "an ASGI application is a callable");
    return nullptr;
  }
  if (host_of(self).serves()) {
    PyErr_SetString(PyExc_RuntimeError, "an ASGI application is added before start()");
    return nullptr;
  }
  const Reference path = root_path != nullptr ? Reference::to(root_path) : text_of("");
  if (!path) return nullptr;
  return guarded([&] {
    Parts& parts = parts_of(self);
    auto& asgi = parts.asgi_apps.emplace_back(
        std::make_unique<AsgiApp>(parts.host, application, path.get(), path_prefix));
    const auto serve = [served = asgi.get()](Context& c) { served->serve(c); };
    if (encoded_bodies != 0) {
      parts.host.app().any("/*path", &pass_bodies_as_they_come, serve);
    } else {
      parts.host.app().any("/*path", serve);
    }
  });
}

PyObject* add_route_method(PyObject* self, PyObject* arguments) {
  const char* method = nullptr;
  const char* pattern = nullptr;
  PyObject* object = nullptr;
  State& state = state_of(Py_TYPE(self));
  if (PyArg_ParseTuple(arguments, "zsO", &method, &pattern, &object) == 0) return nullptr;
  Parts& parts = parts_of(self);
  if (parts.asgi_apps.empty()) {
    PyErr_SetString(PyExc_RuntimeError, "add_asgi() comes before add_route()");
    return nullptr;
  }
  AsgiApp* const asgi = parts.asgi_apps.front().get();
  Handler handler;
  if (object == Py_None) {
    handler = [asgi](Context& c) { asgi->serve(c); };
  } else if (PyObject_TypeCheck(object, reinterpret_cast<PyTypeObject*>(state.route_type)) != 0) {
    NativeRoute* const route =
        parts.routes.emplace_back(std::make_unique<NativeRoute>(parts.host, *asgi, object)).get();
    handler = [route](Context& c) { route->serve(c); };
  } else {
    PyErr_SetString(PyExc_TypeError, "a route is a Route, or None for the ASGI application");
    return nullptr;
  }
  return guarded([&] {
    parts.host.run_parking([&] {
      if (method == nullptr) {
        parts.host.app().any(pattern, handler);
      } else {
        parts.host.app().route(method, pattern, handler);
      }
    });
  });
}

PyObject* start(PyObject* self, PyObject* arguments, PyObject* keywords) {
  static const char* const kNames[] = {"settings", "selector_fd", "tasks", "state", nullptr};
  PyObject* settings = nullptr;
  PyObject* tasks = nullptr;
  PyObject* kept = nullptr;
  int selector_fd = -1;
  State& state = state_of(Py_TYPE(self));
  if (PyArg_ParseTupleAndKeywords(arguments, keywords, "O!iO!|O", const_cast<char**>(kNames),
                                  &PyDict_Type, &settings, &selector_fd, state.tasks_type, &tasks,
                                  &kept) == 0) {
    return nullptr;
  }
  if (kept != nullptr && kept != Py_None && PyDict_Check(kept) == 0) {
    PyErr_SetString(PyExc_TypeError, "the state of a lifespan is a dictionary");
    return nullptr;
  }
  Options options;
  // Who answers in Python may wait for as long as it likes, unless a setting says otherwise.
  options.limits.request_timeout = std::chrono::hours(24 * 365 * 10);
  if (!read_settings(settings, options)) return nullptr;
  if (options.workers != 1) {
    PyErr_SetString(PyExc_ValueError, "a Server has one worker: start further processes for more");
    return nullptr;
  }
  Parts& parts = parts_of(self);
  if (!parts.host.start(options, selector_fd, tasks)) return nullptr;
  for (const auto& asgi : parts.asgi_apps) {
    if (!asgi->prepare(kept)) return nullptr;
  }
  return text_of(parts.host.location()).release();
}

PyObject* open(PyObject* self, PyObject*) {
  if (!host_of(self).open()) return nullptr;
  Py_RETURN_NONE;
}

PyObject* select(PyObject* self, PyObject* timeout) {
  double seconds = -1;
  if (timeout != Py_None) {
    seconds = PyFloat_AsDouble(timeout);
    if (seconds == -1 && PyErr_Occurred() != nullptr) return nullptr;
    if (!(seconds > 0)) seconds = 0;
  }
  if (!host_of(self).serves()) {
    PyErr_SetString(PyExc_RuntimeError, "select() is for a Server that serves");
    return nullptr;
  }
  switch (host_of(self).select(seconds)) {
    case Host::Selected::nothing: Py_RETURN_FALSE;
    case Host::Selected::readable: Py_RETURN_TRUE;
    case Host::Selected::raised: break;
  }
  return nullptr;
}

PyObject* wake(PyObject* self, PyObject*) { return PyBool_FromLong(host_of(self).wake() ? 1 : 0); }

PyObject* drain(PyObject* self, PyObject*) {
  host_of(self).drain();
  Py_RETURN_NONE;
}

PyObject* cut_off(PyObject* self, PyObject*) {
  host_of(self).cut_off();
  Py_RETURN_NONE;
}

PyObject* wait_ended(PyObject* self, PyObject*) { return host_of(self).ended_future().release(); }

PyObject* stats(PyObject* self, PyObject*) {
  const ServerStats figures = host_of(self).stats();
  const auto number = [](std::uint64_t value) { return static_cast<unsigned long long>(value); };
  return Py_BuildValue("{sK,sK,sK,sK,sK,sK,ss}", "requests", number(figures.requests),
                       "connections_accepted", number(figures.connections_accepted),
                       "connections_open", number(figures.connections_open), "connections_refused",
                       number(figures.connections_refused), "handler_errors",
                       number(figures.handler_errors), "waiting",
                       number(figures.green_threads_parked), "backend", figures.backend.c_str());
}

PyObject* get_serves(PyObject* self, void*) {
  return PyBool_FromLong(host_of(self).serves() ? 1 : 0);
}
PyObject* get_ended(PyObject* self, void*) {
  return PyBool_FromLong(host_of(self).has_ended() ? 1 : 0);
}
PyObject* get_port(PyObject* self, void*) { return PyLong_FromLong(host_of(self).app().port()); }
PyObject* get_location(PyObject* self, void*) {
  return text_of(host_of(self).location()).release();
}

PyMethodDef kMethods[] = {
    {"add_asgi", as_method(add_asgi), METH_VARARGS | METH_KEYWORDS,
     "Has an ASGI application answer all that no other route does."},
    {"add_route", as_method(add_route_method), METH_VARARGS,
     "Adds a route, also while it serves; None in place of a Route is the ASGI application."},
    {"start", as_method(start), METH_VARARGS | METH_KEYWORDS,
     "Sets the server up; nobody is accepted before open(). Where clients will find it."},
    {"open", as_method(open), METH_NOARGS, "Accepts clients from the next select() on."},
    {"select", as_method(select), METH_O,
     "Serves until asyncio has something to do. Whether the selector has something ready."},
    {"wake", as_method(wake), METH_NOARGS,
     "Has select() look at the loop's lists; also from other threads. False: nobody is there."},
    {"drain", as_method(drain), METH_NOARGS, "Lets requests finish and then ends."},
    {"cut_off", as_method(cut_off), METH_NOARGS, "Ends without waiting for requests."},
    {"wait_ended", as_method(wait_ended), METH_NOARGS, "A future, done when the server has ended."},
    {"stats", as_method(stats), METH_NOARGS, "What it has done and is doing."},
    {nullptr, nullptr, 0, nullptr},
};

PyGetSetDef kGetters[] = {
    {"serves", get_serves, nullptr, "Whether it is between start() and its end.", nullptr},
    {"ended", get_ended, nullptr, "Whether it has served and does so no more.", nullptr},
    {"port", get_port, nullptr, "The port that it listens on; 0 where that is none.", nullptr},
    {"location", get_location, nullptr, "Where clients find it.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

PyType_Slot kSlots[] = {
    {Py_tp_new, as_slot(make)},
    {Py_tp_dealloc, as_slot(dealloc)},
    {Py_tp_traverse, as_slot(traverse)},
    {Py_tp_clear, as_slot(clear)},
    {Py_tp_methods, kMethods},
    {Py_tp_getset, kGetters},
    {Py_tp_doc, const_cast<char*>("A server with its routes, of one interpreter and thread.")},
    {0, nullptr},
};

PyType_Spec kSpec = {"weft._weft.Server", sizeof(Server), 0,
                     Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE, kSlots};

}  // namespace

bool add_server(PyObject* module, State& state) {
  return add_type(module, kSpec, state.server_type);
}

}  // namespace weft::python
