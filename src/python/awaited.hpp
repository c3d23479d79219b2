// Awaited: what receive() and send() give: something to await that is there already, or that a
// future will bring. It looks like a coroutine, so that tasks can be made of it.
#pragma once

#include "python/state.hpp"

namespace weft::python {

// Is over at once, with that value.
PyObject* awaited_value(State& state, Reference value);
// Is over when the future is. More than one may wait for it.
PyObject* awaited_future(State& state, PyObject* future);
// Is over in the loop's next turn.
PyObject* awaited_turn(State& state);

}  // namespace weft::python
