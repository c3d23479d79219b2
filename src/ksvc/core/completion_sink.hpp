// CompletionSink: where the result of an operation goes.
//
// Contract. complete() is called by IoBackend::drain() on the thread that owns the backend, once
// per completion and in the order the kernel reported them. It must not park, throw, or call back
// into drain(). A completion with a lease hands that lease over to the sink.
// A sink may gather what it is given: then it has flush(), which the owner of the loop calls once
// per turn, after drain() and before it sleeps. What was completed before a flush is with whoever
// waits for it, or on its way there without another call, after it.
#pragma once

#include <concepts>

#include "ksvc/core/completion.hpp"

namespace weft::ksvc {

template <class S>
concept CompletionSink = requires(S& sink, const Completion& completion) {
  { sink.complete(completion) } noexcept -> std::same_as<void>;
};

template <class S>
concept GatheringSink = CompletionSink<S> && requires(S& sink) {
  { sink.flush() } noexcept -> std::same_as<void>;
};

// What the owner of a loop calls after drain(), whatever its sink is.
template <CompletionSink S>
void flush_completions(S& sink) noexcept {
  if constexpr (GatheringSink<S>) sink.flush();
}

}  // namespace weft::ksvc
