// JSON of Python's values, as json.dumps(value, ensure_ascii=False, allow_nan=False,
// separators=(",", ":")) writes it.
//
// With the interpreter's lock.
#pragma once

#include <string>

#include "python/reference.hpp"

namespace weft::python {

// Appends it. `otherwise` is called with what has no JSON itself and gives what is written in its
// place; null: there is nothing of the kind. False: it has raised, and `out` holds a part.
bool write_json(PyObject* value, PyObject* otherwise, std::string& out);

// The module's json_dumps(value, default=None).
PyObject* json_dumps(PyObject* module, PyObject* arguments, PyObject* keywords);

}  // namespace weft::python
