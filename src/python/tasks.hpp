// Tasks: coroutines on an asyncio loop whose first step is taken at once, so that one which does
// not wait costs no turn of the loop.
//
// From Python 3.12 on asyncio does that itself. Before, a Task's first step is what its constructor
// hands to loop.call_soon(): that is a function of ours, which keeps the step instead of queueing
// it while a task of ours is being made. Of one loop; with its interpreter's lock.
#pragma once

#include "python/state.hpp"

namespace weft::python {

// An asyncio.Task of the coroutine, which has taken its first step: done, perhaps. Null: it has
// raised, be it what the step lets through to the loop (KeyboardInterrupt, SystemExit).
Reference start_task(State& state, PyObject* tasks, PyObject* coroutine);

// What an object of type Tasks keeps of its loop, borrowed.
PyObject* loop_of(PyObject* tasks) noexcept;

}  // namespace weft::python
