// CoroCall: a DescriptorCall that a coroutine makes: its operations follow one another out of their
// completions, and the strand goes on after the last one.
//
// It ends early as what a green thread is parked in does: the caller's cancellation and the
// deadline ask for the final completion, and nothing goes on before that. It stays put, on its
// worker.
#pragma once

#include <cstdint>
#include <optional>

#include "net/descriptor_call.hpp"
#include "weft/detail/coro_io.hpp"

namespace weft::net {

class CoroCall final : private detail::CancelListener,
                       private detail::Timer,
                       private detail::Runnable {
 public:
  explicit CoroCall(const detail::IoRequest& request) noexcept;

  // False when it has ended at once. Otherwise the strand is made ready.
  bool begin(detail::Strand& strand) noexcept;
  std::int32_t answer() const noexcept { return answer_; }
  // Outside a worker: all of it, here.
  std::int32_t perform();

 private:
  struct Operation : gvt::ParkedOperation {
    Operation(gvt::Scheduler& owner, CoroCall& made_by) noexcept;
    CoroCall& call;
  };

  static void completed(ksvc::CompletionTarget& target, unsigned tag,
                        const ksvc::Completion& completion);
  static void cancelled(detail::CancelListener& self, detail::CancelReason reason) noexcept;
  static void expired(detail::Timer& self);
  static void arrived(detail::Runnable& self);

  void submit() noexcept;
  // Whether there is more to do, after an operation with this result.
  bool goes_on(std::int32_t result) noexcept;
  void conclude() noexcept;
  void ask_to_end(std::int32_t code) noexcept;

  detail::IoRequest request_;  // what is left of it
  DescriptorCall call_;
  std::optional<Operation> operation_;
  detail::Strand* strand_ = nullptr;
  detail::CancelNode* node_ = nullptr;
  std::int32_t answer_ = 0;
  std::int32_t early_code_ = 0;  // why it was asked to end, if it was
  // A cancellation on another thread comes round by the worker's inbox; until then this must stay.
  detail::CancelReason posted_reason_ = detail::CancelReason::none;
  bool posted_ = false;
  bool concluded_ = false;
};

}  // namespace weft::net
