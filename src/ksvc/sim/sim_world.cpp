#include "ksvc/sim/sim_world.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "ksvc/core/operation.hpp"
#include "ksvc/sim/sim_checksum.hpp"

namespace weft::ksvc {

namespace {
// SYNs that nobody answers are sent again.
constexpr std::chrono::seconds kFirstRetry{1};
constexpr unsigned kMostAttempts = 6;
}  // namespace

SimWorld::SimWorld(std::uint64_t seed, SimOptions options)
    : seed_(seed),
      options_(std::move(options)),
      random_(seed),
      reuses_descriptors_(random_.below(2) == 0) {}

SimWorld::~SimWorld() = default;

void SimWorld::at(TimePoint time, std::function<void()> happens) {
  events_.push_back({std::max(time, now_), next_event_++, std::move(happens)});
  std::push_heap(events_.begin(), events_.end(), is_later);
}

bool SimWorld::step(TimePoint limit) {
  if (events_.empty() || events_.front().time > limit) return false;
  std::pop_heap(events_.begin(), events_.end(), is_later);
  const Event event = std::move(events_.back());
  events_.pop_back();
  now_ = std::max(now_, event.time);
  event.happens();
  return true;
}

void SimWorld::run_until(TimePoint time) {
  while (step(time)) {
  }
  now_ = std::max(now_, time);
}

int SimWorld::open(SimDescriptor descriptor) {
  if (open_ >= options_.most_descriptors) return -EMFILE;
  std::size_t index = reuses_descriptors_ ? 0 : descriptors_.size();
  while (index < descriptors_.size() && descriptors_[index].kind != SimDescriptor::Kind::free) {
    ++index;
  }
  if (index == descriptors_.size()) descriptors_.emplace_back();
  descriptors_[index] = std::move(descriptor);
  descriptors_[index].serial = next_serial_++;
  ++open_;
  return kBackendDescriptor | static_cast<int>(index);
}

bool SimWorld::is_open(int fd) const noexcept {
  const auto index = static_cast<std::size_t>(fd & ~kBackendDescriptor);
  return made_by_backend(fd) && index < descriptors_.size() &&
         descriptors_[index].kind != SimDescriptor::Kind::free;
}

SimDescriptor& SimWorld::descriptor(int fd) {
  if (!is_open(fd)) fail("descriptor " + std::to_string(fd) + " is used and not open");
  return descriptors_[static_cast<std::size_t>(fd & ~kBackendDescriptor)];
}

void SimWorld::close(int fd, bool reset) {
  SimDescriptor& entry = descriptor(fd);
  if (entry.endpoint != nullptr) SimWire(*this).close(*entry.endpoint, reset);
  if (entry.listener != nullptr) {
    entry.listener->closed = true;
    // Whoever is still in the queue is reset.
    for (const auto& waiting : entry.listener->queue) SimWire(*this).close(*waiting, true);
    entry.listener->queue.clear();
  }
  entry = {};
  --open_;
}

int SimWorld::make_listener(unsigned backlog) {
  SimDescriptor entry;
  entry.kind = SimDescriptor::Kind::listener;
  entry.port = next_port_++;
  entry.listener = std::make_shared<SimListener>();
  entry.listener->port = entry.port;
  entry.listener->backlog = backlog;
  listeners_.push_back(entry.listener);
  return open(std::move(entry));
}

int SimWorld::make_socket() {
  SimDescriptor entry;
  entry.kind = SimDescriptor::Kind::socket;
  entry.endpoint = SimWire(*this).make_endpoint();
  return open(std::move(entry));
}

int SimWorld::make_file(std::string bytes) {
  SimDescriptor entry;
  entry.kind = SimDescriptor::Kind::file;
  entry.file = std::make_shared<std::string>(std::move(bytes));
  return open(std::move(entry));
}

int SimWorld::make_event() {
  SimDescriptor entry;
  entry.kind = SimDescriptor::Kind::event;
  return open(std::move(entry));
}

void SimWorld::signal(int event) {
  SimDescriptor& entry = descriptor(event);
  entry.signalled = true;
  if (entry.changed) entry.changed();
}

void SimWorld::clear(int event) { descriptor(event).signalled = false; }

void SimWorld::connect(std::shared_ptr<SimEndpoint> client, std::uint16_t port,
                       std::function<void(int os_errno)> done) {
  try_connect(std::move(client), port, 0, std::move(done));
}

void SimWorld::try_connect(std::shared_ptr<SimEndpoint> client, std::uint16_t port,
                           unsigned attempt, std::function<void(int os_errno)> done) {
  const auto delay = std::chrono::nanoseconds(
      random_.below(static_cast<std::uint64_t>(options_.latency.count()) + 1));
  after(delay, [this, client = std::move(client), port, attempt, done = std::move(done)] {
    if (client->closed) return;
    std::shared_ptr<SimListener> listener;
    for (const auto& known : listeners_) {
      auto candidate = known.lock();
      if (candidate != nullptr && candidate->port == port) listener = std::move(candidate);
    }
    if (listener == nullptr || listener->closed) {
      note("refused", port);
      return done(ECONNREFUSED);
    }
    if (listener->refusing || listener->queue.size() >= listener->backlog) {
      if (attempt + 1 == kMostAttempts) return done(ETIMEDOUT);
      after(kFirstRetry * (1 << attempt),
            [this, client, port, attempt, done] { try_connect(client, port, attempt + 1, done); });
      return;
    }
    auto server = SimWire(*this).make_endpoint();
    SimWire(*this).join(client, server);
    note("connected", port);
    listener->queue.push_back(std::move(server));
    done(0);
    if (listener->changed) listener->changed();
  });
}

void SimWorld::note(std::string_view what, std::uint64_t first, std::uint64_t second) {
  const Noted& noted = notes_[noted_++ % kKeptNotes] = {now_, what, first, second};
  hash_ = sim_mix(hash_, sim_checksum(what.data(), what.size()));
  hash_ = sim_mix(hash_, static_cast<std::uint64_t>(now_.ns));
  hash_ = sim_mix(sim_mix(hash_, first), second);
  if (options_.keep_trace) trace_ += line(noted);
}

std::string SimWorld::line(const Noted& noted) {
  return std::to_string(noted.time.ns) + ' ' + std::string(noted.what) + ' ' +
         std::to_string(noted.first) + ' ' +
         std::to_string(static_cast<std::int64_t>(noted.second)) + '\n';
}

int SimWorld::take_forced_error(std::size_t kind) {
  for (auto forced = forced_errors_.begin(); forced != forced_errors_.end(); ++forced) {
    if (forced->first != kind) continue;
    const int os_errno = forced->second;
    forced_errors_.erase(forced);
    return os_errno;
  }
  return 0;
}

void SimWorld::check_nothing_left() const {
  if (open_ == 0) return;
  std::string what = "descriptors are left open:";
  for (std::size_t i = 0; i < descriptors_.size(); ++i) {
    if (descriptors_[i].kind != SimDescriptor::Kind::free) what += ' ' + std::to_string(i);
  }
  fail(what);
}

void SimWorld::fail(const std::string& what) const {
  std::fprintf(stderr, "weft: simulated kernel: %s\n  seed %llu, at %lld ns\n", what.c_str(),
               static_cast<unsigned long long>(seed_), static_cast<long long>(now_.ns));
  if (!options_.replay.empty()) std::fprintf(stderr, "  replay: %s\n", options_.replay.c_str());
  std::fputs("  the last that happened, with its time in ns:\n", stderr);
  for (std::uint64_t i = noted_ > kKeptNotes ? noted_ - kKeptNotes : 0; i < noted_; ++i) {
    std::fputs(("    " + line(notes_[i % kKeptNotes])).c_str(), stderr);
  }
  std::abort();
}

}  // namespace weft::ksvc
