#include "ksvc/sim/sim_world.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "ksvc/core/operation.hpp"

namespace weft::ksvc {

namespace {
// SYNs that nobody answers are sent again.
constexpr std::chrono::milliseconds kSynRetry{1000};
}  // namespace

SimWorld::SimWorld(std::uint64_t seed, SimOptions options)
    : seed_(seed), options_(std::move(options)), random_(seed) {}

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
  std::size_t index = 0;
  while (index < descriptors_.size() && descriptors_[index].kind != SimDescriptor::Kind::free) {
    ++index;
  }
  if (index == descriptors_.size()) descriptors_.emplace_back();
  descriptors_[index] = std::move(descriptor);
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
  if (entry.operations > 0) fail("a descriptor is closed with operations in flight on it");
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
  const auto delay = std::chrono::nanoseconds(
      random_.below(static_cast<std::uint64_t>(options_.latency.count()) + 1));
  after(delay, [this, client = std::move(client), port, done = std::move(done)] {
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
      after(kSynRetry, [this, client, port, done] { connect(client, port, done); });
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
  const auto add = [this](std::uint64_t byte) { hash_ = (hash_ ^ byte) * 0x0000'0100'0000'01B3; };
  for (const char letter : what) add(static_cast<unsigned char>(letter));
  for (const std::uint64_t number : {static_cast<std::uint64_t>(now_.ns), first, second}) {
    for (int byte = 0; byte < 8; ++byte) add(number >> (8 * byte) & 0xFF);
  }
  if (!options_.keep_trace) return;
  trace_ += std::to_string(now_.ns) + ' ' + std::string(what) + ' ' + std::to_string(first) + ' ' +
            std::to_string(static_cast<std::int64_t>(second)) + '\n';
}

void SimWorld::fail(const std::string& what) const {
  std::fprintf(stderr, "weft: simulated kernel: %s\n  seed %llu, at %lld ns\n", what.c_str(),
               static_cast<unsigned long long>(seed_), static_cast<long long>(now_.ns));
  if (!options_.replay.empty()) std::fprintf(stderr, "  replay: %s\n", options_.replay.c_str());
  std::abort();
}

}  // namespace weft::ksvc
