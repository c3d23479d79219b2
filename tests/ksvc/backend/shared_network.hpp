// The network of the conformance test for back ends whose work is done by another thread.
//
// The tests end a descriptor in their own way at the end of a scope, whatever is in flight on it.
// Here another thread may just be using it, so it is only shut down, which is all that the peer can
// tell, and closed when the back end is gone.
#pragma once

#include <vector>

#include "ksvc/backend/network.hpp"
#include "ksvc/reactor/shared_reactor.hpp"

namespace weft::ksvc {

template <class Backend>
inline constexpr bool kHasThread = false;
template <class Backend>
inline constexpr bool kHasThread<SharedReactorBackend<Backend>> = true;

template <class Backend>
class Network<SharedReactorBackend<Backend>> : public LoopbackNetwork {
 public:
  Network() = default;
  ~Network() {
    for (const int fd : ended_) LoopbackNetwork::close(fd);
  }
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  void close(int fd) {
    if (made_by_backend(fd)) return;
    ::shutdown(fd, SHUT_WR);
    ended_.push_back(fd);
  }

 private:
  std::vector<int> ended_;
};

}  // namespace weft::ksvc
