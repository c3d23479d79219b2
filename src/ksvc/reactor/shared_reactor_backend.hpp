// SharedReactorBackend<Backend>: the IoBackend of a worker whose operations are carried out by a
// shared reactor, on a `Backend` there.
//
// It takes every operation that Backend takes. Descriptors that Backend makes are the reactor's, so
// all its workers may use them. Operations reach the kernel after submit_and_wait() has returned,
// so settled() comes a little later, as with a polling kernel thread. A block's number and
// generation are checked on the worker's side, at once. One owner, as for every back end. The
// destructor waits for the end of what is in flight. Who makes one includes shared_reactor.hpp.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "ksvc/backend/socket_calls.hpp"
#include "ksvc/core/io_backend.hpp"
#include "ksvc/reactor/reactor_port.hpp"
#include "weft/result.hpp"

namespace weft::ksvc {

template <IoBackend Backend>
class SharedReactor;

template <IoBackend Backend>
class SharedReactorBackend {
 public:
  using Buffers = SharedReactorBuffers;

  // With a reactor of its own, which ends with it.
  static Result<std::unique_ptr<SharedReactorBackend>> create(const BackendOptions& options);
  // By SharedReactor::make_backend().
  SharedReactorBackend(std::shared_ptr<SharedReactor<Backend>> reactor, ReactorDoor& door,
                       std::shared_ptr<ReactorClient> client, const BufferOptions& buffers)
      : reactor_(std::move(reactor)), port_(door, std::move(client), buffers) {}

  template <class Op>
    requires Submits<Backend, Op>
  void submit(const Op& op, CorrelationId corr_id) {
    port_.submit(op, corr_id);
  }
  template <class Op>
    requires Submits<Backend, Linked<Op>>
  void submit(const Linked<Op>& op, CorrelationId corr_id) {
    port_.submit(op.op, corr_id, {.linked = true});
  }
  template <class Op>
    requires Submits<Backend, Timed<Op>>
  void submit(const Timed<Op>& op, CorrelationId corr_id) {
    port_.submit(op.op, corr_id, {.deadline = op.deadline});
  }
  template <class Op>
    requires Submits<Backend, Linked<Op>> && Submits<Backend, Timed<Op>>
  void submit(const Linked<Timed<Op>>& op, CorrelationId corr_id) {
    port_.submit(op.op.op, corr_id, {.deadline = op.op.deadline, .linked = true});
  }
  // Done at once, and never part of a chain.
  void submit(const RefuseConnections& op, CorrelationId) { refuse_new_connections(op.fd); }

  // Whether Backend's operation can express the arguments.
  static bool performs(const SystemCall& call)
    requires Submits<Backend, SystemCall>
  {
    return Backend::performs(call);
  }

  void submit_and_wait(unsigned at_least, TimePoint deadline) {
    port_.submit_and_wait(at_least, deadline);
  }
  template <CompletionSink Sink>
  unsigned drain(Sink& sink) {
    return port_.drain(sink);
  }
  bool settled() const noexcept { return port_.settled(); }
  Buffers& buffers() noexcept { return port_.buffers(); }
  // For SharedReactorNotifier.
  void watch(std::shared_ptr<WokenFlag> flag, CorrelationId corr_id) {
    port_.watch(std::move(flag), corr_id);
  }
  const std::shared_ptr<SharedReactor<Backend>>& reactor() const noexcept { return reactor_; }
  static const char* name() noexcept {
    static const std::string name = std::string("shared_") + Backend::name();
    return name.c_str();
  }

 private:
  std::shared_ptr<SharedReactor<Backend>> reactor_;
  ReactorPort port_;
};

}  // namespace weft::ksvc
