// ReactorLoop: what the thread of a shared reactor does, turn by turn.
//
// It alone uses the back end. Chains are put together per worker, since requests of several workers
// come mixed, and are submitted when their last operation is there. It runs until a request tells
// it to stop, when no worker has anything in flight any more.
#pragma once

#include <array>
#include <cerrno>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "ksvc/core/io_backend.hpp"
#include "ksvc/reactor/reactor_door.hpp"

namespace weft::ksvc {

template <IoBackend Backend>
class ReactorLoop {
 public:
  ReactorLoop(ReactorDoor& door, Backend& backend) : door_(door), backend_(backend) {}
  ReactorLoop(const ReactorLoop&) = delete;
  ReactorLoop& operator=(const ReactorLoop&) = delete;

  void run();
  // For the back end's drain().
  void complete(const Completion& completion) noexcept;

 private:
  static constexpr int kNoReceive = -1;

  struct Client {
    std::shared_ptr<ReactorClient> shared;
    std::uint32_t done = 0;  // requests carried out
    std::uint32_t lent = 0;
    std::vector<ReactorRequest> chain;
    std::vector<int> receives;  // by slot: the descriptor of the Receive in flight there
  };
  struct Starved {
    CorrelationId id;
    int fd;
  };

  bool has_work() noexcept;
  bool take_requests();
  void carry_out(const ReactorRequest& request);
  void start(const ReactorRequest& request);
  template <class Op>
  void start(const Op& op, const ReactorRequest& request);
  void start(const Cancel& op, const ReactorRequest& request);
  void start(const Receive& op, const ReactorRequest& request);
  void start(const SystemCallAt& op, const ReactorRequest& request);
  void start(const ReleaseBlock& op, const ReactorRequest& request);
  void start(const DetachBlock& op, const ReactorRequest& request);
  void start(const ReleaseDetached& op, const ReactorRequest& request);
  void start(const JoinReactor& op, const ReactorRequest& request);
  void start(const LeaveReactor& op, const ReactorRequest& request);
  void start(const StopReactor& op, const ReactorRequest& request);
  template <class Op>
  void submit(const Op& op, const ReactorRequest& request);
  void note_receive(const ReactorTag& tag, int fd);
  int receive_of(const ReactorTag& tag) const noexcept;
  bool serve_starved();
  void tell(const Completion& completion);
  void show_news();
  void watch_door() { door_.gate().notifier().watch(backend_, kReactorWakeId); }

  ReactorDoor& door_;
  Backend& backend_;
  std::array<Client, ReactorDoor::kMostClients> clients_;
  std::size_t clients_end_ = 0;   // none from here on
  std::vector<Starved> starved_;  // receives that ended for want of a block, not told of yet
  std::unordered_map<char*, BufferLease> detached_;  // as the provider knows them
  bool stopping_ = false;
};

}  // namespace weft::ksvc

#include "ksvc/reactor/reactor_loop_impl.hpp"
