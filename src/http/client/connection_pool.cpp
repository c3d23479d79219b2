#include "http/client/connection_pool.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <iterator>

#include "weft/detail/waiter.hpp"

namespace weft::http {

namespace {

// All origins are looked through for what has been kept too long at most this often.
constexpr std::int64_t kLookAgainNs = 1'000'000'000;

// A server that has said something without being asked, or has ended, is no good any more.
bool is_quiet(ClientConnection& connection) noexcept {
  char byte;
  return ::recv(connection.stream().fd(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
         (errno == EAGAIN || errno == EWOULDBLOCK);
}

void close_all(std::vector<std::unique_ptr<ClientConnection>>& connections) noexcept {
  if (connections.empty()) return;
  const ConnectionHome here = ConnectionHome::here();
  for (auto& connection : connections) here.close(std::move(connection));
  connections.clear();
}

}  // namespace

ConnectionPool::Place ConnectionPool::acquire(const std::string& origin) {
  const std::int64_t deadline_ns =
      detail::deadline_after(std::chrono::nanoseconds(options_.connection_wait).count());
  Origins::iterator wanted;
  {
    const std::lock_guard lock(mutex_);
    wanted = origins_.try_emplace(origin, options_.connections_per_origin).first;
    ++wanted->second.users;
  }
  bool has_origins = false;
  try {
    has_origins = wanted->second.free.acquire_for(options_.connection_wait);
    const std::chrono::nanoseconds left(std::max<std::int64_t>(0, deadline_ns - detail::now_ns()));
    if (has_origins && free_.acquire_for(left)) {
      const std::lock_guard lock(mutex_);
      ++wanted->second.in_use;
      ++in_use_;
      return {*this, wanted};
    }
  } catch (...) {
    if (has_origins) wanted->second.free.release();
    leave(wanted);
    throw;
  }
  if (has_origins) wanted->second.free.release();
  leave(wanted);
  return {};
}

// An origin that nobody uses and that has nothing is forgotten.
void ConnectionPool::leave(Origins::iterator origin) noexcept {
  const std::lock_guard lock(mutex_);
  if (--origin->second.users == 0 && origin->second.kept.empty()) origins_.erase(origin);
}

void ConnectionPool::release(Origins::iterator origin) noexcept {
  {
    const std::lock_guard lock(mutex_);
    --origin->second.in_use;
    --in_use_;
  }
  free_.release();
  origin->second.free.release();
  leave(origin);
}

std::unique_ptr<ClientConnection> ConnectionPool::take_kept(Origins::iterator origin) {
  const ConnectionHome here = ConnectionHome::here();
  here.tidy();
  Connections closed;
  std::unique_ptr<ClientConnection> found;
  {
    const std::lock_guard lock(mutex_);
    move_expired(detail::now_ns(), closed);
    Connections& kept = origin->second.kept;
    for (auto at = kept.end(); found == nullptr && at != kept.begin();) {
      --at;
      if ((*at)->home != here) continue;
      std::unique_ptr<ClientConnection>& taken = is_quiet(**at) ? found : closed.emplace_back();
      taken = std::move(*at);
      at = kept.erase(at);
      --kept_;
    }
    if (found != nullptr) ++reused_;
  }
  close_all(closed);
  if (found != nullptr) found->reused = true;
  return found;
}

void ConnectionPool::make_room(Origins::iterator origin) {
  Connections closed;
  {
    const std::lock_guard lock(mutex_);
    ++made_;
    Connections& own = origin->second.kept;
    if (!own.empty() && own.size() + origin->second.in_use > options_.connections_per_origin) {
      closed.push_back(std::move(own.front()));
      own.erase(own.begin());
      --kept_;
    }
    if (kept_ + in_use_ > options_.connections) {
      const auto oldest = [](const auto& entry) {
        const Connections& kept = entry.second.kept;
        return kept.empty() ? INT64_MAX : kept.front()->kept_since_ns;
      };
      const auto from = std::min_element(
          origins_.begin(), origins_.end(),
          [oldest](const auto& a, const auto& b) { return oldest(a) < oldest(b); });
      Connections& kept = from->second.kept;
      closed.push_back(std::move(kept.front()));
      kept.erase(kept.begin());
      --kept_;
      if (from->second.users == 0 && kept.empty()) origins_.erase(from);
    }
  }
  close_all(closed);
}

void ConnectionPool::keep(Origins::iterator origin, std::unique_ptr<ClientConnection> connection) {
  Connections closed;
  {
    const std::lock_guard lock(mutex_);
    if (keeps_) {
      connection->kept_since_ns = detail::now_ns();
      origin->second.kept.push_back(std::move(connection));
      ++kept_;
    } else {
      closed.push_back(std::move(connection));
    }
  }
  close_all(closed);
}

void ConnectionPool::move_expired(std::int64_t now_ns, Connections& into) {
  if (now_ns < look_again_ns_) return;
  look_again_ns_ = now_ns + std::min<std::int64_t>(
                                kLookAgainNs, std::chrono::nanoseconds(options_.keep_for).count());
  const std::int64_t since_ns = now_ns - std::chrono::nanoseconds(options_.keep_for).count();
  for (auto at = origins_.begin(); at != origins_.end();) {
    Connections& kept = at->second.kept;
    const auto fresh = std::find_if(kept.begin(), kept.end(), [since_ns](const auto& connection) {
      return connection->kept_since_ns > since_ns;
    });
    kept_ -= static_cast<std::size_t>(fresh - kept.begin());
    std::move(kept.begin(), fresh, std::back_inserter(into));
    kept.erase(kept.begin(), fresh);
    at = at->second.users == 0 && kept.empty() ? origins_.erase(at) : std::next(at);
  }
}

void ConnectionPool::close_kept() noexcept {
  Connections closed;
  {
    const std::lock_guard lock(mutex_);
    for (auto at = origins_.begin(); at != origins_.end();) {
      Connections& kept = at->second.kept;
      std::move(kept.begin(), kept.end(), std::back_inserter(closed));
      kept.clear();
      at = at->second.users == 0 ? origins_.erase(at) : std::next(at);
    }
    kept_ = 0;
  }
  close_all(closed);
}

void ConnectionPool::close_for_good() noexcept {
  {
    const std::lock_guard lock(mutex_);
    keeps_ = false;
  }
  close_kept();
}

ClientStats ConnectionPool::stats() const {
  const std::lock_guard lock(mutex_);
  return {in_use_, kept_, made_, reused_};
}

}  // namespace weft::http
