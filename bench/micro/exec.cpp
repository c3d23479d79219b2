// What the way to a pool thread costs, and what others feel while every pool thread computes.
//
// ROUNDS takes rows, as the programs of ksvc do: the hand-off itself, by what a worker's loop does
// for it (admission and pool); requests on one connection, for a route on the loop and one on the
// pool; and an open loop of 5,000 requests a second for a route on the loop, beside an idle pool
// and beside one all of whose threads compute. Server, pool and client share two cores.
// "serve PORT [mixed]" is a server for counting instructions: with mixed there are worker routes
// beside the one that is asked, which is not to cost it anything.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <deque>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "exec/admission.hpp"
#include "ksvc/pool/fixed_pool.hpp"
#include "ksvc_rows.hpp"
#include "weft/weft.hpp"

namespace {

using namespace weft;
using bench::Rows;
using Clock = std::chrono::steady_clock;
using std::chrono::microseconds;
using std::chrono::nanoseconds;

double percentile(std::vector<double>& values, double share) {
  const auto at = static_cast<std::ptrdiff_t>(share * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), values.begin() + at, values.end());
  return values[static_cast<std::size_t>(at)];
}

// ---- The hand-off

struct Call : exec::Entrant, ksvc::PoolTask {
  explicit Call(const std::array<exec::Gate*, kMostGates>& way) : PoolTask(&Call::run) {
    set_way(way);
  }
  bool still_wants() noexcept override { return true; }
  static void run(ksvc::PoolTask& task) noexcept {
    auto& call = static_cast<Call&>(task);
    call.began = Clock::now();
    call.done.store(true, std::memory_order_release);
  }

  Clock::time_point began;
  std::atomic<bool> done{false};
};

// The median, in microseconds, from a loop's decision to the first instruction on the pool.
double hand_off(ksvc::FixedPool& pool, nanoseconds pause) {
  constexpr int kTimes = 500;
  exec::Admission admission;
  exec::Gate executor(2);
  exec::Gate threads(2);
  std::vector<double> took;
  for (int i = 0; i < kTimes; ++i) {
    Call call({nullptr, &executor, &threads});
    const auto from = Clock::now();
    if (admission.enter(call) != nullptr) pool.submit(call);
    while (!call.done.load(std::memory_order_acquire)) {
    }
    if (admission.leave(call) != nullptr) std::abort();
    took.push_back(std::chrono::duration<double, std::micro>(call.began - from).count());
    const auto until = Clock::now() + pause;
    if (pause > microseconds(100)) std::this_thread::sleep_for(pause);
    while (Clock::now() < until) {
    }
  }
  return percentile(took, 0.5);
}

// ---- A client

class Connection {
 public:
  explicit Connection(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int on = 1;
    ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      throw std::runtime_error("cannot connect");
    }
  }
  Connection(Connection&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Connection& operator=(Connection&&) = delete;
  ~Connection() {
    if (fd_ >= 0) ::close(fd_);
  }

  int fd() const { return fd_; }
  void ask(std::string_view path) const {
    const std::string request = "GET " + std::string(path) + " HTTP/1.1\r\nHost: a\r\n\r\n";
    if (::send(fd_, request.data(), request.size(), MSG_NOSIGNAL) < 0) {
      throw std::runtime_error("cannot send");
    }
  }
  // Answers are shorter than this, and one at a time.
  void take() const {
    std::array<char, 1024> answer;
    const ssize_t size = ::recv(fd_, answer.data(), answer.size(), 0);
    if (size <= 0 || std::memcmp(answer.data(), "HTTP/1.1 200", 12) != 0) {
      throw std::runtime_error("not answered with 200");
    }
  }

 private:
  int fd_;
};

// The median of requests one after the other, in microseconds.
double round_trips(std::uint16_t port, std::string_view path) {
  constexpr int kTimes = 1'000;
  const Connection connection(port);
  std::vector<double> took;
  for (int i = 0; i < kTimes; ++i) {
    const auto from = Clock::now();
    connection.ask(path);
    connection.take();
    took.push_back(std::chrono::duration<double, std::micro>(Clock::now() - from).count());
  }
  return percentile(took, 0.5);
}

// The 99th percentile of an open loop, in milliseconds: each request has its time, whether earlier
// ones have been answered or not, and is counted from then on.
double open_loop(std::uint16_t port, std::string_view path) {
  constexpr int kRequests = 10'000;
  constexpr nanoseconds kGap = nanoseconds(std::chrono::seconds(1)) / 5'000;
  // Beyond those a request waits for one of them, and its time goes on.
  constexpr std::size_t kMostConnections = 256;
  std::vector<Connection> connections;
  std::vector<pollfd> polled;
  std::vector<Clock::time_point> due;
  std::vector<std::size_t> idle;
  const auto add_connection = [&] {
    idle.push_back(connections.size());
    connections.emplace_back(port);
    polled.push_back({connections.back().fd(), POLLIN, 0});
    due.emplace_back();
  };
  for (int i = 0; i < 32; ++i) add_connection();
  std::vector<double> took;
  int sent = 0;
  const auto begin = Clock::now();
  while (took.size() < kRequests) {
    for (; sent < kRequests && begin + sent * kGap <= Clock::now(); ++sent) {
      if (idle.empty() && connections.size() == kMostConnections) break;
      if (idle.empty()) add_connection();
      const std::size_t at = idle.back();
      idle.pop_back();
      due[at] = begin + sent * kGap;
      connections[at].ask(path);
    }
    const auto wait = sent < kRequests ? begin + sent * kGap - Clock::now() : microseconds(1'000);
    const timespec most{0, std::clamp<long>(static_cast<long>(wait.count()), 0, 1'000'000)};
    if (::ppoll(polled.data(), polled.size(), &most, nullptr) <= 0) continue;
    for (std::size_t i = 0; i < polled.size(); ++i) {
      if ((polled[i].revents & POLLIN) == 0) continue;
      connections[i].take();
      took.push_back(std::chrono::duration<double, std::milli>(Clock::now() - due[i]).count());
      idle.push_back(i);
    }
  }
  return percentile(took, 0.99);
}

// ---- The server

struct Server {
  Server() {
    app.get("/native", [](Context& c) { c.text("hello"); });
    app.get("/pool", worker(), [](Context& c) { c.text("hello"); });
    app.get("/spin", worker({.queue_time = std::chrono::minutes(1)}), [this](Context& c) {
      ++spinning;
      while (!released.load(std::memory_order_relaxed)) {
      }
      --spinning;
      c.text("spun");
    });
    Options options;
    options.port = 0;
    options.quiet = true;
    options.workers = 2;
    options.worker_pool = "on";
    options.worker_pool_size = kThreads;
    options.limits.request_timeout = std::chrono::hours(1);
    app.start(options);
  }
  // What the figure is while every thread of the pool computes.
  template <class Measure>
  double beside_spinners(const Measure& measure) {
    released = false;
    std::vector<Connection> busy;
    for (unsigned i = 0; i < kThreads; ++i) {
      busy.emplace_back(app.port());
      busy.back().ask("/spin");
    }
    while (spinning < static_cast<int>(kThreads)) std::this_thread::sleep_for(microseconds(100));
    const double figure = measure();
    released = true;
    for (const Connection& connection : busy) connection.take();
    return figure;
  }

  static constexpr unsigned kThreads = 2;
  std::atomic<bool> released{false};
  std::atomic<int> spinning{0};
  App app;
};

int serve(int count, char** words) {
  App app;
  app.get("/", [](Context& c) { c.text("hello"); });
  if (count > 3) {
    app.get("/slow", worker(), [](Context& c) { c.text("slow"); });
    app.get("/others/{n:int}", worker({.concurrency = 1}), [](Context& c) { c.text("slow"); });
  }
  Options options;
  options.port = static_cast<std::uint16_t>(std::stoi(words[2]));
  options.backend = "epoll";
  return app.run(options);
}

}  // namespace

int main(int count, char** words) {
  if (count > 2 && std::string_view(words[1]) == "serve") return serve(count, words);
  const auto arguments = bench::RowsArguments::from(count, words);
  cpu_set_t cores;
  CPU_ZERO(&cores);
  CPU_SET(arguments.first_core, &cores);
  CPU_SET(arguments.second_core, &cores);
  ::sched_setaffinity(0, sizeof cores, &cores);

  ksvc::FixedPoolOptions awake;
  awake.threads = 1;
  awake.awake_time = microseconds(50);
  ksvc::FixedPool pool(awake);
  Server server;
  const std::uint16_t port = server.app.port();
  Rows rows;
  rows.add("hand_off_awake", "us", [&] { return hand_off(pool, microseconds(10)); });
  rows.add("hand_off_asleep", "us", [&] { return hand_off(pool, microseconds(1'000)); });
  rows.add("round_trip_loop", "us", [&] { return round_trips(port, "/native"); });
  rows.add("round_trip_pool", "us", [&] { return round_trips(port, "/pool"); });
  rows.add("p99_beside_idle_pool", "ms", [&] { return open_loop(port, "/native"); });
  rows.add("p99_beside_busy_pool", "ms",
           [&] { return server.beside_spinners([&] { return open_loop(port, "/native"); }); });
  rows.run(arguments.rounds);
  rows.print();
}
