#include "python/tasks.hpp"

#include <structmember.h>

namespace weft::python {

namespace {

struct Tasks {
  PyObject ob_base;
  PyObject* loop;
  PyObject* call_soon;  // the loop's own
  bool captures;        // the next step is kept:
  PyObject* step;
  PyObject* context;
};

Tasks& of(PyObject* self) noexcept { return *reinterpret_cast<Tasks*>(self); }

int traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(of(self).loop);
  Py_VISIT(of(self).call_soon);
  Py_VISIT(of(self).step);
  Py_VISIT(of(self).context);
  return 0;
}

int clear(PyObject* self) {
  drop(of(self).loop);
  drop(of(self).call_soon);
  drop(of(self).step);
  drop(of(self).context);
  return 0;
}

void dealloc(PyObject* self) {
  PyObject_GC_UnTrack(self);
  clear(self);
  free_object(self);
}

int init(PyObject* self, PyObject* arguments, PyObject* keywords) {
  static const char* const kNames[] = {"loop", nullptr};
  PyObject* loop = nullptr;
  if (PyArg_ParseTupleAndKeywords(arguments, keywords, "O", const_cast<char**>(kNames), &loop) ==
      0) {
    return -1;
  }
  PyObject* const call_soon = PyObject_GetAttr(loop, state_of(Py_TYPE(self)).names.call_soon);
  if (call_soon == nullptr) return -1;
  clear(self);
  of(self).loop = Py_NewRef(loop);
  of(self).call_soon = call_soon;
  return 0;
}

// In place of the loop's own call_soon(callback, *args, context=None).
PyObject* call_soon(PyObject* object, PyObject* const* arguments, Py_ssize_t count,
                    PyObject* keyword_names) {
  Tasks& self = of(object);
  if (self.captures && count == 1 && keyword_names != nullptr &&
      PyTuple_GET_SIZE(keyword_names) == 1) {
    self.captures = false;
    self.step = Py_NewRef(arguments[0]);
    self.context = Py_NewRef(arguments[1]);
    Py_RETURN_NONE;
  }
  return PyObject_Vectorcall(self.call_soon, arguments, static_cast<std::size_t>(count),
                             keyword_names);
}

PyObject* start_method(PyObject* self, PyObject* coroutine) {
  return start_task(state_of(Py_TYPE(self)), self, coroutine).release();
}

#if PY_VERSION_HEX < 0x030C0000
// Takes the step that was kept, in the task's own context.
bool take_step(Tasks& self) {
  const Reference step(std::exchange(self.step, nullptr));
  const Reference context(std::exchange(self.context, nullptr));
  if (PyContext_Enter(context.get()) != 0) return false;
  const Reference result(PyObject_CallNoArgs(step.get()));
  PyObject* type = nullptr;
  PyObject* value = nullptr;
  PyObject* traceback = nullptr;
  PyErr_Fetch(&type, &value, &traceback);
  if (PyContext_Exit(context.get()) != 0) PyErr_Clear();
  PyErr_Restore(type, value, traceback);
  return static_cast<bool>(result);
}
#endif

PyMethodDef kMethods[] = {
    {"call_soon", as_method(call_soon), METH_FASTCALL | METH_KEYWORDS,
     "To be set as the loop's own call_soon()."},
    {"start", as_method(start_method), METH_O,
     "A task of the coroutine, which has taken its first step already."},
    {nullptr, nullptr, 0, nullptr},
};

PyMemberDef kMembers[] = {
    {"loop", T_OBJECT_EX, offsetof(Tasks, loop), READONLY, "The loop whose tasks these are."},
    {nullptr, 0, 0, 0, nullptr},
};

PyType_Slot kSlots[] = {
    {Py_tp_new, as_slot(PyType_GenericNew)},
    {Py_tp_init, as_slot(init)},
    {Py_tp_dealloc, as_slot(dealloc)},
    {Py_tp_traverse, as_slot(traverse)},
    {Py_tp_clear, as_slot(clear)},
    {Py_tp_methods, kMethods},
    {Py_tp_members, kMembers},
    {Py_tp_doc, const_cast<char*>("Tasks of one loop whose first step is taken at once.")},
    {0, nullptr},
};

PyType_Spec kSpec = {"weft._weft.Tasks", sizeof(Tasks), 0,
                     Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE, kSlots};

}  // namespace

PyObject* loop_of(PyObject* tasks) noexcept { return of(tasks).loop; }

Reference start_task(State& state, PyObject* tasks, PyObject* coroutine) {
  Tasks& self = of(tasks);
#if PY_VERSION_HEX >= 0x030C0000
  PyObject* const arguments[] = {coroutine, self.loop, state.task_name, Py_True};
  return Reference(PyObject_Vectorcall(state.task_type, arguments, 1, state.task_keywords));
#else
  PyObject* const arguments[] = {coroutine, self.loop, state.task_name};
  self.captures = true;
  Reference task(PyObject_Vectorcall(state.task_type, arguments, 1, state.task_keywords));
  self.captures = false;
  // A loop whose call_soon() is another takes the step when it comes to it.
  if (!task || self.step == nullptr) return task;
  if (!take_step(self)) return Reference();
  return task;
#endif
}

bool add_tasks(PyObject* module, State& state) { return add_type(module, kSpec, state.tasks_type); }

}  // namespace weft::python
