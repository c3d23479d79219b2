// HostedServer: an App's server whose first worker is a thread of a host, which does other things
// on it besides: the interpreter of a script language, say, whose code needs a thread's own stack.
//
// All of it is for that thread, but for drain(), cut_off() and location(), which are any thread's.
// The first drain() or cut_off() starts a watch: a worker that does not come back in the time that
// App::run() would wait ends the process as it does there, with a report and kHungStatus. The App
// outlives it.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "app/stop_patience.hpp"
#include "gvt/blocking_io.hpp"
#include "weft/app.hpp"

namespace weft::app {

class HostedServer {
 public:
  explicit HostedServer(App& app) noexcept : app_(app) {}
  // Ends it as end() does.
  ~HostedServer();
  HostedServer(const HostedServer&) = delete;
  HostedServer& operator=(const HostedServer&) = delete;

  // Sets all up, but accepts nobody. Throws std::runtime_error when the server cannot start.
  void set_up(const Options& options);
  // Clients are accepted from the next resume() on. Prints the start line.
  void open();
  // Serves until something on the loop visits the thread (gvt::Scheduler::visit_os_thread()). False
  // when the worker has stopped, or has never been opened: end() is next.
  bool resume();
  // Drains what is left, waits for the other workers, and stops the App.
  void end();

  // Lets requests finish; and ends without waiting for them.
  void drain() { stop(false); }
  void cut_off() { stop(true); }

  const std::string& location() const noexcept { return location_; }
  // From set_up() until resume() has said false.
  gvt::Scheduler& scheduler() noexcept;
  gvt::BlockingIo& io() noexcept;

 private:
  void stop(bool at_once);
  void watch();

  App& app_;
  std::shared_ptr<App::Running> running_;
  Options options_;
  std::string location_;
  std::string start_line_reason_;
  bool opened_ = false;
  bool begun_ = false;
  bool over_ = false;
  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::optional<StopPatience> patience_;
  bool ended_ = false;
  std::thread watch_;
};

}  // namespace weft::app
