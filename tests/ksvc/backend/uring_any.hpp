// AnyUring: an io_uring back end of any combination of options, chosen at run time, so that one
// test is compiled once and runs over all of them.
//
// One owner, as for every back end.
#pragma once

#include <memory>

#include "ksvc/backend/backend_harness.hpp"
#include "ksvc/backend/chain_keeper.hpp"
#include "ksvc/backend/uring_options.hpp"
#include "ksvc/buffers/provided_buffer_ring.hpp"
#include "ksvc/buffers/registered_buffers.hpp"

namespace weft::ksvc {

class AnyUring {
 public:
  using Buffers = ProvidedBufferRing;

  static constexpr unsigned kCombinations = 32;
  static constexpr UringOptions options_of(unsigned combination) {
    return {.sqpoll = (combination & 1) != 0,
            .fixed_files = (combination & 2) != 0,
            .fixed_buffers = (combination & 4) != 0,
            .multishot_accept = (combination & 8) == 0,
            .zero_copy_send = (combination & 16) != 0};
  }
  static Result<std::unique_ptr<AnyUring>> create(unsigned combination,
                                                  const BackendOptions& options);
  virtual ~AnyUring() = default;

  template <class Op>
  void submit(const Op& op, CorrelationId corr_id) {
    start(op, corr_id);
  }
  virtual void submit_and_wait(unsigned at_least, TimePoint deadline) = 0;
  virtual unsigned drain(Recorder& recorder) = 0;
  virtual bool settled() const = 0;
  virtual Buffers& buffers() = 0;
  virtual RegisteredBuffers* registered_buffers() = 0;
  static const char* name() { return "io_uring with some options"; }

 private:
  virtual void start(const ChainedOperation& operation, CorrelationId corr_id) = 0;
};

template <>
class Network<AnyUring> : public LoopbackNetwork {
 public:
  unsigned combination = 0;

  template <class Backend>
  Result<std::unique_ptr<Backend>> make(const BackendOptions& options) {
    return AnyUring::create(combination, options);
  }
};

}  // namespace weft::ksvc
