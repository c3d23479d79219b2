// SelectCase: one of the things that a select waits for, whatever its types.
//
// It lives in the select's full expression; its caller's thread only, but for what it has queued.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "weft/detail/cancel_node.hpp"
#include "weft/detail/channel_state.hpp"

namespace weft::detail {

struct SelectCase : CancelListener {
  enum class Kind : std::uint8_t { send, receive, timer, token, otherwise };

  explicit SelectCase(Kind of) noexcept : CancelListener(&SelectCase::token_cancelled), kind(of) {}

  static void token_cancelled(CancelListener& listener, CancelReason reason) noexcept;

  Kind kind;
  ChannelBase* channel = nullptr;     // null, too, for a handle that stands for none
  CancelNode* node = nullptr;         // a token's; null for one that is never cancelled
  std::int64_t deadline_ns = kNever;  // a timer's
  ChannelWait wait;
};

struct Selected {
  std::size_t index = 0;
  bool closed = false;  // the channel is, and nothing was moved
};

// What a select works with: as many of each as there are cases.
struct SelectSpace {
  std::span<SelectCase* const> cases;
  std::span<std::uint32_t> order;
  std::span<ChannelBase*> channels;
};

// Parks until one of the cases can be carried out, and carries it out, but for its function. Throws
// Cancelled.
Selected select_one(const SelectSpace& space);

}  // namespace weft::detail
