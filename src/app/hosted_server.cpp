#include "app/hosted_server.hpp"

#include <chrono>
#include <utility>

#include "app/app_state.hpp"
#include "ksvc/core/assert.hpp"

namespace weft::app {

HostedServer::~HostedServer() { end(); }

void HostedServer::set_up(const Options& options) {
  WEFT_ASSERT(running_ == nullptr);
  ksvc::BackendChoice choice;
  options_ = options;
  auto running = app_.start_closed(options, choice, true);
  {
    const std::lock_guard lock(mutex_);
    running_ = std::move(running);
  }
  start_line_reason_ = choice.reason;
  location_ = running_->server.location();
}

void HostedServer::open() {
  running_->server.open();
  opened_ = true;
  ksvc::BackendChoice choice;
  choice.kind = running_->backend;
  choice.reason = start_line_reason_;
  print_start_line(options_, location_, running_->workers, choice);
}

bool HostedServer::resume() {
  if (over_ || !opened_) return false;
  if (!begun_) {
    begun_ = running_->server.begin();
    over_ = !begun_;
    if (over_) return false;
  }
  over_ = !running_->server.resume();
  return !over_;
}

void HostedServer::end() {
  if (running_ == nullptr) return;
  // One that has stopped is not asked once more, which would be to insist.
  if (!over_) drain();
  while (resume()) {
    // Whoever visits finds nobody here any more.
  }
  running_->server.end();
  running_->server.join();
  std::shared_ptr<App::Running> last;
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
    last = running_;
    changed_.notify_all();
  }
  if (watch_.joinable()) watch_.join();
  {
    const std::lock_guard lock(mutex_);
    running_.reset();
  }
  last.reset();
  app_.stop();
}

gvt::Scheduler& HostedServer::scheduler() noexcept { return running_->server.scheduler(); }

gvt::BlockingIo& HostedServer::io() noexcept { return running_->server.io(); }

void HostedServer::stop(bool at_once) {
  std::shared_ptr<App::Running> running;
  {
    const std::lock_guard lock(mutex_);
    running = running_;
    if (ended_ || running == nullptr) return;
    if (!patience_) {
      patience_.emplace(app_.routes_->site.limits);
      watch_ = std::thread([this] { watch(); });
    }
    patience_->stop_is_asked();
    changed_.notify_all();
  }
  at_once ? running->server.cut_off() : running->server.drain();
}

void HostedServer::watch() {
  std::unique_lock lock(mutex_);
  while (!ended_) {
    if (patience_->is_over()) app_.leave_hung(*running_);
    changed_.wait_for(lock, std::chrono::milliseconds(patience_->left_ms()));
  }
}

}  // namespace weft::app
