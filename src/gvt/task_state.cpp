#include "weft/detail/task_state.hpp"

#include <utility>

#include "gvt/scheduler.hpp"
#include "weft/local.hpp"

namespace weft::detail {

namespace {

struct ThreadState : TaskState {
  ~ThreadState() {
    if (locals != nullptr) drop_locals(*this);
  }
};

thread_local ThreadState t_state;

}  // namespace

[[gnu::noinline]] TaskState& current_task() noexcept {
  __asm__ volatile("");
  gvt::Scheduler* const scheduler = gvt::current_scheduler();
  return scheduler != nullptr ? scheduler->running().task : t_state;
}

LocalValue* find_local(const void* key) noexcept {
  LocalValue* value = current_task().locals;
  while (value != nullptr && value->key != key) value = value->next;
  return value;
}

void add_local(LocalValue& value) noexcept {
  TaskState& task = current_task();
  value.next = task.locals;
  task.locals = &value;
}

void drop_locals(TaskState& task) noexcept {
  // A value's destructor may ask for others, and so make them anew.
  while (task.locals != nullptr) {
    LocalValue* const newest = std::exchange(task.locals, task.locals->next);
    newest->destroy(*newest);
  }
}

}  // namespace weft::detail
