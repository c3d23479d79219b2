#include "python/json.hpp"

#include <array>
#include <charconv>
#include <cmath>

namespace weft::python {

namespace {

// What stands for a byte of a text in quotes: 0: it does itself; 'u': \u00XX; else behind a
// backslash.
constexpr std::array<char, 256> kEscapes = [] {
  std::array<char, 256> table{};
  for (std::size_t c = 0; c < 0x20; ++c) table[c] = 'u';
  table['\b'] = 'b';
  table['\f'] = 'f';
  table['\n'] = 'n';
  table['\r'] = 'r';
  table['\t'] = 't';
  table['"'] = '"';
  table['\\'] = '\\';
  return table;
}();

bool write_text(PyObject* text, std::string& out) {
  const std::string_view bytes = view_of_text(text);
  if (bytes.data() == nullptr) return false;
  out += '"';
  std::size_t written = 0;
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    const auto byte = static_cast<unsigned char>(bytes[at]);
    const char escape = kEscapes[byte];
    if (escape == 0) [[likely]]
      continue;
    out.append(bytes, written, at - written);
    written = at + 1;
    out += '\\';
    out += escape;
    if (escape != 'u') continue;
    constexpr std::string_view kDigits = "0123456789abcdef";
    out += "00";
    out += kDigits[byte >> 4U];
    out += kDigits[byte & 15U];
  }
  out.append(bytes, written);
  out += '"';
  return true;
}

bool write_integer(PyObject* number, std::string& out) {
  int overflow = 0;
  const long long value = PyLong_AsLongLongAndOverflow(number, &overflow);
  if (overflow == 0) {
    if (value == -1 && PyErr_Occurred() != nullptr) return false;
    std::array<char, 24> digits;
    out.append(digits.data(),
               std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr);
    return true;
  }
  // As an int's own repr(), whatever a class derived from it has.
  const Reference digits(PyLong_Type.tp_repr(number));
  if (!digits) return false;
  out += view_of_text(digits.get());
  return true;
}

bool write_real(PyObject* number, std::string& out) {
  const double value = PyFloat_AS_DOUBLE(number);
  if (!std::isfinite(value)) {
    PyErr_SetString(PyExc_ValueError, "Out of range float values are not JSON compliant");
    return false;
  }
  char* const text = PyOS_double_to_string(value, 'r', 0, Py_DTSF_ADD_DOT_0, nullptr);
  if (text == nullptr) return false;
  out += text;
  PyMem_Free(text);
  return true;
}

class Writer {
 public:
  Writer(PyObject* otherwise, std::string& out) noexcept : otherwise_(otherwise), out_(out) {}

  bool write(PyObject* value) {
    if (PyUnicode_Check(value) != 0) return write_text(value, out_);
    if (value == Py_None) return put("null");
    if (value == Py_True) return put("true");
    if (value == Py_False) return put("false");
    if (PyLong_Check(value) != 0) return write_integer(value, out_);
    if (PyFloat_Check(value) != 0) return write_real(value, out_);
    if (Py_EnterRecursiveCall(" while writing JSON") != 0) return false;
    const bool written = write_nested(value);
    Py_LeaveRecursiveCall();
    return written;
  }

 private:
  bool put(std::string_view text) {
    out_ += text;
    return true;
  }

  bool write_nested(PyObject* value) {
    if (PyDict_Check(value) != 0) return write_object(value);
    if (PyList_Check(value) != 0 || PyTuple_Check(value) != 0) return write_array(value);
    if (otherwise_ == nullptr) {
      PyErr_Format(PyExc_TypeError, "Object of type %s is not JSON serializable",
                   Py_TYPE(value)->tp_name);
      return false;
    }
    const Reference other(PyObject_CallOneArg(otherwise_, value));
    return other && write(other.get());
  }

  bool write_array(PyObject* list) {
    out_ += '[';
    // Looked at anew each time: what is called meanwhile may change it.
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(list); ++i) {
      if (i > 0) out_ += ',';
      const Reference item = Reference::to(PySequence_Fast_GET_ITEM(list, i));
      if (!write(item.get())) return false;
    }
    out_ += ']';
    return true;
  }

  bool write_key(PyObject* key) {
    if (PyUnicode_Check(key) != 0) return write_text(key, out_);
    const bool is_plain = key == Py_None || key == Py_True || key == Py_False ||
                          PyLong_Check(key) != 0 || PyFloat_Check(key) != 0;
    if (!is_plain) {
      PyErr_Format(PyExc_TypeError, "keys must be str, int, float, bool or None, not %s",
                   Py_TYPE(key)->tp_name);
      return false;
    }
    out_ += '"';
    if (!write(key)) return false;
    out_ += '"';
    return true;
  }

  bool write_object(PyObject* dictionary) {
    out_ += '{';
    PyObject* key = nullptr;
    PyObject* value = nullptr;
    Py_ssize_t at = 0;
    bool first = true;
    const Py_ssize_t size = PyDict_Size(dictionary);
    while (PyDict_Next(dictionary, &at, &key, &value) != 0) {
      const Reference kept_key = Reference::to(key);
      const Reference kept_value = Reference::to(value);
      if (!first) out_ += ',';
      first = false;
      if (!write_key(key)) return false;
      out_ += ':';
      if (!write(value)) return false;
      if (PyDict_Size(dictionary) == size) continue;
      PyErr_SetString(PyExc_RuntimeError, "dictionary changed size during iteration");
      return false;
    }
    out_ += '}';
    return true;
  }

  PyObject* otherwise_;
  std::string& out_;
};

}  // namespace

bool write_json(PyObject* value, PyObject* otherwise, std::string& out) {
  return Writer(otherwise == Py_None ? nullptr : otherwise, out).write(value);
}

PyObject* json_dumps(PyObject*, PyObject* arguments, PyObject* keywords) {
  static const char* const kNames[] = {"value", "default", nullptr};
  PyObject* value = nullptr;
  PyObject* otherwise = nullptr;
  if (PyArg_ParseTupleAndKeywords(arguments, keywords, "O|O", const_cast<char**>(kNames), &value,
                                  &otherwise) == 0) {
    return nullptr;
  }
  std::string out;
  return write_json(value, otherwise, out) ? bytes_of(out).release() : nullptr;
}

}  // namespace weft::python
