// SimWorld: a machine made of one seed: its time, what will happen in it, its descriptors.
//
// Everything that happens is drawn from one stream of random numbers and ordered by virtual time,
// so the same seed and options give the same run, to the byte; the trace's hash is the proof. What
// breaks a contract of the kernel's ends the process, with the seed and how to replay it. Several
// worlds may live side by side. One thread; must outlive whatever refers to it.
//
//   SimWorld world(seed, {.faults = {.short_read = 100}});
//   const int listener = world.make_listener();
//   auto worker = Worker<SimBackend, SimClock, SimNotifier>::assemble(
//       {}, SimBackend::make(world), SimClock(world));
//   SimPeer client(world, world.port_of(listener));  // or SimWire's calls on an end of its own
//   client.on_bytes = [&](std::string_view bytes) { ... };
//   client.send("hello");
//   world.after(3ms, [&] { client.finish(); });
//   worker->run();
//   worker->backend().check_nothing_left();
//   world.check_nothing_left();
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ksvc/backend/chain_keeper.hpp"
#include "ksvc/core/clock.hpp"
#include "ksvc/sim/sim_network.hpp"
#include "ksvc/sim/sim_options.hpp"
#include "ksvc/sim/sim_random.hpp"

namespace weft::ksvc {

class SimWorld {
 public:
  explicit SimWorld(std::uint64_t seed, SimOptions options = {});
  ~SimWorld();
  SimWorld(const SimWorld&) = delete;
  SimWorld& operator=(const SimWorld&) = delete;

  std::uint64_t seed() const noexcept { return seed_; }
  const SimOptions& options() const noexcept { return options_; }
  SimFaults& faults() noexcept { return options_.faults; }
  SimRandom& random() noexcept { return random_; }
  bool strikes(unsigned per_mille) noexcept { return random_.strikes(per_mille); }

  // Time.
  TimePoint now() const noexcept { return now_; }
  void at(TimePoint time, std::function<void()> happens);
  void after(std::chrono::nanoseconds delay, std::function<void()> happens) {
    at(now_ + delay, std::move(happens));
  }
  // Lets time go on to the next event that is due by `limit`, and has it happen; false when there
  // is none, and then no time has passed.
  bool step(TimePoint limit);
  // Lets time go on until then, with all that happens meanwhile.
  void run_until(TimePoint time);

  // Descriptors, all of the kind that a back end makes itself. In one half of all worlds the lowest
  // free one is used first, as systems do; in the others none is used twice, so that every use
  // after a close is seen. Negative errno when there may be no more.
  int open(SimDescriptor descriptor);
  SimDescriptor& descriptor(int fd);
  bool is_open(int fd) const noexcept;
  void close(int fd, bool reset);
  std::size_t open_descriptors() const noexcept { return open_; }

  // A listener on a port of its own; a socket to be connected; a file with these bytes; something
  // that is readable from signal() until clear().
  int make_listener(unsigned backlog = 1024);
  int make_socket();
  int make_file(std::string bytes);
  int make_event();
  void signal(int event);
  void clear(int event);
  std::uint16_t port_of(int fd) { return descriptor(fd).port; }
  const std::string& contents_of(int file) { return *descriptor(file).file; }

  // Connects `client` to the port, now or as soon as there is a listener that takes it; `done` is
  // told 0 or the errno.
  void connect(std::shared_ptr<SimEndpoint> client, std::uint16_t port,
               std::function<void(int os_errno)> done);

  // The next operation of this kind, by its place in ChainedOperation, fails so.
  template <class Op>
  void fail_next(int os_errno) {
    forced_errors_.emplace_back(ChainedOperation(Op{}).index(), os_errno);
  }
  // 0 for none.
  int take_forced_error(std::size_t kind);

  // What happened, in numbers that do not depend on addresses. `what` must live for ever.
  void note(std::string_view what, std::uint64_t first = 0, std::uint64_t second = 0);
  std::uint64_t trace_hash() const noexcept { return hash_; }
  const std::string& trace() const noexcept { return trace_; }

  // Says what is wrong, the seed and the last that happened, and ends the process.
  [[noreturn]] void fail(const std::string& what) const;
  // Fails when a descriptor is still open.
  void check_nothing_left() const;

 private:
  void try_connect(std::shared_ptr<SimEndpoint> client, std::uint16_t port, unsigned attempt,
                   std::function<void(int os_errno)> done);
  struct Event {
    TimePoint time;
    std::uint64_t number;
    std::function<void()> happens;
  };
  struct Noted {
    TimePoint time;
    std::string_view what;
    std::uint64_t first;
    std::uint64_t second;
  };
  static constexpr std::size_t kKeptNotes = 40;
  static std::string line(const Noted& noted);

  static bool is_later(const Event& left, const Event& right) noexcept {
    return left.time != right.time ? left.time > right.time : left.number > right.number;
  }

  std::uint64_t seed_;
  SimOptions options_;
  SimRandom random_;
  TimePoint now_{1'000'000'000};
  std::vector<Event> events_;  // a heap, the next one first
  std::uint64_t next_event_ = 0;
  std::vector<SimDescriptor> descriptors_;
  std::size_t open_ = 0;
  std::uint16_t next_port_ = 40'000;
  std::vector<std::weak_ptr<SimListener>> listeners_;
  std::vector<std::pair<std::size_t, int>> forced_errors_;
  bool reuses_descriptors_;
  std::uint64_t next_serial_ = 1;
  std::uint64_t hash_ = 0xCBF2'9CE4'8422'2325;
  std::string trace_;
  std::array<Noted, kKeptNotes> notes_{};  // the last ones, in a ring
  std::uint64_t noted_ = 0;
};

}  // namespace weft::ksvc
