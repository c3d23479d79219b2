// State: what an interpreter's copy of the module keeps: its types, names made once, and what it
// needs of asyncio. Nothing of it is shared between interpreters.
#pragma once

#include "python/reference.hpp"

namespace weft::python {

// Names that are looked up per request, made once so that they are found by their address.
#define WEFT_PYTHON_NAMES(with)                                                                    \
  with(type, "type") with(asgi, "asgi") with(http_version, "http_version") with(server, "server")  \
      with(client, "client") with(scheme, "scheme") with(method, "method") with(                   \
          root_path, "root_path") with(path, "path") with(raw_path, "raw_path")                    \
          with(query_string, "query_string") with(headers, "headers") with(state, "state") with(   \
              status, "status") with(body, "body") with(more_body, "more_body") with(loop, "loop") \
              with(context, "context") with(eager_start, "eager_start") with(name, "name")         \
                  with(done, "done") with(result, "result") with(exception, "exception")           \
                      with(cancelled, "cancelled") with(cancel, "cancel") with(                    \
                          set_result, "set_result") with(add_done_callback, "add_done_callback")   \
                          with(create_future, "create_future") with(ready, "_ready")               \
                              with(scheduled, "_scheduled") with(stopping, "_stopping")            \
                                  with(call_exception_handler, "call_exception_handler")           \
                                      with(call_soon, "call_soon") with(message, "message")        \
                                          with(await_, "__await__") with(throw_, "throw") with(    \
                                              send, "send") with(spec_version, "spec_version")     \
                                              with(version, "version") with(file, "file")          \
                                                  with(offset, "offset") with(count, "count")      \
                                                      with(extensions, "extensions")

struct State {
#define WEFT_PYTHON_MEMBER(member, text) PyObject* member = nullptr;
  struct Names {
    WEFT_PYTHON_NAMES(WEFT_PYTHON_MEMBER)
  } names;
#undef WEFT_PYTHON_MEMBER

  // Types of the module.
  PyObject* server_type = nullptr;
  PyObject* tasks_type = nullptr;
  PyObject* call_type = nullptr;
  PyObject* awaited_type = nullptr;
  PyObject* route_type = nullptr;
  PyObject* waiting_type = nullptr;

  PyObject* task_type = nullptr;  // asyncio.Task
  PyObject* cancelled_error = nullptr;
  PyObject* done = nullptr;     // an Awaited of None that is over, for all who ask
  PyObject* nothing = nullptr;  // b""
  // Keyword names for calls.
  PyObject* task_keywords = nullptr;

  // Texts of messages.
  PyObject* http_request = nullptr;
  PyObject* http_disconnect = nullptr;
  PyObject* response_start = nullptr;
  PyObject* response_body = nullptr;
  PyObject* response_path = nullptr;
  PyObject* response_file = nullptr;
  PyObject* task_name = nullptr;
  PyObject* versions[2] = {};  // "1.0", "1.1"
  PyObject* methods[16] = {};  // by http::Method
  PyObject* json_loads = nullptr;
};

// Of the module that `type`, one of its own, belongs to.
inline State& state_of(PyTypeObject* type) noexcept {
  return *static_cast<State*>(PyType_GetModuleState(type));
}

// Each adds its types to the module; false: it has raised.
bool add_tasks(PyObject* module, State& state);
bool add_awaited(PyObject* module, State& state);
bool add_call(PyObject* module, State& state);
bool add_route(PyObject* module, State& state);
bool add_server(PyObject* module, State& state);

// Makes a type and keeps it, in the module too unless it has no name there.
inline bool add_type(PyObject* module, PyType_Spec& spec, PyObject*& kept, bool shown = true) {
  kept = PyType_FromModuleAndSpec(module, &spec, nullptr);
  if (kept == nullptr) return false;
  return !shown || PyModule_AddType(module, reinterpret_cast<PyTypeObject*>(kept)) == 0;
}

// For slots and methods, whose types C cannot say.
template <class Function>
void* as_slot(Function* function) noexcept {
  return reinterpret_cast<void*>(function);
}
template <class Function>
PyCFunction as_method(Function* function) noexcept {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(function));
}

}  // namespace weft::python
