// What the conformance test of the back ends stands on: a sink that remembers, sockets that close
// themselves, and waits that give up.
//
// The test plays the peer by way of the back end's Network. Waits end after kHangGuard, which is no
// measurement: it only turns a hang into a failure. One thread.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "ksvc/backend/network.hpp"
#include "ksvc/core/io_backend.hpp"

namespace weft::ksvc {

struct Recorder {
  void complete(const Completion& completion) noexcept { seen.push_back(completion); }

  std::vector<Completion> seen;
};

// A number of the network's that is closed at the end of the scope, which the tests make outlive
// the back end's use.
template <class Net, auto end>
class Owned {
 public:
  explicit Owned(Net& network, int number = -1) noexcept : network_(&network), number_(number) {}
  Owned(Owned&& other) noexcept : network_(other.network_), number_(other.release()) {}
  Owned& operator=(Owned&& other) noexcept {
    std::swap(network_, other.network_);
    std::swap(number_, other.number_);
    return *this;
  }
  ~Owned() { reset(); }

  int get() const noexcept { return number_; }
  int release() noexcept { return std::exchange(number_, -1); }
  void reset() noexcept {
    if (number_ >= 0) (network_->*end)(release());
  }

 protected:
  Net* network_;

 private:
  int number_;
};

template <class Net>
using OwnedFd = Owned<Net, &Net::close>;

// The other end of a connection.
template <class Net>
class Peer : public Owned<Net, &Net::close_peer> {
 public:
  using Owned<Net, &Net::close_peer>::Owned;

  void writes(const std::string& bytes) { this->network_->write(this->get(), bytes); }
  // What has arrived so far, without waiting.
  std::string reads_what_is_there() { return this->network_->read_what_is_there(this->get()); }
  // Less only when the stream ends before; then `why` is 0, or the errno it ended with.
  std::string reads_exactly(std::size_t size, int* why = nullptr) {
    return this->network_->read_exactly(this->get(), size, why);
  }
  void finishes() { this->network_->finish(this->get()); }
  void resets() { this->network_->reset(this->release()); }
  bool connected() const { return this->network_->connected(this->get()); }
};

// A listener; without `listening`, a port that refuses.
template <class Net>
struct Server {
  explicit Server(Net& network, bool listening)
      : network_(&network),
        fd(network, network.make_listener(listening)),
        address(network.address_of(fd.get())) {}

  Connect connect_from(const OwnedFd<Net>& client) const {
    return {client.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address};
  }
  Peer<Net> connect_client() const { return Peer<Net>(*network_, network_->connect_peer(address)); }

  Net* network_;
  OwnedFd<Net> fd;
  sockaddr_in address;
};

// A connection: `ours` for the back end, `peer` for the test.
template <class Net>
struct SocketPair {
  explicit SocketPair(Net& network, int buffer_bytes)
      : SocketPair(network, network.connect(buffer_bytes)) {}
  SocketPair(Net& network, typename Net::Connection connection)
      : ours(network, connection.ours), peer(network, connection.peer) {}

  OwnedFd<Net> ours;
  Peer<Net> peer;
};

// Bytes in which every place can be told from its neighbours.
inline std::string patterned(std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>((i * 31 + i / 251) & 0xFF);
  return bytes;
}

template <class Backend>
class BackendTest : public testing::Test {
 protected:
  using Net = Network<Backend>;
  using FdList = std::vector<OwnedFd<Net>>;
  using PeerList = std::vector<Peer<Net>>;

  void SetUp() override {
    auto made = network_.template make<Backend>({});
    if (!made) GTEST_SKIP() << Backend::name() << " is refused here: " << made.error().message();
    backend_ = std::move(made).value();
  }

  // Starts over with other options.
  void remake(const BackendOptions& options) {
    backend_.reset();
    auto made = network_.template make<Backend>(options);
    ASSERT_TRUE(made) << made.error().message();
    backend_ = std::move(made).value();
  }

  Backend& backend() { return *backend_; }
  Net& network() { return network_; }
  std::vector<Completion>& seen() { return recorder_.seen; }

  Server<Net> make_server(bool listening = true) { return Server<Net>(network_, listening); }
  SocketPair<Net> make_pair(int buffer_bytes = 0) {
    return SocketPair<Net>(network_, buffer_bytes);
  }
  OwnedFd<Net> make_socket() { return own(network_.make_socket()); }
  OwnedFd<Net> make_event() { return own(network_.make_event()); }
  OwnedFd<Net> own(int fd) { return OwnedFd<Net>(network_, fd); }

  TimePoint now() const { return network_.now(); }
  TimePoint soon() const { return now() + kHangGuard; }

  // One turn that does not wait.
  void turn() {
    backend().submit_and_wait(0, kNoDeadline);
    backend().drain(recorder_);
    // A kernel thread may want this core to get on with what was submitted.
    if (!backend().settled()) std::this_thread::yield();
  }

  // Turns until `done` says so; false when the hang guard ran out.
  template <class Done>
  bool turn_until(Done done) {
    const TimePoint give_up = soon();
    while (!done()) {
      if (now() > give_up) return false;
      backend().submit_and_wait(1, give_up);
      backend().drain(recorder_);
    }
    return true;
  }

  bool turn_until_settled() {
    const TimePoint give_up = soon();
    do {
      turn();
    } while (!backend().settled() && now() < give_up);
    return backend().settled();
  }

  // What has come for `corr_id`, in order.
  std::vector<Completion> completions_of(CorrelationId corr_id) {
    std::vector<Completion> own;
    for (const Completion& completion : seen()) {
      if (completion.corr_id == corr_id) own.push_back(completion);
    }
    return own;
  }

  // Waits until `count` completions have come for `corr_id`, and returns the last of them.
  Completion await(CorrelationId corr_id, std::size_t count = 1) {
    const bool came = turn_until([&] { return completions_of(corr_id).size() >= count; });
    EXPECT_TRUE(came) << "no completion number " << count << " of operation " << corr_id;
    return came ? completions_of(corr_id)[count - 1] : Completion{};
  }

  // Waits for the final completion of `corr_id`.
  Completion await_final(CorrelationId corr_id) {
    const bool came = turn_until([&] {
      const auto own = completions_of(corr_id);
      return !own.empty() && !own.back().more;
    });
    EXPECT_TRUE(came) << "no final completion of operation " << corr_id;
    return came ? completions_of(corr_id).back() : Completion{};
  }

  // Takes the bytes of every lease that has come, gives the leases back and forgets them.
  std::string collect_bytes() {
    std::string bytes;
    for (Completion& completion : seen()) {
      if (!completion.lease) continue;
      bytes.append(completion.lease.data, completion.lease.size);
      backend().buffers().release(completion.lease);
    }
    seen().clear();
    return bytes;
  }

  // Sends what fits into the socket at once; returns it.
  std::string fill(int fd) {
    static constexpr CorrelationId kId = 7'777;
    std::string bytes = patterned(8 << 20);
    std::size_t sent = 0;
    // Full is what is refused once more after all that was sent has arrived.
    [[maybe_unused]] bool refused = false;
    while (sent < bytes.size()) {
      backend().submit(
          SendNow{fd, bytes.data() + sent, static_cast<std::uint32_t>(bytes.size() - sent)}, kId);
      EXPECT_TRUE(turn_until_settled());
      const auto told = completions_of(kId);
      std::erase_if(seen(), [](const Completion& one) { return one.corr_id == kId; });
      if (told.empty()) break;
      if (told.front().result == -EAGAIN) {
        if constexpr (Net::kIsTheSystems) {
          if (!refused && Net::on_their_way(fd)) continue;
          if (!std::exchange(refused, true)) continue;
        }
        return bytes.substr(0, sent);
      }
      refused = false;
      EXPECT_GT(told.front().result, 0);
      if (told.front().result <= 0) break;
      sent += static_cast<std::size_t>(told.front().result);
    }
    ADD_FAILURE() << "the socket took " << sent << " bytes and was not full";
    return bytes;
  }

 private:
  Net network_;
  std::unique_ptr<Backend> backend_;
  Recorder recorder_;
};

}  // namespace weft::ksvc
