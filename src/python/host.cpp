#include "python/host.hpp"

#include <poll.h>

#include <cmath>
#include <stdexcept>
#include <utility>

#include "gvt/scheduler.hpp"
#include "python/tasks.hpp"

namespace weft::python {

void Host::List::push(Served& served) noexcept {
  served.next_ = nullptr;
  served.listed_ = true;
  (first == nullptr ? first : last->next_) = &served;
  last = &served;
}

Served* Host::List::pop() noexcept {
  Served* const served = first;
  if (served == nullptr) return nullptr;
  first = served->next_;
  served->listed_ = false;
  return served;
}

void Host::List::remove(Served& served) noexcept {
  Served* before = nullptr;
  for (Served* one = first; one != nullptr; before = one, one = one->next_) {
    if (one != &served) continue;
    (before == nullptr ? first : before->next_) = served.next_;
    if (last == &served) last = before;
    served.listed_ = false;
    return;
  }
}

Host::Host(State& state, PyObject* owner) : state_(state), owner_(owner), server_(app_) {}

Host::~Host() { let_go(); }

void Host::let_go() noexcept {
  drop(ended_);
  drop(ready_);
  drop(scheduled_);
  drop(create_future_);
  drop(running_);
  loop_ = nullptr;
  drop(tasks_);
}

int Host::traverse(visitproc visit, void* arg) const {
  for (PyObject* const kept : {tasks_, ready_, scheduled_, create_future_, ended_, running_}) {
    Py_VISIT(kept);
  }
  return 0;
}

bool Host::keep_task(PyObject* task) {
  if (running_ == nullptr) running_ = PySet_New(nullptr);
  return running_ != nullptr && PySet_Add(running_, task) == 0;
}

bool Host::forget_task(PyObject* task) {
  return running_ == nullptr || PySet_Discard(running_, task) >= 0;
}

void Host::hand_in(Served& served) noexcept {
  begun_.push(served);
  want_visit();
}

void Host::report(Served& served) noexcept {
  if (served.listed_) return;
  reports_.push(served);
  want_visit();
}

void Host::forget(Served& served) noexcept {
  if (beginning_ == &served) beginning_ = nullptr;
  if (!served.listed_) return;
  begun_.remove(served);
  if (served.listed_) reports_.remove(served);
}

void Host::want_visit() noexcept {
  if (std::exchange(visit_is_queued_, true)) return;
  server_.scheduler().make_ready(visit_);
}

void Host::visit(gvt::Runnable& self) {
  Host& host = static_cast<Visit&>(self).host;
  host.visit_is_queued_ = false;
  host.server_.scheduler().visit_os_thread();
}

// Shorter than by the loop's own socket pair, which the kernel would be asked about three times.
bool Host::wake() noexcept {
  const std::lock_guard lock(wake_mutex_);
  if (can_be_woken_ && !std::exchange(wake_is_queued_, true)) server_.scheduler().post(wake_);
  return can_be_woken_;
}

void Host::woken(gvt::Runnable& self) {
  Host& host = static_cast<Wake&>(self).host;
  {
    const std::lock_guard lock(host.wake_mutex_);
    host.wake_is_queued_ = false;
  }
  host.want_visit();
}

void Host::timed_out(gvt::Timer& timer) {
  Host& host = static_cast<Timeout&>(timer).host;
  host.is_due_ = true;
  host.want_visit();
}

void Host::selector_ready(ksvc::CompletionTarget& target, unsigned,
                          const ksvc::Completion& completion) {
  Host& host = static_cast<SelectorTarget&>(target).host;
  if (!completion.more) host.selector_is_watched_ = false;
  host.selector_is_ready_ = true;
  host.want_visit();
}

bool Host::start(const Options& options, int selector_fd, PyObject* tasks) {
  if (serves_ || has_ended_) {
    PyErr_SetString(PyExc_RuntimeError, "this Server has been started; make another one");
    return false;
  }
  PyObject* const loop = loop_of(tasks);
  Reference ready(PyObject_GetAttr(loop, state_.names.ready));
  Reference scheduled(PyObject_GetAttr(loop, state_.names.scheduled));
  Reference create_future(PyObject_GetAttr(loop, state_.names.create_future));
  if (!ready || !scheduled || !create_future) return false;
  if (PyList_CheckExact(scheduled.get()) == 0) {
    PyErr_SetString(PyExc_TypeError, "the loop is none of asyncio's own: use weft's event loop");
    return false;
  }
  std::string refusal;
  Py_BEGIN_ALLOW_THREADS;
  try {
    server_.set_up(options);
  } catch (const std::exception& error) {
    refusal = error.what();
  }
  Py_END_ALLOW_THREADS;
  if (!refusal.empty()) {
    PyErr_SetString(PyExc_OSError, refusal.c_str());
    return false;
  }
  tasks_ = Py_NewRef(tasks);
  loop_ = loop;
  ready_ = ready.release();
  scheduled_ = scheduled.release();
  create_future_ = create_future.release();
  selector_fd_ = selector_fd;
  serves_ = true;
  const std::lock_guard lock(wake_mutex_);
  can_be_woken_ = true;
  return true;
}

bool Host::open() {
  if (!serves_) {
    PyErr_SetString(PyExc_RuntimeError, "start() comes before open()");
    return false;
  }
  server_.open();
  return true;
}

bool Host::selector_is_readable() const noexcept {
  pollfd one{selector_fd_, POLLIN, 0};
  return ::poll(&one, 1, 0) > 0;
}

void Host::watch_selector() {
  if (std::exchange(selector_is_watched_, true)) return;
  server_.io().submit(ksvc::PollReadable{selector_fd_}, selector_target_.corr_id());
}

void Host::resume_until_visited() {
  bool goes_on = false;
  Py_BEGIN_ALLOW_THREADS;
  goes_on = server_.resume();
  if (!goes_on) {
    {
      const std::lock_guard lock(wake_mutex_);
      can_be_woken_ = false;
    }
    last_stats_ = app_.stats();
    server_.end();
  }
  Py_END_ALLOW_THREADS;
  if (goes_on) return;
  serves_ = false;
  has_ended_ = true;
}

auto Host::select(double timeout) -> Selected {
  if (selects_) {
    PyErr_SetString(PyExc_RuntimeError, "select() is called within itself");
    return Selected::raised;
  }
  const struct Selecting {
    explicit Selecting(bool& flag) noexcept : selects(flag) { selects = true; }
    ~Selecting() { selects = false; }
    bool& selects;
  } selecting(selects_);
  if (!note_loop()) return Selected::raised;
  const bool begun = begin_all();
  // A handler's wait may have seen it end.
  if (has_ended_) return note_end() && begun ? Selected::nothing : Selected::raised;
  if (!begun) return Selected::raised;
  watch_selector();
  // What was left readable does not become so again.
  if (std::exchange(must_look_, false) && selector_is_readable()) selector_is_ready_ = true;
  is_due_ = timeout == 0 || selector_is_ready_ || loop_has_work();
  if (is_due_) {
    // A turn and no more: what is posted is taken in at its end.
    if (!std::exchange(visit_is_queued_, true)) server_.scheduler().post(visit_);
  } else if (timeout > 0) {
    constexpr double kMost = 1e9;
    const auto delay = static_cast<std::int64_t>(std::fmin(timeout, kMost) * 1e9);
    server_.scheduler().timers().set(timeout_, {server_.io().now().ns + delay});
  }
  bool raised = false;
  do {
    resume_until_visited();
    raised = !begin_all() || PyErr_CheckSignals() != 0;
  } while (!raised && serves_ && !is_due_ && !selector_is_ready_ && !loop_has_work());
  if (has_ended_) {
    raised = !note_end() || raised;
  } else {
    server_.scheduler().timers().clear(timeout_);
  }
  if (raised) return Selected::raised;
  must_look_ = std::exchange(selector_is_ready_, false);
  return must_look_ ? Selected::readable : Selected::nothing;
}

// Whether asyncio has anything to do that it did not know of when it called select().
bool Host::loop_has_work() noexcept {
  if (PyObject_Size(ready_) != 0) return true;
  if (PyList_GET_SIZE(scheduled_) != scheduled_count_) return true;
  if (scheduled_count_ > 0 && PyList_GET_ITEM(scheduled_, 0) != scheduled_first_) return true;
  const Reference stopping(PyObject_GetAttr(loop_, state_.names.stopping));
  if (!stopping) PyErr_Clear();
  return stopping.get() == Py_True;
}

// The loop makes another list of it when it has many timers that were cancelled.
bool Host::note_loop() {
  Reference scheduled(PyObject_GetAttr(loop_, state_.names.scheduled));
  if (!scheduled) return false;
  if (PyList_CheckExact(scheduled.get()) == 0) {
    PyErr_SetString(PyExc_TypeError, "the loop's timers are no list any more");
    return false;
  }
  Reference former(std::exchange(scheduled_, scheduled.release()));
  scheduled_count_ = PyList_GET_SIZE(scheduled_);
  scheduled_first_ = scheduled_count_ > 0 ? PyList_GET_ITEM(scheduled_, 0) : nullptr;
  return true;
}

bool Host::begin(Served& served) {
  if (ends_ || has_ended_) {
    served.fail("the server has ended");
    return true;
  }
  beginning_ = &served;
  const bool done = served.handler().begin(served);
  Served* const left = std::exchange(beginning_, nullptr);
  // What has become of it before could not be told to anybody.
  if (!done || left == nullptr || left->caller == nullptr || !left->is_gone()) return done;
  return left->handler().report(*left);
}

bool Host::begin_all() {
  while (Served* const served = begun_.pop()) {
    if (!begin(*served)) return false;
  }
  while (Served* const served = reports_.pop()) {
    if (!served->handler().report(*served)) return false;
  }
  return true;
}

// What is raised before stays so, and goes before what is raised here.
bool Host::note_end() {
  const Reference ended(std::exchange(ended_, nullptr));
  if (!ended) return true;
  Reference former = take_raised();
  const Reference is_done(PyObject_CallMethodNoArgs(ended.get(), state_.names.done));
  const bool done =
      is_done && (is_done.get() == Py_True || Reference(PyObject_CallMethodOneArg(
                                                  ended.get(), state_.names.set_result, Py_None)));
  if (!done && former) PyErr_WriteUnraisable(ended.get());
  raise_anew(std::move(former));
  return done;
}

Reference Host::ended_future() {
  if (loop_ == nullptr) {
    PyErr_SetString(PyExc_RuntimeError, "the Server has not been started");
    return Reference();
  }
  if (ended_ == nullptr) {
    Reference future = new_future();
    if (!future) return future;
    ended_ = future.release();
    const Reference both = Reference::to(ended_);
    if (has_ended_ && !note_end()) return Reference();
    return Reference::to(both.get());
  }
  return Reference::to(ended_);
}

void Host::drain() {
  Py_BEGIN_ALLOW_THREADS;
  server_.drain();
  Py_END_ALLOW_THREADS;
}

void Host::cut_off() {
  Py_BEGIN_ALLOW_THREADS;
  server_.cut_off();
  Py_END_ALLOW_THREADS;
}

void Host::run_parking(const std::function<void()>& function) {
  if (!serves_) return function();
  struct Parking : gvt::Runnable {
    Parking(Host& owner, const std::function<void()>& to_do) noexcept
        : Runnable(&Parking::run_it), host(owner), body(to_do) {}
    static void run_it(gvt::Runnable& self) {
      auto& parking = static_cast<Parking&>(self);
      try {
        parking.body();
      } catch (...) {
        parking.failure = std::current_exception();
      }
      parking.is_over = true;
      parking.host.want_visit();
    }
    Host& host;
    const std::function<void()>& body;
    std::exception_ptr failure;
    bool is_over = false;
  } parking(*this, function);
  server_.scheduler().make_ready(parking);
  while (!parking.is_over && serves_) resume_until_visited();
  if (has_ended_ && !note_end()) PyErr_WriteUnraisable(nullptr);
  if (parking.failure) std::rethrow_exception(parking.failure);
}

void Host::end() noexcept {
  if (!serves_) return;
  ends_ = true;
  cut_off();
  while (serves_) {
    resume_until_visited();
    if (!begin_all()) PyErr_WriteUnraisable(nullptr);
  }
  if (!note_end()) PyErr_WriteUnraisable(nullptr);
}

Reference Host::new_future() { return Reference(PyObject_CallNoArgs(create_future_)); }

std::string Host::take_failure(const char* message) {
  if (PyErr_ExceptionMatches(PyExc_Exception) == 0 &&
      PyErr_ExceptionMatches(state_.cancelled_error) == 0) {
    return {};
  }
  const Reference exception = take_raised();
  std::string text = Py_TYPE(exception.get())->tp_name;
  const Reference words(PyObject_Str(exception.get()));
  if (words) {
    const std::string_view said = view_of_text(words.get());
    if (!said.empty()) text.append(": ").append(said);
  }
  PyErr_Clear();
  const Reference context(
      Py_BuildValue("{ss,sO}", "message", message, "exception", exception.get()));
  const Reference told(
      context ? PyObject_CallMethodOneArg(loop_, state_.names.call_exception_handler, context.get())
              : nullptr);
  if (!told) PyErr_WriteUnraisable(loop_);
  return text;
}

}  // namespace weft::python
