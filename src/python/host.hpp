// Host: the interpreter's side of a worker: where requests for Python wait for it, and what it is
// visited for.
//
// A server and its loop of asyncio share an OS thread. Whoever on the worker's loop has something
// for Python puts it into a list here, and a visit is queued behind all that is ready, so that the
// requests of a turn come in one visit. select() is what asyncio waits in: it runs the worker's
// loop with the interpreter's lock released, and begins what has come during the visit.
#pragma once

#include "python/reference.hpp"
// Behind Python.h, which wants to come first.
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "app/hosted_server.hpp"
#include "gvt/run_queue.hpp"
#include "gvt/timer_wheel.hpp"
#include "ksvc/sink/direct_wake_sink.hpp"
#include "python/served.hpp"
#include "python/state.hpp"
#include "weft/app.hpp"

namespace weft::python {

class Host {
 public:
  // `owner`, borrowed, is the object that has this.
  Host(State& state, PyObject* owner);
  ~Host();
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  // ---- The worker's loop's

  void hand_in(Served& served) noexcept;
  void report(Served& served) noexcept;
  void forget(Served& served) noexcept;

  // ---- The OS thread's, with the interpreter's lock

  App& app() noexcept { return app_; }
  State& state() noexcept { return state_; }
  PyObject* tasks() noexcept { return tasks_; }
  PyObject* loop() noexcept { return loop_; }
  PyObject* owner() noexcept { return owner_; }
  // A task that waits is kept, which its loop does not do. False: it has raised.
  bool keep_task(PyObject* task);
  bool forget_task(PyObject* task);
  // False: it has raised.
  bool start(const Options& options, int selector_fd, PyObject* tasks);
  bool open();
  enum class Selected : std::uint8_t { nothing, readable, raised };
  // Runs the worker until asyncio has something to do. Seconds; negative: as long as it takes.
  Selected select(double timeout);
  void drain();
  void cut_off();
  // Any thread's, with the interpreter's lock: select() looks at asyncio's lists soon. False: the
  // server does not serve.
  bool wake() noexcept;
  // While the server runs: does what may park, on a green thread; the loop goes on until it has
  // ended. Before: in place.
  void run_parking(const std::function<void()>& function);
  // Goes on until the server has ended, for whoever has no loop of asyncio any more.
  void end() noexcept;

  // For the collector of cycles.
  int traverse(visitproc visit, void* arg) const;
  void let_go() noexcept;

  // For what is written anew each time.
  std::string& scratch() noexcept { return scratch_; }

  bool serves() const noexcept { return serves_; }
  bool has_ended() const noexcept { return has_ended_; }
  const std::string& location() const noexcept { return server_.location(); }
  // Behind the end those of the end.
  ServerStats stats() const { return has_ended_ ? last_stats_ : app_.stats(); }
  Reference new_future();
  // A future that is done when the server has ended.
  Reference ended_future();
  // Tells the loop's handler of exceptions about the one that is raised, which is then no more;
  // returns what is to be said of it to the log. What is meant for the loop stays raised: then the
  // text is empty.
  std::string take_failure(const char* message);

 private:
  // FIFOs without memory of their own.
  struct List {
    Served* first = nullptr;
    Served* last = nullptr;
    void push(Served& served) noexcept;
    Served* pop() noexcept;
    void remove(Served& served) noexcept;
  };
  struct Visit : gvt::Runnable {
    explicit Visit(Host& owner) noexcept : Runnable(&Host::visit), host(owner) {}
    Host& host;
  };
  struct Timeout : gvt::Timer {
    explicit Timeout(Host& owner) noexcept : Timer(&Host::timed_out), host(owner) {}
    Host& host;
  };
  struct Wake : gvt::Runnable {
    explicit Wake(Host& owner) noexcept : Runnable(&Host::woken), host(owner) {}
    Host& host;
  };
  struct SelectorTarget : ksvc::CompletionTarget {
    explicit SelectorTarget(Host& owner) noexcept
        : CompletionTarget(&Host::selector_ready), host(owner) {}
    Host& host;
  };

  static void visit(gvt::Runnable& self);
  static void woken(gvt::Runnable& self);
  static void timed_out(gvt::Timer& timer);
  static void selector_ready(ksvc::CompletionTarget& target, unsigned tag,
                             const ksvc::Completion& completion);

  void want_visit() noexcept;
  bool selector_is_readable() const noexcept;
  void watch_selector();
  void resume_until_visited();
  bool begin_all();
  bool begin(Served& served);
  bool loop_has_work() noexcept;
  bool note_loop();
  bool note_end();

  State& state_;
  PyObject* owner_;
  App app_;
  app::HostedServer server_;
  std::string scratch_;
  ServerStats last_stats_;
  Visit visit_{*this};
  Timeout timeout_{*this};
  Wake wake_{*this};
  SelectorTarget selector_target_{*this};
  List begun_;
  Served* beginning_ = nullptr;  // null again once it is gone
  List reports_;
  int selector_fd_ = -1;
  std::mutex wake_mutex_;  // of the two below
  bool can_be_woken_ = false;
  bool wake_is_queued_ = false;
  bool visit_is_queued_ = false;
  bool selector_is_watched_ = false;
  bool selector_is_ready_ = false;
  bool must_look_ = true;  // at the selector, which may be readable without having become so
  bool is_due_ = false;
  bool serves_ = false;
  bool ends_ = false;  // nothing begins any more
  bool has_ended_ = false;
  bool selects_ = false;
  PyObject* running_ = nullptr;  // a set of tasks
  PyObject* tasks_ = nullptr;
  PyObject* loop_ = nullptr;   // borrowed from the former
  PyObject* ready_ = nullptr;  // the loop's own lists
  PyObject* scheduled_ = nullptr;
  PyObject* create_future_ = nullptr;
  PyObject* ended_ = nullptr;
  Py_ssize_t scheduled_count_ = 0;
  PyObject* scheduled_first_ = nullptr;  // borrowed, compared only
};

}  // namespace weft::python
