// Settings of a server as Python says them: a dictionary of texts by the names of
// docs/configuration.md.
#pragma once

#include "python/reference.hpp"
#include "weft/app.hpp"

namespace weft::python {

// False: it has raised ValueError with what would be right.
bool read_settings(PyObject* dictionary, Options& options);

}  // namespace weft::python
