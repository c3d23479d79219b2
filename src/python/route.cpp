#include "python/route.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <optional>

#include "http/query.hpp"
#include "http/uri.hpp"
#include "python/json.hpp"
#include "python/tasks.hpp"

namespace weft::python {

namespace {

using Kind = NativeRoute::Kind;
using Source = NativeRoute::Source;
using Parameter = NativeRoute::Parameter;

constexpr int kOk = 200;
constexpr int kNoContent = 204;
// Longer names, and more of them, are no route's; what is bound stands on the stack.
constexpr std::size_t kMostParameters = 32;

struct Route {
  PyObject ob_base;
  PyObject* handler;
  PyObject* complete;
  PyObject* otherwise;  // of JSON
  PyObject* names;      // of the arguments, as a call wants them
  std::vector<Parameter>* parameters;
  int status;  // 0: as it comes
  bool is_async;
};

Route& of(PyObject* self) noexcept { return *reinterpret_cast<Route*>(self); }

int traverse(PyObject* self, visitproc visit, void* arg) {
  const Route& route = of(self);
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(route.handler);
  Py_VISIT(route.complete);
  Py_VISIT(route.otherwise);
  Py_VISIT(route.names);
  if (route.parameters == nullptr) return 0;
  for (const Parameter& parameter : *route.parameters) Py_VISIT(parameter.fallback);
  return 0;
}

int clear(PyObject* self) {
  Route& route = of(self);
  drop(route.handler);
  drop(route.complete);
  drop(route.otherwise);
  drop(route.names);
  if (route.parameters == nullptr) return 0;
  for (Parameter& parameter : *route.parameters) drop(parameter.fallback);
  return 0;
}

void dealloc(PyObject* self) {
  PyObject_GC_UnTrack(self);
  clear(self);
  delete of(self).parameters;
  free_object(self);
}

// "int" or "int[]". False where it is none.
bool read_kind(std::string_view text, Parameter& parameter) {
  parameter.is_list = text.ends_with("[]");
  if (parameter.is_list) text.remove_suffix(2);
  if (text == "str") {
    parameter.kind = Kind::text;
  } else if (text == "int") {
    parameter.kind = Kind::integer;
  } else if (text == "float") {
    parameter.kind = Kind::real;
  } else if (text == "bool") {
    parameter.kind = Kind::boolean;
  } else {
    return false;
  }
  return true;
}

bool read_parameter(PyObject* entry, Route& route, Py_ssize_t index) {
  PyObject* name = nullptr;
  const char* source = nullptr;
  const char* key = nullptr;
  const char* kind = nullptr;
  int is_required = 0;
  PyObject* fallback = nullptr;
  if (PyTuple_Check(entry) == 0 || PyArg_ParseTuple(entry, "UsssiO", &name, &source, &key, &kind,
                                                    &is_required, &fallback) == 0) {
    PyErr_SetString(PyExc_TypeError,
                    "a plan is made of tuples (name, source, key, kind, required, default)");
    return false;
  }
  Parameter parameter;
  parameter.key = key;
  parameter.is_required = is_required != 0;
  const std::string_view where = source;
  if (!read_kind(kind, parameter) || (where != "path" && where != "query")) {
    PyErr_Format(PyExc_ValueError, "a plan has no %s from %s", kind, source);
    return false;
  }
  parameter.source = where == "path" ? Source::path : Source::query;
  PyObject* interned = Py_NewRef(name);
  PyUnicode_InternInPlace(&interned);
  PyTuple_SET_ITEM(route.names, index, interned);
  parameter.fallback = Py_NewRef(fallback);
  route.parameters->push_back(parameter);
  return true;
}

int init(PyObject* self, PyObject* arguments, PyObject* keywords) {
  static const char* const kNames[] = {"handler", "plan",    "is_async", "complete",
                                       "status",  "default", nullptr};
  PyObject* handler = nullptr;
  PyObject* plan = nullptr;
  PyObject* complete = nullptr;
  PyObject* otherwise = Py_None;
  int is_async = 0;
  int status = 0;
  if (PyArg_ParseTupleAndKeywords(arguments, keywords, "OO!pO|iO", const_cast<char**>(kNames),
                                  &handler, &PyTuple_Type, &plan, &is_async, &complete, &status,
                                  &otherwise) == 0) {
    return -1;
  }
  Route& route = of(self);
  if (route.parameters != nullptr || PyTuple_GET_SIZE(plan) > Py_ssize_t{kMostParameters} ||
      PyCallable_Check(handler) == 0 || PyCallable_Check(complete) == 0 ||
      (status != 0 && (status < 200 || status > 599))) {
    PyErr_SetString(PyExc_ValueError,
                    "a Route has a handler, complete(), at most 32 parameters, and a status from "
                    "200 to 599 or none");
    return -1;
  }
  route.parameters = new std::vector<Parameter>();
  route.handler = Py_NewRef(handler);
  route.complete = Py_NewRef(complete);
  route.otherwise = Py_NewRef(otherwise);
  route.is_async = is_async != 0;
  route.status = status;
  route.names = PyTuple_New(PyTuple_GET_SIZE(plan));
  if (route.names == nullptr) return -1;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(plan); ++i) {
    if (!read_parameter(PyTuple_GET_ITEM(plan, i), route, i)) return -1;
  }
  return 0;
}

// ---- Arguments

// What has become of a value: it is there; it does not fit, which Python tells the client; or an
// exception is raised.
enum class Bound : std::uint8_t { fits, unfit, raised };

std::optional<std::string_view> decoded(std::string_view raw, http::UriPart part,
                                        std::string& kept) {
  if (http::is_plain(raw, part)) return raw;
  auto text = http::percent_decode(raw, part);
  if (!text) return std::nullopt;
  kept = std::move(*text);
  return kept;
}

Bound convert_integer(std::string_view text, Reference& value) {
  constexpr std::size_t kMostDigits = 18;
  const bool is_signed = !text.empty() && (text.front() == '-' || text.front() == '+');
  const bool is_negative = is_signed && text.front() == '-';
  if (is_signed) text.remove_prefix(1);
  if (text.empty() || text.size() > kMostDigits) return Bound::unfit;
  long long number = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  // A second sign would be read, too.
  if (read.ec != std::errc() || read.ptr != text.data() + text.size() || text.front() == '-') {
    return Bound::unfit;
  }
  value = Reference(PyLong_FromLongLong(is_negative ? -number : number));
  return value ? Bound::fits : Bound::raised;
}

Bound convert_real(std::string_view text, Reference& value) {
  constexpr std::size_t kLongest = 40;
  const auto is_plain = [](char c) {
    return (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '+' || c == 'e' || c == 'E';
  };
  if (text.empty() || text.size() > kLongest || !std::ranges::all_of(text, is_plain)) {
    return Bound::unfit;
  }
  const std::string terminated(text);
  const double number = PyOS_string_to_double(terminated.c_str(), nullptr, nullptr);
  if (number == -1.0 && PyErr_Occurred() != nullptr) {
    PyErr_Clear();
    return Bound::unfit;
  }
  value = Reference(PyFloat_FromDouble(number));
  return value ? Bound::fits : Bound::raised;
}

Bound convert_boolean(std::string_view text, Reference& value) {
  constexpr std::array<std::string_view, 6> kTrue{"true", "1", "on", "yes", "t", "y"};
  constexpr std::array<std::string_view, 6> kFalse{"false", "0", "off", "no", "f", "n"};
  if (std::ranges::find(kTrue, text) != kTrue.end()) {
    value = Reference::to(Py_True);
  } else if (std::ranges::find(kFalse, text) != kFalse.end()) {
    value = Reference::to(Py_False);
  } else {
    return Bound::unfit;
  }
  return Bound::fits;
}

Bound convert(Kind kind, std::string_view raw, http::UriPart part, Reference& value) {
  std::string kept;
  const auto text = decoded(raw, part, kept);
  if (!text) return Bound::unfit;
  switch (kind) {
    case Kind::integer: return convert_integer(*text, value);
    case Kind::real: return convert_real(*text, value);
    case Kind::boolean: return convert_boolean(*text, value);
    case Kind::text: break;
  }
  value =
      Reference(PyUnicode_DecodeUTF8(text->data(), static_cast<Py_ssize_t>(text->size()), nullptr));
  if (value) return Bound::fits;
  PyErr_Clear();
  return Bound::unfit;
}

Bound bind_list(const Parameter& parameter, const http::Query& query, Reference& value) {
  value = Reference(PyList_New(0));
  if (!value) return Bound::raised;
  Bound outcome = Bound::fits;
  query.for_each_raw(parameter.key, [&](std::string_view raw) {
    Reference item;
    if (outcome == Bound::fits) {
      outcome = convert(parameter.kind, raw, http::UriPart::query, item);
    }
    if (outcome == Bound::fits && PyList_Append(value.get(), item.get()) != 0) {
      outcome = Bound::raised;
    }
  });
  if (outcome != Bound::fits || PyList_GET_SIZE(value.get()) > 0) return outcome;
  if (parameter.is_required) return Bound::unfit;
  value = Reference::to(parameter.fallback);
  return Bound::fits;
}

Bound bind_one(const Parameter& parameter, http::Exchange& exchange, Reference& value) {
  if (parameter.source == Source::path) {
    const auto raw = exchange.params().find(parameter.key);
    if (!raw) return Bound::unfit;
    return convert(parameter.kind, *raw, http::UriPart::path, value);
  }
  const http::Query query(exchange.head().query());
  if (parameter.is_list) return bind_list(parameter, query, value);
  std::optional<std::string_view> found;
  bool is_alone = true;
  query.for_each_raw(parameter.key, [&](std::string_view raw) {
    is_alone = !found;
    found = raw;
  });
  if (!found && !parameter.is_required) {
    value = Reference::to(parameter.fallback);
    return Bound::fits;
  }
  // Which of several counts, and what nothing means, is for Python to say.
  if (!found || !is_alone || found->empty()) return Bound::unfit;
  return convert(parameter.kind, *found, http::UriPart::query, value);
}

struct Arguments {
  std::array<Reference, kMostParameters> values;
  std::array<PyObject*, kMostParameters> pointers;

  Bound bind(const Route& route, http::Exchange& exchange) {
    for (std::size_t i = 0; i < route.parameters->size(); ++i) {
      const Bound outcome = bind_one((*route.parameters)[i], exchange, values[i]);
      if (outcome != Bound::fits) return outcome;
      pointers[i] = values[i].get();
    }
    return Bound::fits;
  }
};

// ---- Results

void answer(Served& served, int status, std::string_view type, std::string_view body) {
  http::Response& response = served.exchange().response();
  response.status = status;
  if (!type.empty() && !response.content_type_chosen) response.content_type = type;
  response.body.assign(body);
  served.finish();
}

// Whether it was one that is answered here.
bool answer_plain(Served& served, const Route& route, PyObject* result) {
  const int status = route.status != 0 ? route.status : kOk;
  if (PyUnicode_CheckExact(result) != 0) {
    const std::string_view text = view_of_text(result);
    if (text.data() == nullptr) {
      PyErr_Clear();
      return false;
    }
    answer(served, status, "text/plain; charset=utf-8", text);
    return true;
  }
  if (PyBytes_CheckExact(result) != 0) {
    answer(served, status, "application/octet-stream", view_of_bytes(result));
    return true;
  }
  if (result == Py_None) {
    answer(served, route.status != 0 ? route.status : kNoContent, {}, {});
    return true;
  }
  if (PyDict_CheckExact(result) == 0 && PyList_CheckExact(result) == 0 &&
      PyLong_CheckExact(result) == 0 && PyFloat_CheckExact(result) == 0 &&
      PyBool_Check(result) == 0) {
    return false;
  }
  std::string& out = served.host().scratch();
  out.clear();
  if (!write_json(result, route.otherwise, out)) {
    // It is told again, and better, by who answers the rest.
    PyErr_Clear();
    return false;
  }
  answer(served, status, "application/json", out);
  constexpr std::size_t kMostKept = 64 * 1024;
  if (out.capacity() > kMostKept) std::string().swap(out);
  return true;
}

NativeRoute& route_of(Served& served) noexcept {
  return *static_cast<NativeRoute*>(served.route());
}

// Has the route's complete(scope, receive, send, result, error) answer.
bool complete(Served& served, PyObject* result, PyObject* error) {
  NativeRoute& native = route_of(served);
  PyObject* const further[] = {result, error};
  return begin_call(served, native.asgi(), of(native.object()).complete, further, 2);
}

// False: an exception is raised that is the loop's.
bool handle_exception(Served& served) {
  if (PyErr_ExceptionMatches(PyExc_Exception) == 0 &&
      PyErr_ExceptionMatches(served.host().state().cancelled_error) == 0) {
    served.fail("the server has been interrupted");
    return false;
  }
  const Reference error = take_raised();
  return complete(served, Py_None, error.get());
}

bool handle_result(Served& served, const Route& route, PyObject* result) {
  if (answer_plain(served, route, result)) return true;
  return complete(served, result, Py_None);
}

// ---- Handlers that wait

// What an asynchronous handler's task and its request have of each other.
struct Waiting {
  PyObject ob_base;
  PyObject* server_keeps;
  PyObject* task;
  Host* host;
  Served* served;  // null: it is over
};

Waiting& waiting_of(PyObject* self) noexcept { return *reinterpret_cast<Waiting*>(self); }

int traverse_waiting(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(waiting_of(self).server_keeps);
  Py_VISIT(waiting_of(self).task);
  return 0;
}

int clear_waiting(PyObject* self) {
  drop(waiting_of(self).task);
  drop(waiting_of(self).server_keeps);
  return 0;
}

void dealloc_waiting(PyObject* self) {
  PyObject_GC_UnTrack(self);
  if (waiting_of(self).served != nullptr) waiting_of(self).served->fail("its handler was dropped");
  clear_waiting(self);
  free_object(self);
}

// Of a task that is done. False: an exception is raised that is the loop's.
bool take_result(State& state, Served& served, PyObject* task) {
  const Reference result(PyObject_CallMethodNoArgs(task, state.names.result));
  if (result) return handle_result(served, of(route_of(served).object()), result.get());
  if (PyErr_ExceptionMatches(state.cancelled_error) != 0) {
    PyErr_Clear();
    served.is_gone() ? served.abandon() : served.fail("its handler was cancelled");
    return true;
  }
  return handle_exception(served);
}

PyObject* task_is_done(PyObject* self, PyObject* task) {
  Waiting& waiting = waiting_of(self);
  if (!waiting.host->forget_task(task)) PyErr_WriteUnraisable(task);
  drop(waiting.task);
  Served* const served = std::exchange(waiting.served, nullptr);
  if (served == nullptr) Py_RETURN_NONE;
  served->caller = nullptr;
  if (!take_result(state_of(Py_TYPE(self)), *served, task)) return nullptr;
  Py_RETURN_NONE;
}

PyMethodDef kTaskIsDone = {"task_is_done", as_method(task_is_done), METH_O, nullptr};

bool report(Served& served) {
  if (served.caller == nullptr || !served.is_gone()) return true;
  const Waiting& waiting = *static_cast<Waiting*>(served.caller);
  if (waiting.task == nullptr) return true;
  const Reference task = Reference::to(waiting.task);
  State& state = served.host().state();
  return static_cast<bool>(Reference(PyObject_CallMethodNoArgs(task.get(), state.names.cancel)));
}

void lost(Served& served) noexcept { static_cast<Waiting*>(served.caller)->served = nullptr; }

bool wait_for(Served& served, PyObject* task) {
  State& state = served.host().state();
  Waiting* const waiting =
      PyObject_GC_New(Waiting, reinterpret_cast<PyTypeObject*>(state.waiting_type));
  if (waiting == nullptr) return handle_exception(served);
  waiting->server_keeps = Py_XNewRef(served.host().owner());
  waiting->task = Py_NewRef(task);
  waiting->host = &served.host();
  waiting->served = &served;
  served.caller = waiting;
  PyObject_GC_Track(waiting);
  const Reference kept(&waiting->ob_base);
  const Reference told(PyCFunction_New(&kTaskIsDone, kept.get()));
  const bool kept_task = told && served.host().keep_task(task);
  const Reference added(
      kept_task ? PyObject_CallMethodOneArg(task, state.names.add_done_callback, told.get())
                : nullptr);
  if (added) return true;
  waiting->served = nullptr;
  served.caller = nullptr;
  return handle_exception(served);
}

bool start_async(Served& served, PyObject* coroutine) {
  Host& host = served.host();
  State& state = host.state();
  const Reference task = start_task(state, host.tasks(), coroutine);
  if (!task) return handle_exception(served);
  const Reference is_done(PyObject_CallMethodNoArgs(task.get(), state.names.done));
  if (!is_done) return handle_exception(served);
  if (is_done.get() == Py_True) return take_result(state, served, task.get());
  return wait_for(served, task.get());
}

// In a context of its own, so that what a handler sets is the next one's no more.
Reference call_in_context(const Route& route, PyObject* const* arguments) {
  const Reference context(PyContext_CopyCurrent());
  if (!context || PyContext_Enter(context.get()) != 0) return Reference();
  Reference result(PyObject_Vectorcall(route.handler, arguments, 0, route.names));
  if (PyContext_Exit(context.get()) != 0) return Reference();
  return result;
}

bool begin(Served& served) {
  NativeRoute& native = route_of(served);
  const Route& route = of(native.object());
  Arguments arguments;
  const Bound bound = arguments.bind(route, served.exchange());
  if (bound == Bound::raised) return handle_exception(served);
  if (bound == Bound::unfit) {
    return begin_call(served, native.asgi(), native.asgi().application(), nullptr, 0);
  }
  if (route.is_async) {
    const Reference coroutine(
        PyObject_Vectorcall(route.handler, arguments.pointers.data(), 0, route.names));
    return coroutine ? start_async(served, coroutine.get()) : handle_exception(served);
  }
  const Reference result = call_in_context(route, arguments.pointers.data());
  return result ? handle_result(served, route, result.get()) : handle_exception(served);
}

constexpr Served::Handler kHandler{&begin, &report, &lost};

PyType_Slot kSlots[] = {
    {Py_tp_new, as_slot(PyType_GenericNew)},
    {Py_tp_init, as_slot(init)},
    {Py_tp_dealloc, as_slot(dealloc)},
    {Py_tp_traverse, as_slot(traverse)},
    {Py_tp_clear, as_slot(clear)},
    {Py_tp_doc, const_cast<char*>("A handler, and where its arguments come from.")},
    {0, nullptr},
};

PyType_Spec kSpec = {"weft._weft.Route", sizeof(Route), 0,
                     Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE, kSlots};

PyType_Slot kWaitingSlots[] = {
    {Py_tp_dealloc, as_slot(dealloc_waiting)},
    {Py_tp_traverse, as_slot(traverse_waiting)},
    {Py_tp_clear, as_slot(clear_waiting)},
    {0, nullptr},
};

PyType_Spec kWaitingSpec = {"weft._weft.Waiting", sizeof(Waiting), 0,
                            Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC |
                                Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
                            kWaitingSlots};

}  // namespace

NativeRoute::NativeRoute(Host& host, AsgiApp& asgi, PyObject* route)
    : host_(host), asgi_(asgi), route_(Py_NewRef(route)) {}

NativeRoute::~NativeRoute() { drop(route_); }

void NativeRoute::serve(Context& context) {
  Served served(host_, context, kHandler, this);
  served.serve();
}

bool add_route(PyObject* module, State& state) {
  return add_type(module, kSpec, state.route_type) &&
         add_type(module, kWaitingSpec, state.waiting_type, false);
}

}  // namespace weft::python
