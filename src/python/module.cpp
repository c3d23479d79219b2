// The module weft._weft: made anew in each interpreter, with a state of its own and no globals, so
// that interpreters with locks of their own may have it.
#include <string>

#include "http/method.hpp"
#include "python/json.hpp"
#include "python/state.hpp"
#include "weft/version.hpp"

namespace weft::python {

namespace {

State& state_in(PyObject* module) noexcept {
  return *static_cast<State*>(PyModule_GetState(module));
}

bool make_names(State& state) {
#define WEFT_PYTHON_MAKE(member, text)                   \
  state.names.member = PyUnicode_InternFromString(text); \
  if (state.names.member == nullptr) return false;
  WEFT_PYTHON_NAMES(WEFT_PYTHON_MAKE)
#undef WEFT_PYTHON_MAKE
  return true;
}

bool make_texts(State& state) {
  const auto make = [](PyObject*& kept, const char* text) {
    kept = PyUnicode_InternFromString(text);
    return kept != nullptr;
  };
  for (std::size_t i = 0; i <= http::method_count; ++i) {
    const std::string name(http::name(static_cast<http::Method>(i)));
    if (!make(state.methods[i], name.c_str())) return false;
  }
  state.nothing = PyBytes_FromStringAndSize("", 0);
  return state.nothing != nullptr && make(state.http_request, "http.request") &&
         make(state.http_disconnect, "http.disconnect") &&
         make(state.response_start, "http.response.start") &&
         make(state.response_body, "http.response.body") &&
         make(state.response_path, "http.response.pathsend") &&
         make(state.response_file, "http.response.zerocopysend") &&
         make(state.task_name, "weft request") && make(state.versions[0], "1.0") &&
         make(state.versions[1], "1.1");
}

bool find_asyncio(State& state) {
  const Reference asyncio(PyImport_ImportModule("asyncio"));
  if (!asyncio) return false;
  state.task_type = PyObject_GetAttrString(asyncio.get(), "Task");
  state.cancelled_error = PyObject_GetAttrString(asyncio.get(), "CancelledError");
#if PY_VERSION_HEX >= 0x030C0000
  state.task_keywords =
      PyTuple_Pack(3, state.names.loop, state.names.name, state.names.eager_start);
#else
  state.task_keywords = PyTuple_Pack(2, state.names.loop, state.names.name);
#endif
  return state.task_type != nullptr && state.cancelled_error != nullptr &&
         state.task_keywords != nullptr;
}

int execute(PyObject* module) {
  State& state = state_in(module);
  const bool made =
      make_names(state) && make_texts(state) && find_asyncio(state) && add_tasks(module, state) &&
      add_awaited(module, state) && add_call(module, state) && add_route(module, state) &&
      add_server(module, state) &&
      PyModule_AddStringConstant(module, "__version__", std::string(version()).c_str()) == 0;
  return made ? 0 : -1;
}

// Calls visit(pointer) for all that a state keeps.
template <class Visit>
int for_each_kept(State& state, const Visit& visit) {
#define WEFT_PYTHON_VISIT(member, text) \
  if (const int result = visit(state.names.member)) return result;
  WEFT_PYTHON_NAMES(WEFT_PYTHON_VISIT)
#undef WEFT_PYTHON_VISIT
  for (PyObject** const kept :
       {&state.server_type,     &state.tasks_type,      &state.call_type,
        &state.awaited_type,    &state.route_type,      &state.waiting_type,
        &state.task_type,       &state.cancelled_error, &state.done,
        &state.nothing,         &state.task_keywords,   &state.http_request,
        &state.http_disconnect, &state.response_start,  &state.response_body,
        &state.response_path,   &state.response_file,   &state.task_name,
        &state.versions[0],     &state.versions[1],     &state.json_loads}) {
    if (const int result = visit(*kept)) return result;
  }
  for (PyObject*& method : state.methods) {
    if (const int result = visit(method)) return result;
  }
  return 0;
}

int traverse(PyObject* module, visitproc visit, void* arg) {
  void* const state = PyModule_GetState(module);
  if (state == nullptr) return 0;
  return for_each_kept(*static_cast<State*>(state), [&](PyObject*& kept) {
    Py_VISIT(kept);
    return 0;
  });
}

int clear(PyObject* module) {
  void* const state = PyModule_GetState(module);
  if (state == nullptr) return 0;
  return for_each_kept(*static_cast<State*>(state), [](PyObject*& kept) {
    drop(kept);
    return 0;
  });
}

void free_module(void* module) { clear(static_cast<PyObject*>(module)); }

PyMethodDef kFunctions[] = {
    {"json_dumps", as_method(json_dumps), METH_VARARGS | METH_KEYWORDS,
     "JSON as UTF-8, without spaces."},
    {nullptr, nullptr, 0, nullptr},
};

PyModuleDef_Slot kSlots[] = {
    {Py_mod_exec, as_slot(execute)},
#if PY_VERSION_HEX >= 0x030C0000
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
    {0, nullptr},
};

PyModuleDef kModule = {
    PyModuleDef_HEAD_INIT,
    "_weft",
    "What weft does for Python.",
    sizeof(State),
    kFunctions,
    kSlots,
    traverse,
    clear,
    free_module,
};

}  // namespace

}  // namespace weft::python

PyMODINIT_FUNC PyInit__weft() { return PyModuleDef_Init(&weft::python::kModule); }
