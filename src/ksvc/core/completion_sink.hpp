// CompletionSink: where the result of an operation goes.
//
// Contract. complete() is called by IoBackend::drain() on the thread that owns the backend, once
// per completion and in the order the kernel reported them. It must not park, throw, or call back
// into drain(). A completion with a lease hands that lease over to the sink.
#pragma once

#include <concepts>

#include "ksvc/core/completion.hpp"

namespace weft::ksvc {

template <class S>
concept CompletionSink = requires(S& sink, const Completion& completion) {
  { sink.complete(completion) } noexcept -> std::same_as<void>;
};

}  // namespace weft::ksvc
