#include "sim_rig.hpp"

#include <cerrno>
#include <deque>

namespace weft::ksvc {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr CorrelationId kAccept = 1;
constexpr CorrelationId kReceive = 1'000;
constexpr CorrelationId kSend = 2'000'000;
constexpr milliseconds kPatience{400};  // longer than the longest delay of the network

// One operation per connection at a time: receives, then sends what came, then receives again.
class EchoServer {
 public:
  EchoServer(SimBackend& backend, int listener) : backend_(backend), listener_(listener) {
    backend_.submit(Accept{listener_, true}, kAccept);
  }

  void complete(const Completion& completion) noexcept {
    if (completion.corr_id == kAccept) return accepted(completion);
    const bool sent = completion.corr_id >= kSend;
    const std::size_t number = completion.corr_id - (sent ? kSend : kReceive);
    Connection& connection = connections_[number];
    if (sent) return this->sent(connection, number, completion.result);
    received(connection, number, completion);
  }

  bool idle() const { return open_ == 0; }
  void close() {
    closing_ = true;
    if (!stopped_) backend_.submit(Cancel{listener_, kAccept}, 0);
  }
  bool stopped() const { return stopped_; }

 private:
  struct Connection {
    int fd;
    std::string waiting;
    std::string sending;
    std::size_t done = 0;
    bool receiving = true;
    bool ended = false;
    bool failed = false;
  };

  void accepted(const Completion& completion) {
    if (completion.result >= 0) {
      ++open_;
      connections_.push_back({completion.result, {}, {}});
      backend_.submit(Receive{completion.result}, kReceive + connections_.size() - 1);
    }
    if (completion.more) return;
    stopped_ = closing_;
    if (!stopped_) backend_.submit(Accept{listener_, true}, kAccept);
  }

  void received(Connection& connection, std::size_t number, Completion completion) {
    if (completion.lease) {
      connection.waiting.append(completion.lease.data, completion.lease.size);
      backend_.buffers().release(completion.lease);
    }
    if (!completion.more) {
      connection.receiving = completion.result > 0 || completion.result == -ENOBUFS;
      connection.ended = !connection.receiving;
      connection.failed = completion.result < 0 && completion.result != -ENOBUFS;
      if (connection.receiving) backend_.submit(Receive{connection.fd}, kReceive + number);
    }
    go_on(connection, number);
  }

  void sent(Connection& connection, std::size_t number, std::int32_t result) {
    if (result < 0) connection.failed = true;
    if (result > 0) connection.done += static_cast<std::size_t>(result);
    if (connection.done < connection.sending.size() && !connection.failed) {
      return send_rest(connection, number);
    }
    connection.sending.clear();
    go_on(connection, number);
  }

  void go_on(Connection& connection, std::size_t number) {
    if (!connection.sending.empty()) return;
    if (!connection.waiting.empty() && !connection.failed) {
      connection.sending = std::exchange(connection.waiting, {});
      connection.done = 0;
      return send_rest(connection, number);
    }
    if (connection.fd < 0) return;
    if (connection.failed && connection.receiving) {
      connection.receiving = false;
      return backend_.submit(Cancel{connection.fd, kReceive + number}, 0);
    }
    if (!connection.ended) return;
    backend_.submit(Close{std::exchange(connection.fd, -1)}, 0);
    --open_;
  }

  void send_rest(Connection& connection, std::size_t number) {
    const std::string& bytes = connection.sending;
    backend_.submit(Send{connection.fd, bytes.data() + connection.done,
                         static_cast<std::uint32_t>(bytes.size() - connection.done)},
                    kSend + number);
  }

  SimBackend& backend_;
  int listener_;
  std::deque<Connection> connections_;
  std::size_t open_ = 0;
  bool closing_ = false;
  bool stopped_ = false;
};

struct EchoClient {
  std::unique_ptr<SimPeer> peer;
  std::string said;
  std::string heard;
  bool over = false;
};

void start(EchoClient& client, SimWorld& world, std::uint16_t port) {
  client.peer = std::make_unique<SimPeer>(world, port);
  client.peer->on_bytes = [&client](std::string_view bytes) { client.heard += bytes; };
  client.peer->on_end = [&client](int) { client.over = true; };
  client.peer->send(client.said);
  client.peer->finish();
}

}  // namespace

EchoOutcome run_echo(std::uint64_t seed, const SimOptions& options, std::size_t clients) {
  SimWorld world(seed, options);
  auto backend = SimBackend::make(world, {.completion_entries = 16, .buffers = {8, 512}});
  const int listener = world.make_listener();
  EchoServer server(*backend, listener);
  std::deque<EchoClient> all(clients);
  for (std::size_t i = 0; i < clients; ++i) {
    all[i].said.assign(world.random().between(1, 9'000), static_cast<char>('a' + i % 26));
    world.after(milliseconds(i), [&world, &client = all[i], port = world.port_of(listener)] {
      start(client, world, port);
    });
  }
  const auto turn_until = [&](auto done) {
    const TimePoint give_up = world.now() + seconds(60);
    while (!done() && world.now() < give_up) {
      backend->submit_and_wait(1, world.now() + kPatience);
      backend->drain(server);
    }
    EXPECT_TRUE(done()) << "seed " << seed;
  };
  turn_until([&] {
    return std::all_of(all.begin(), all.end(), [](const EchoClient& one) { return one.over; });
  });
  turn_until([&] { return server.idle(); });
  server.close();
  turn_until([&] { return server.stopped() && backend->in_flight() == 0 && server.idle(); });
  world.close(listener, false);

  EchoOutcome outcome;
  for (const EchoClient& client : all) {
    outcome.answered += client.heard.size();
    EXPECT_EQ(client.heard, client.said.substr(0, client.heard.size())) << "seed " << seed;
    if (!client.peer->faulted() && client.heard != client.said) ++outcome.unfaulted_losses;
  }
  backend->check_nothing_left();
  world.check_nothing_left();
  outcome.hash = world.trace_hash();
  outcome.trace = world.trace();
  return outcome;
}

}  // namespace weft::ksvc
