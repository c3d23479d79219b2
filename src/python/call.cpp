// Call: what stands behind receive() and send() of one request.
//
// It is Python's as long as Python likes; what it refers to of the request is gone when the answer
// is complete, and then `served` is null.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>

#include "http/head_parser.hpp"
#include "http/response_fields.hpp"
#include "http/status.hpp"
#include "python/asgi.hpp"
#include "python/awaited.hpp"
#include "python/tasks.hpp"

namespace weft::python {

namespace {

constexpr int kOk = 200;

enum class Phase : std::uint8_t { waits, started, streams, over };

struct Call {
  PyObject ob_base;
  PyObject* server_keeps;  // what keeps the host
  PyObject* task;          // once it waits for something
  PyObject* receives;      // the futures that receive() has given: a list, or null
  PyObject* sends;         // and those of send()
  Host* host;
  Served* served;  // null: it is over
  std::uint64_t length;
  std::uint64_t given;
  Phase phase;
  bool has_length;
  bool body_is_told;  // all of it
  bool is_head;
};

Call& of(PyObject* self) noexcept { return *reinterpret_cast<Call*>(self); }

int traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(of(self).server_keeps);
  Py_VISIT(of(self).task);
  Py_VISIT(of(self).receives);
  Py_VISIT(of(self).sends);
  return 0;
}

int clear(PyObject* self) {
  drop(of(self).task);
  drop(of(self).receives);
  drop(of(self).sends);
  drop(of(self).server_keeps);
  return 0;
}

void dealloc(PyObject* self) {
  PyObject_GC_UnTrack(self);
  Call& call = of(self);
  // Nobody is left who could answer.
  if (call.served != nullptr) call.served->fail("its ASGI application has dropped the request");
  clear(self);
  free_object(self);
}

// Sets a future's result unless somebody has ended it; the future is dropped. False: it has raised.
bool settle(State& state, PyObject*& kept, PyObject* result) {
  const Reference future(std::exchange(kept, nullptr));
  if (!future) return true;
  const Reference is_done(PyObject_CallMethodNoArgs(future.get(), state.names.done));
  if (!is_done) return false;
  if (is_done.get() == Py_True) return true;
  return static_cast<bool>(
      Reference(PyObject_CallMethodOneArg(future.get(), state.names.set_result, result)));
}

Reference disconnect_message(State& state) {
  Reference message(PyDict_New());
  if (message && PyDict_SetItem(message.get(), state.names.type, state.http_disconnect) != 0) {
    return Reference();
  }
  return message;
}

bool is_done(State& state, PyObject* future, bool& done) {
  const Reference answer(PyObject_CallMethodNoArgs(future, state.names.done));
  done = answer.get() == Py_True;
  return static_cast<bool>(answer);
}

// Leaves those of the futures that somebody still waits for. False: it has raised.
bool drop_done(State& state, PyObject* futures) {
  for (Py_ssize_t i = futures == nullptr ? 0 : PyList_GET_SIZE(futures); i-- > 0;) {
    bool done = false;
    if (!is_done(state, PyList_GET_ITEM(futures, i), done)) return false;
    if (done && PyList_SetSlice(futures, i, i + 1, nullptr) != 0) return false;
  }
  return true;
}

// To await one more future, which the list keeps. One each: who is cancelled takes nobody along.
PyObject* wait_among(Call& call, PyObject*& futures) {
  State& state = call.host->state();
  if (!drop_done(state, futures)) return nullptr;
  if (futures == nullptr) futures = PyList_New(0);
  if (futures == nullptr) return nullptr;
  const Reference future = call.host->new_future();
  if (!future || PyList_Append(futures, future.get()) != 0) return nullptr;
  return awaited_future(state, future.get());
}

bool has_receiver(const Call& call) noexcept {
  return call.receives != nullptr && PyList_GET_SIZE(call.receives) > 0;
}

// All who wait hear that nothing more comes.
bool tell_disconnect(Call& call) {
  State& state = call.host->state();
  const Reference waiting(std::exchange(call.receives, nullptr));
  for (Py_ssize_t i = 0; waiting && i < PyList_GET_SIZE(waiting.get()); ++i) {
    PyObject* future = Py_NewRef(PyList_GET_ITEM(waiting.get(), i));
    const Reference message = disconnect_message(state);
    if (message && settle(state, future, message.get())) continue;
    Py_XDECREF(future);
    return false;
  }
  return true;
}

// All who wait in send() go on.
bool wake_senders(Call& call) {
  const Reference waiting(std::exchange(call.sends, nullptr));
  for (Py_ssize_t i = 0; waiting && i < PyList_GET_SIZE(waiting.get()); ++i) {
    PyObject* future = Py_NewRef(PyList_GET_ITEM(waiting.get(), i));
    if (!settle(call.host->state(), future, Py_None)) return false;
  }
  return true;
}

// The answer is complete, or there will be none: who still waits is told.
bool end_call(Call& call) {
  call.phase = Phase::over;
  call.served = nullptr;
  return tell_disconnect(call) && wake_senders(call);
}

// ---- receive()

Reference body_message(Call& call) {
  State& state = call.host->state();
  const State::Names& names = state.names;
  Served& served = *call.served;
  const std::string_view part = served.take_part();
  const bool more = !served.body_is_over();
  call.body_is_told = !more;
  Reference message(PyDict_New());
  const Reference body = part.empty() ? Reference::to(state.nothing) : bytes_of(part);
  if (!message || !body || PyDict_SetItem(message.get(), names.type, state.http_request) != 0 ||
      PyDict_SetItem(message.get(), names.body, body.get()) != 0 ||
      PyDict_SetItem(message.get(), names.more_body, more ? Py_True : Py_False) != 0) {
    return Reference();
  }
  return message;
}

PyObject* receive(PyObject* self, PyObject*) {
  Call& call = of(self);
  State& state = call.host->state();
  if (call.served == nullptr || call.served->is_gone()) {
    return awaited_value(state, disconnect_message(state));
  }
  if (!call.body_is_told) {
    if (call.served->has_part()) return awaited_value(state, body_message(call));
    call.served->want_part();
  }
  return wait_among(call, call.receives);
}

// ---- send()

PyObject* out_of_turn(const char* wanted, PyObject* type) {
  return PyErr_Format(PyExc_RuntimeError, "Expected ASGI message '%s', but got '%U'.", wanted,
                      type);
}

// A bytes-like object as a view; `buffer` keeps it.
struct Bytes {
  Bytes() noexcept = default;
  ~Bytes() {
    if (held) PyBuffer_Release(&buffer);
  }
  Bytes(const Bytes&) = delete;
  Bytes& operator=(const Bytes&) = delete;

  bool take(PyObject* object, const char* what) {
    if (PyBytes_CheckExact(object) != 0) {
      view = view_of_bytes(object);
      return true;
    }
    if (PyUnicode_Check(object) != 0 || PyObject_GetBuffer(object, &buffer, PyBUF_SIMPLE) != 0) {
      PyErr_Format(PyExc_TypeError, "%s must be bytes, not %s", what, Py_TYPE(object)->tp_name);
      return false;
    }
    held = true;
    view = {static_cast<const char*>(buffer.buf), static_cast<std::size_t>(buffer.len)};
    return true;
  }

  std::string_view view;
  Py_buffer buffer{};
  bool held = false;
};

// What the server writes itself. A length is kept to be compared.
bool take_own_field(Call& call, std::string_view name, std::string_view value, bool& is_own) {
  is_own = true;
  if (http::equals_ignoring_case(name, "content-length")) {
    std::uint64_t length = 0;
    constexpr std::uint64_t kMost = UINT64_MAX / 16;
    bool fits = !value.empty();
    for (const char c : value) {
      fits = fits && c >= '0' && c <= '9' && length < kMost;
      if (fits) length = length * 10 + static_cast<std::uint64_t>(c - '0');
    }
    if (!fits) {
      PyErr_SetString(PyExc_ValueError, "the content-length of an answer must be a number");
      return false;
    }
    call.has_length = true;
    call.length = length;
    return true;
  }
  is_own = http::equals_ignoring_case(name, "transfer-encoding") ||
           http::equals_ignoring_case(name, "connection") ||
           http::equals_ignoring_case(name, "date") || http::equals_ignoring_case(name, "server");
  return true;
}

bool add_field(Call& call, PyObject* pair) {
  const Reference fast(PySequence_Fast(pair, "a header must be a pair of bytes"));
  if (!fast) return false;
  if (PySequence_Fast_GET_SIZE(fast.get()) != 2) {
    PyErr_SetString(PyExc_ValueError, "a header must be a pair: its name and its value");
    return false;
  }
  Bytes name;
  Bytes value;
  if (!name.take(PySequence_Fast_GET_ITEM(fast.get(), 0), "the name of a header") ||
      !value.take(PySequence_Fast_GET_ITEM(fast.get(), 1), "the value of a header")) {
    return false;
  }
  bool is_own = false;
  if (!take_own_field(call, name.view, value.view, is_own)) return false;
  if (is_own) return true;
  try {
    call.served->context().add_header(name.view, value.view);
    return true;
  } catch (const std::exception& error) {
    PyErr_SetString(PyExc_ValueError, error.what());
    return false;
  }
}

bool read_start(Call& call, PyObject* message) {
  const State::Names& names = call.host->state().names;
  PyObject* const status = PyDict_GetItemWithError(message, names.status);
  if (status == nullptr) {
    if (PyErr_Occurred() == nullptr) {
      PyErr_SetString(PyExc_KeyError, "'http.response.start' needs a status");
    }
    return false;
  }
  const long code = PyLong_AsLong(status);
  if (code == -1 && PyErr_Occurred() != nullptr) return false;
  if (code < 200 || code > 599) {
    PyErr_Format(PyExc_ValueError, "the status of an answer must be from 200 to 599, not %ld",
                 code);
    return false;
  }
  http::Response& response = call.served->exchange().response();
  response.status = static_cast<int>(code);
  PyObject* const fields = PyDict_GetItemWithError(message, names.headers);
  if (fields == nullptr) return PyErr_Occurred() == nullptr;
  if (fields == Py_None) return true;
  const Reference fast(PySequence_Fast(fields, "headers must be an iterable of pairs of bytes"));
  if (!fast) return false;
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(fast.get()); ++i) {
    if (!add_field(call, PySequence_Fast_GET_ITEM(fast.get(), i))) return false;
  }
  return true;
}

// Of a message that is refused nothing stays.
bool start_answer(Call& call, PyObject* message) {
  if (read_start(call, message)) return true;
  http::Response& response = call.served->exchange().response();
  response.status = kOk;
  response.drop_fields();
  response.content_type = {};
  response.content_type_chosen = false;
  call.has_length = false;
  return false;
}

bool refuse_length(const char* how) {
  PyErr_Format(PyExc_RuntimeError, "Response content %s than Content-Length", how);
  return false;
}

// The answer in one piece, or its first part.
bool begin_body(Call& call, std::string_view body, bool more) {
  Served& served = *call.served;
  const bool has_body = !call.is_head && http::allows_body(served.exchange().response().status);
  if (call.has_length && has_body) {
    if (body.size() > call.length) return refuse_length("longer");
    if (!more && body.size() < call.length) return refuse_length("shorter");
  }
  // Of an answer to HEAD the length is told as the application knows it.
  if (!more && !(call.is_head && call.has_length)) {
    served.exchange().response().body.assign(body);
    return true;
  }
  std::optional<std::uint64_t> length;
  if (call.has_length) length = call.length;
  served.begin_stream(length);
  call.phase = Phase::streams;
  if (has_body) served.write(body);
  call.given = body.size();
  return true;
}

bool add_to_body(Call& call, std::string_view body, bool more) {
  Served& served = *call.served;
  const bool has_body = !call.is_head && http::allows_body(served.exchange().response().status);
  call.given += body.size();
  if (call.has_length && has_body) {
    if (call.given > call.length) return refuse_length("longer");
    if (!more && call.given < call.length) return refuse_length("shorter");
  }
  if (has_body) served.write(body);
  return true;
}

PyObject* send_body(Call& call, PyObject* message) {
  State& state = call.host->state();
  PyObject* const body = PyDict_GetItemWithError(message, state.names.body);
  if (body == nullptr && PyErr_Occurred() != nullptr) return nullptr;
  PyObject* const more_body = PyDict_GetItemWithError(message, state.names.more_body);
  if (more_body == nullptr && PyErr_Occurred() != nullptr) return nullptr;
  const int more = more_body == nullptr ? 0 : PyObject_IsTrue(more_body);
  if (more < 0) return nullptr;
  Bytes bytes;
  if (body != nullptr && !bytes.take(body, "the body of an answer")) return nullptr;
  const bool put = call.phase == Phase::started ? begin_body(call, bytes.view, more != 0)
                                                : add_to_body(call, bytes.view, more != 0);
  if (!put) return nullptr;
  if (more == 0) {
    call.served->finish();
    return end_call(call) ? Py_NewRef(state.done) : nullptr;
  }
  if (!call.served->is_full()) return Py_NewRef(state.done);
  return wait_among(call, call.sends);
}

// Nothing where the message has none; false: it has raised.
bool read_count(PyObject* message, PyObject* name, std::optional<std::uint64_t>& count) {
  PyObject* const object = PyDict_GetItemWithError(message, name);
  if (object == nullptr) return PyErr_Occurred() == nullptr;
  if (object == Py_None) return true;
  count = PyLong_AsUnsignedLongLong(object);
  return PyErr_Occurred() == nullptr;
}

// A descriptor of our own of what the message names; below 0: it has raised.
int open_file(State& state, PyObject* message, bool by_path) {
  PyObject* const named =
      PyDict_GetItemWithError(message, by_path ? state.names.path : state.names.file);
  if (named == nullptr) {
    if (PyErr_Occurred() == nullptr) PyErr_SetString(PyExc_KeyError, by_path ? "path" : "file");
    return -1;
  }
  if (!by_path) {
    const int theirs = PyObject_AsFileDescriptor(named);
    const int ours = theirs < 0 ? -1 : ::fcntl(theirs, F_DUPFD_CLOEXEC, 0);
    if (theirs >= 0 && ours < 0) PyErr_SetFromErrno(PyExc_OSError);
    return ours;
  }
  PyObject* path = nullptr;
  if (PyUnicode_FSConverter(named, &path) == 0) return -1;
  const Reference kept(path);
  const int file = ::open(PyBytes_AS_STRING(path), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) PyErr_SetFromErrnoWithFilenameObject(PyExc_OSError, named);
  return file;
}

// The rest of the body is a file's, or a part of one.
PyObject* send_file(Call& call, PyObject* message, bool by_path) {
  State& state = call.host->state();
  PyObject* const more_body = PyDict_GetItemWithError(message, state.names.more_body);
  const int more = more_body == nullptr ? 0 : PyObject_IsTrue(more_body);
  if (more < 0 || (more_body == nullptr && PyErr_Occurred() != nullptr)) return nullptr;
  if (more != 0) {
    PyErr_SetString(PyExc_ValueError,
                    "a file is the last of its answer: send it without more_body, or its content "
                    "with 'http.response.body'");
    return nullptr;
  }
  std::optional<std::uint64_t> offset;
  std::optional<std::uint64_t> count;
  if (!by_path && (!read_count(message, state.names.offset, offset) ||
                   !read_count(message, state.names.count, count))) {
    return nullptr;
  }
  const int file = open_file(state, message, by_path);
  if (file < 0) return nullptr;
  struct stat facts{};
  if (::fstat(file, &facts) != 0 || !S_ISREG(facts.st_mode)) {
    ::close(file);
    return PyErr_Format(PyExc_OSError, "only a regular file can be sent");
  }
  if (!by_path && !offset) {
    // From where whoever has opened it stands.
    const ::off_t position = ::lseek(file, 0, SEEK_CUR);
    if (position > 0) offset = static_cast<std::uint64_t>(position);
  }
  const auto size = static_cast<std::uint64_t>(facts.st_size);
  const std::uint64_t first = std::min(offset.value_or(0), size);
  const std::uint64_t bytes = std::min(count.value_or(size), size - first);
  Served& served = *call.served;
  const bool has_body = !call.is_head && http::allows_body(served.exchange().response().status);
  if (call.has_length && has_body && call.given + bytes != call.length) {
    ::close(file);
    refuse_length(call.given + bytes > call.length ? "longer" : "shorter");
    return nullptr;
  }
  if (call.phase == Phase::started) {
    served.begin_stream(call.has_length ? call.length : bytes);
    call.phase = Phase::streams;
  }
  if (has_body) {
    served.answer_file(file, first, bytes);
  } else {
    ::close(file);
  }
  served.finish();
  return end_call(call) ? Py_NewRef(state.done) : nullptr;
}

PyObject* send(PyObject* self, PyObject* message) {
  Call& call = of(self);
  State& state = call.host->state();
  if (PyDict_Check(message) == 0) {
    PyErr_Format(PyExc_TypeError, "send() takes a message, which is a dictionary, not %s",
                 Py_TYPE(message)->tp_name);
    return nullptr;
  }
  PyObject* const type = PyDict_GetItemWithError(message, state.names.type);
  if (type == nullptr || PyUnicode_Check(type) == 0) {
    if (PyErr_Occurred() == nullptr) PyErr_SetString(PyExc_KeyError, "a message needs its type");
    return nullptr;
  }
  const auto is = [type](PyObject* text) {
    return type == text || PyUnicode_Compare(type, text) == 0;
  };
  if (call.phase == Phase::over) {
    return PyErr_Format(PyExc_RuntimeError,
                        "Unexpected ASGI message '%U' sent, after response already completed.",
                        type);
  }
  // Whoever answers a client that has gone may go on, but not without end in one turn of the loop.
  if (call.served == nullptr || call.served->is_gone()) return awaited_turn(state);
  if (call.phase == Phase::waits) {
    if (!is(state.response_start)) return out_of_turn("http.response.start", type);
    if (!start_answer(call, message)) return nullptr;
    call.phase = Phase::started;
    return Py_NewRef(state.done);
  }
  if (is(state.response_path)) return send_file(call, message, true);
  if (is(state.response_file)) return send_file(call, message, false);
  if (!is(state.response_body)) return out_of_turn("http.response.body", type);
  return send_body(call, message);
}

PyMethodDef kReceive = {"receive", as_method(receive), METH_NOARGS, nullptr};
PyMethodDef kSend = {"send", as_method(send), METH_O, nullptr};

// ---- The application's end

// What the task has raised is raised here. False: it has.
bool raise_again(State& state, PyObject* task) {
  return static_cast<bool>(Reference(PyObject_CallMethodNoArgs(task, state.names.result)));
}

// Nothing is said of it: its client has gone, or the server is about to.
bool end_quietly(Call& call) {
  PyErr_Clear();
  call.served->abandon();
  if (!end_call(call)) PyErr_WriteUnraisable(nullptr);
  return true;
}

// The application has returned, or raised what is raised now. False: that is the loop's.
bool application_has_ended(Call& call, bool raised) {
  drop(call.task);
  Served* const served = call.served;
  std::string failure;
  if (served != nullptr && served->is_gone() &&
      (!raised || PyErr_ExceptionMatches(call.host->state().cancelled_error) != 0)) {
    return end_quietly(call);
  }
  if (raised) {
    failure = call.host->take_failure("Exception in ASGI application");
    if (failure.empty()) {
      if (served != nullptr) served->fail("the server has been interrupted");
      call.served = nullptr;
      return false;
    }
  }
  if (served == nullptr) return true;
  if (failure.empty()) {
    failure = call.phase == Phase::waits ? "ASGI callable returned without starting response."
                                         : "ASGI callable returned without completing response.";
  }
  served->fail(std::move(failure));
  if (!end_call(call)) PyErr_WriteUnraisable(nullptr);
  return true;
}

PyObject* task_is_done(PyObject* self, PyObject* task) {
  Call& call = of(self);
  if (!call.host->forget_task(task)) PyErr_WriteUnraisable(task);
  const bool raised = !raise_again(call.host->state(), task);
  if (!application_has_ended(call, raised)) return nullptr;
  Py_RETURN_NONE;
}

PyMethodDef kTaskIsDone = {"task_is_done", as_method(task_is_done), METH_O, nullptr};

// False: it has raised.
bool call_application(PyObject* object, AsgiApp& asgi, PyObject* application,
                      PyObject* const* further, std::size_t count) {
  Call& call = of(object);
  State& state = call.host->state();
  const Reference scope = asgi.scope_of(call.served->context());
  const Reference receiver(scope ? PyCFunction_New(&kReceive, object) : nullptr);
  const Reference sender(receiver ? PyCFunction_New(&kSend, object) : nullptr);
  if (!sender) return false;
  constexpr std::size_t kMostFurther = 2;
  PyObject* arguments[3 + kMostFurther] = {scope.get(), receiver.get(), sender.get()};
  std::copy_n(further, count, arguments + 3);
  const Reference coroutine(PyObject_Vectorcall(application, arguments, 3 + count, nullptr));
  if (!coroutine) return false;
  const Reference task = start_task(state, call.host->tasks(), coroutine.get());
  if (!task) return false;
  const Reference is_done(PyObject_CallMethodNoArgs(task.get(), state.names.done));
  if (!is_done) return false;
  if (is_done.get() == Py_True) return raise_again(state, task.get());
  if (!call.host->keep_task(task.get())) return false;
  call.task = Py_NewRef(task.get());
  const Reference told(PyCFunction_New(&kTaskIsDone, object));
  return told && Reference(PyObject_CallMethodOneArg(task.get(), state.names.add_done_callback,
                                                     told.get()));
}

// ---- What a Served asks for

bool report(Served& served) {
  if (served.caller == nullptr) return true;
  Call& call = *static_cast<Call*>(served.caller);
  const Reference kept = Reference::to(&call.ob_base);
  State& state = call.host->state();
  if (served.is_gone()) {
    if (!tell_disconnect(call) || !wake_senders(call)) return false;
    // Who does not listen for that would keep the server from ending.
    if (!served.is_ended_by_server() || call.task == nullptr) return true;
    const Reference task = Reference::to(call.task);
    return static_cast<bool>(Reference(PyObject_CallMethodNoArgs(task.get(), state.names.cancel)));
  }
  if (served.take_drained() && !wake_senders(call)) return false;
  if (!served.has_part() || call.body_is_told) return true;
  if (!drop_done(state, call.receives)) return false;
  // Where who has asked for it has been cancelled it is the next one's.
  if (!has_receiver(call)) return true;
  PyObject* first = Py_NewRef(PyList_GET_ITEM(call.receives, 0));
  const Reference message = body_message(call);
  if (PyList_SetSlice(call.receives, 0, 1, nullptr) != 0 || !message) {
    Py_DECREF(first);
    return false;
  }
  if (!settle(state, first, message.get())) return false;
  // Others want what comes next.
  if (!call.body_is_told && has_receiver(call)) served.want_part();
  return true;
}

void lost(Served& served) noexcept { static_cast<Call*>(served.caller)->served = nullptr; }

bool begin(Served& served) {
  auto& asgi = *static_cast<AsgiApp*>(served.route());
  return begin_call(served, asgi, asgi.application(), nullptr, 0);
}

constexpr Served::Handler kHandler{&begin, &report, &lost};

PyType_Slot kSlots[] = {
    {Py_tp_dealloc, as_slot(dealloc)},
    {Py_tp_traverse, as_slot(traverse)},
    {Py_tp_clear, as_slot(clear)},
    {0, nullptr},
};

PyType_Spec kSpec = {"weft._weft.Call", sizeof(Call), 0,
                     Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION |
                         Py_TPFLAGS_IMMUTABLETYPE,
                     kSlots};

}  // namespace

bool begin_call(Served& served, AsgiApp& asgi, PyObject* application, PyObject* const* further,
                std::size_t count) {
  Host& host = served.host();
  Call* const call = PyObject_GC_New(Call, reinterpret_cast<PyTypeObject*>(host.state().call_type));
  if (call == nullptr) {
    served.fail(host.take_failure("no memory for a request"));
    return true;
  }
  call->server_keeps = Py_XNewRef(host.owner());
  call->task = nullptr;
  call->receives = nullptr;
  call->sends = nullptr;
  call->host = &host;
  call->served = &served;
  call->length = 0;
  call->given = 0;
  call->phase = Phase::waits;
  call->has_length = false;
  call->body_is_told = false;
  call->is_head = served.exchange().head().head().method == http::Method::head;
  PyObject_GC_Track(call);
  const Reference kept(&call->ob_base);
  served.caller = call;
  served.set_handler(kHandler);
  const bool raised = !call_application(kept.get(), asgi, application, further, count);
  if (!raised && call->task != nullptr) return true;
  return application_has_ended(*call, raised);
}

void AsgiApp::serve(Context& context) {
  Served served(host_, context, kHandler, this);
  served.serve();
}

bool add_call(PyObject* module, State& state) {
  return add_type(module, kSpec, state.call_type, false);
}

}  // namespace weft::python
