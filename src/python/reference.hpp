// Reference: one of a Python object's references, given back at the end. And how a C function says
// that it has raised.
//
// With the interpreter's lock held.
#pragma once

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <string_view>
#include <utility>

namespace weft::python {

class Reference {
 public:
  Reference() noexcept = default;
  // Takes over a reference that a call has given; null: it has raised.
  explicit Reference(PyObject* given) noexcept : object_(given) {}
  Reference(Reference&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  Reference& operator=(Reference&& other) noexcept {
    Reference old(std::exchange(object_, std::exchange(other.object_, nullptr)));
    return *this;
  }
  ~Reference() { Py_XDECREF(object_); }
  // One more of an object that is somebody else's.
  static Reference to(PyObject* borrowed) noexcept { return Reference(Py_XNewRef(borrowed)); }

  PyObject* get() const noexcept { return object_; }
  explicit operator bool() const noexcept { return object_ != nullptr; }
  [[nodiscard]] PyObject* release() noexcept { return std::exchange(object_, nullptr); }

 private:
  PyObject* object_ = nullptr;
};

// The exception that is raised, with its traceback; it is raised no more.
inline Reference take_raised() {
#if PY_VERSION_HEX >= 0x030C0000
  return Reference(PyErr_GetRaisedException());
#else
  PyObject* type = nullptr;
  PyObject* value = nullptr;
  PyObject* traceback = nullptr;
  PyErr_Fetch(&type, &value, &traceback);
  if (type == nullptr) return Reference();
  PyErr_NormalizeException(&type, &value, &traceback);
  if (traceback != nullptr) PyException_SetTraceback(value, traceback);
  Py_XDECREF(type);
  Py_XDECREF(traceback);
  return Reference(value);
#endif
}

// Raises what take_raised() has given, or nothing.
inline void raise_anew(Reference exception) noexcept {
  if (!exception) return;
#if PY_VERSION_HEX >= 0x030C0000
  PyErr_SetRaisedException(exception.release());
#else
  PyObject* const type = Py_NewRef(reinterpret_cast<PyObject*>(Py_TYPE(exception.get())));
  PyObject* const traceback = PyException_GetTraceback(exception.get());
  PyErr_Restore(type, exception.release(), traceback);
#endif
}

// Lets go of what a pointer of a struct keeps; first the pointer, since what goes may look at it.
inline void drop(PyObject*& kept) noexcept {
  PyObject* const old = std::exchange(kept, nullptr);
  Py_XDECREF(old);
}

// Ends an object of a heap type, of whose parts nothing is left.
inline void free_object(PyObject* self) noexcept {
  PyTypeObject* const type = Py_TYPE(self);
  type->tp_free(self);
  Py_DECREF(type);
}

inline Reference text_of(std::string_view utf8) {
  return Reference(
      PyUnicode_DecodeUTF8(utf8.data(), static_cast<Py_ssize_t>(utf8.size()), "replace"));
}
inline Reference bytes_of(std::string_view bytes) {
  return Reference(PyBytes_FromStringAndSize(bytes.data(), static_cast<Py_ssize_t>(bytes.size())));
}
inline std::string_view view_of_bytes(PyObject* bytes) noexcept {
  return {PyBytes_AS_STRING(bytes), static_cast<std::size_t>(PyBytes_GET_SIZE(bytes))};
}
// Null and a raised exception where it is no text, or none that UTF-8 can say.
inline std::string_view view_of_text(PyObject* text) noexcept {
  Py_ssize_t size = 0;
  const char* const data = PyUnicode_AsUTF8AndSize(text, &size);
  return data == nullptr ? std::string_view()
                         : std::string_view(data, static_cast<std::size_t>(size));
}

}  // namespace weft::python
