// DirectWakeSink: a completion goes straight into the record of whoever waits for it.
//
// The correlation id is the address of a CompletionTarget with a small tag in its low bits, which a
// target with several operations in flight uses to tell them apart. The target must outlive the
// operation's final completion.
#pragma once

#include <cstdint>

#include "ksvc/core/assert.hpp"
#include "ksvc/core/completion_sink.hpp"

namespace weft::ksvc {

struct alignas(8) CompletionTarget {
  using Handler = void (*)(CompletionTarget& target, unsigned tag, const Completion& completion);

  explicit CompletionTarget(Handler handler) noexcept : on_completion(handler) {}

  static constexpr unsigned kTags = 8;

  CorrelationId corr_id(unsigned tag = 0) const noexcept {
    return reinterpret_cast<std::uintptr_t>(this) | tag;
  }

  Handler on_completion;
};

class DirectWakeSink {
 public:
  void complete(const Completion& completion) noexcept {
    constexpr CorrelationId kTagMask = CompletionTarget::kTags - 1;
    WEFT_ASSERT(completion.corr_id > kTagMask);
    auto* target = reinterpret_cast<CompletionTarget*>(completion.corr_id & ~kTagMask);
    target->on_completion(*target, static_cast<unsigned>(completion.corr_id & kTagMask),
                          completion);
  }
};

static_assert(CompletionSink<DirectWakeSink>);

}  // namespace weft::ksvc
