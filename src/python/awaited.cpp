#include "python/awaited.hpp"

namespace weft::python {

namespace {

struct Awaited {
  PyObject ob_base;
  PyObject* value;     // or
  PyObject* future;    // and, once it is waited for,
  PyObject* iterator;  // the future's own
  bool waits_a_turn;   // of the loop, before the value
};

Awaited& of(PyObject* self) noexcept { return *reinterpret_cast<Awaited*>(self); }

PyObject* make(State& state, PyObject* value, PyObject* future, bool waits_a_turn = false) {
  Awaited* const made =
      PyObject_GC_New(Awaited, reinterpret_cast<PyTypeObject*>(state.awaited_type));
  if (made == nullptr) {
    Py_XDECREF(value);
    Py_XDECREF(future);
    return nullptr;
  }
  made->value = value;
  made->future = future;
  made->iterator = nullptr;
  made->waits_a_turn = waits_a_turn;
  PyObject_GC_Track(made);
  return &made->ob_base;
}

int traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(of(self).value);
  Py_VISIT(of(self).future);
  Py_VISIT(of(self).iterator);
  return 0;
}

int clear(PyObject* self) {
  drop(of(self).value);
  drop(of(self).future);
  drop(of(self).iterator);
  return 0;
}

void dealloc(PyObject* self) {
  PyObject_GC_UnTrack(self);
  clear(self);
  free_object(self);
}

// The future's iterator, borrowed.
PyObject* iterator_of(Awaited& self) {
  if (self.iterator == nullptr && self.future != nullptr) {
    State& state = state_of(Py_TYPE(&self.ob_base));
    self.iterator = PyObject_CallMethodNoArgs(self.future, state.names.await_);
  }
  return self.iterator;
}

PySendResult send_to(PyObject* object, PyObject* sent, PyObject** result) {
  Awaited& self = of(object);
  if (std::exchange(self.waits_a_turn, false)) {
    *result = Py_NewRef(Py_None);
    return PYGEN_NEXT;
  }
  if (self.future == nullptr) {
    *result = Py_NewRef(self.value != nullptr ? self.value : Py_None);
    return PYGEN_RETURN;
  }
  PyObject* const iterator = iterator_of(self);
  if (iterator == nullptr) {
    *result = nullptr;
    return PYGEN_ERROR;
  }
  return PyIter_Send(iterator, sent, result);
}

PyObject* next(PyObject* object) {
  Awaited& self = of(object);
  if (std::exchange(self.waits_a_turn, false)) Py_RETURN_NONE;
  if (self.future == nullptr) {
    // Nothing raised stands for a value of None.
    if (self.value != nullptr && self.value != Py_None) {
      PyErr_SetObject(PyExc_StopIteration, self.value);
    }
    return nullptr;
  }
  PyObject* const iterator = iterator_of(self);
  return iterator == nullptr ? nullptr : Py_TYPE(iterator)->tp_iternext(iterator);
}

PyObject* send_method(PyObject* self, PyObject* sent) {
  PyObject* result = nullptr;
  const PySendResult how = send_to(self, sent, &result);
  if (how != PYGEN_RETURN) return result;
  const Reference value(result);
  if (result == Py_None) {
    PyErr_SetNone(PyExc_StopIteration);
  } else {
    PyErr_SetObject(PyExc_StopIteration, result);
  }
  return nullptr;
}

PyObject* throw_method(PyObject* self, PyObject* const* arguments, Py_ssize_t count) {
  if (count < 1) {
    PyErr_SetString(PyExc_TypeError, "throw() needs the exception");
    return nullptr;
  }
  if (of(self).iterator != nullptr) {
    const Reference method(
        PyObject_GetAttr(of(self).iterator, state_of(Py_TYPE(self)).names.throw_));
    if (!method) return nullptr;
    return PyObject_Vectorcall(method.get(), arguments, static_cast<std::size_t>(count), nullptr);
  }
  PyObject* const what = count > 1 && arguments[1] != Py_None ? arguments[1] : arguments[0];
  if (PyExceptionInstance_Check(what)) {
    PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(what)), what);
  } else if (PyExceptionClass_Check(arguments[0])) {
    PyErr_SetObject(arguments[0], count > 1 ? arguments[1] : nullptr);
  } else {
    PyErr_SetString(PyExc_TypeError, "throw() takes an exception");
  }
  return nullptr;
}

PyObject* close_method(PyObject* self, PyObject*) {
  drop(of(self).iterator);
  Py_RETURN_NONE;
}

PyObject* itself(PyObject* self) { return Py_NewRef(self); }
PyObject* await_method(PyObject* self, PyObject*) { return Py_NewRef(self); }

PyMethodDef kMethods[] = {
    {"send", as_method(send_method), METH_O, nullptr},
    {"throw", as_method(throw_method), METH_FASTCALL, nullptr},
    {"close", as_method(close_method), METH_NOARGS, nullptr},
    {"__await__", as_method(await_method), METH_NOARGS, nullptr},
    {nullptr, nullptr, 0, nullptr},
};

PyType_Slot kSlots[] = {
    {Py_tp_dealloc, as_slot(dealloc)},
    {Py_tp_traverse, as_slot(traverse)},
    {Py_tp_clear, as_slot(clear)},
    {Py_tp_iter, as_slot(itself)},
    {Py_tp_iternext, as_slot(next)},
    {Py_am_await, as_slot(itself)},
    {Py_am_send, as_slot(send_to)},
    {Py_tp_methods, kMethods},
    {0, nullptr},
};

PyType_Spec kSpec = {"weft._weft.Awaited", sizeof(Awaited), 0,
                     Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION |
                         Py_TPFLAGS_IMMUTABLETYPE,
                     kSlots};

}  // namespace

PyObject* awaited_value(State& state, Reference value) {
  return value ? make(state, value.release(), nullptr) : nullptr;
}

PyObject* awaited_future(State& state, PyObject* future) {
  return make(state, nullptr, Py_NewRef(future));
}

PyObject* awaited_turn(State& state) { return make(state, Py_NewRef(Py_None), nullptr, true); }

bool add_awaited(PyObject* module, State& state) {
  if (!add_type(module, kSpec, state.awaited_type, false)) return false;
  state.done = make(state, Py_NewRef(Py_None), nullptr);
  return state.done != nullptr;
}

}  // namespace weft::python
