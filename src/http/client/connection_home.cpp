#include "http/client/connection_home.hpp"

#include <mutex>

#include "gvt/blocking_io.hpp"
#include "http/client/connection_pool.hpp"
#include "weft/detail/task_state.hpp"

namespace weft::http {

struct ConnectionHome::LeftHere {
  std::mutex mutex;
  std::unique_ptr<ClientConnection> first;
  bool thread_ended = false;
};

// The thread's worker has ended before the thread does, so nothing remembers the descriptors then.
struct ConnectionHome::ThreadsOwn {
  ~ThreadsOwn() {
    std::unique_ptr<ClientConnection> closed;
    const std::lock_guard lock(left->mutex);
    left->thread_ended = true;
    closed = std::move(left->first);
  }

  std::shared_ptr<LeftHere> left = std::make_shared<LeftHere>();
};

// Never inlined: a green thread may go on on another OS thread.
[[gnu::noinline]] const std::shared_ptr<ConnectionHome::LeftHere>&
ConnectionHome::of_this_thread() {
  thread_local const ThreadsOwn own;
  return own.left;
}

ConnectionHome ConnectionHome::here() {
  gvt::BlockingIo* const io = gvt::current_io();
  if (io == nullptr) return {Kind::os_threads, nullptr};
  if (!io->remembers_descriptors()) return {Kind::rings, nullptr};
  detail::current_task().stays = true;
  return {Kind::one_thread, of_this_thread()};
}

void ConnectionHome::tidy() const noexcept {
  if (kind_ != Kind::one_thread) return;
  std::unique_ptr<ClientConnection> closed;
  const std::lock_guard lock(thread_->mutex);
  closed = std::move(thread_->first);
}

void ConnectionHome::close(std::unique_ptr<ClientConnection> connection) const noexcept {
  const ConnectionHome home = connection->home;
  if (home.kind_ != Kind::one_thread || home == *this) return;
  static_cast<void>(connection->stream().shutdown(ShutdownSide::both));
  const std::lock_guard lock(home.thread_->mutex);
  if (home.thread_->thread_ended) return;
  connection->next = std::move(home.thread_->first);
  home.thread_->first = std::move(connection);
}

}  // namespace weft::http
