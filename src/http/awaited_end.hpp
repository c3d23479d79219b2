// AwaitedEnd: what a request waits for whose handler goes on when its first call has returned, and
// where what comes of that is.
//
// The order of calls. has_ended() once, when the first call has returned, or give_up() when it has
// failed; `told` is told later unless either says that nothing will come any more; fill() when it
// has ended, and not after a failure; request_ended() is the last, and may find its end still on
// its way. Until `told` has been told, the request stays. The request's worker's thread only.
#pragma once

#include "weft/detail/cancel_node.hpp"

namespace weft {

class Context;

namespace http {

// Who is told that an answer has come round to its worker: a function with its object.
struct ToldOfAnswer {
  void* object = nullptr;
  void (*tell)(void* object) noexcept = nullptr;
};

class AwaitedEnd {
 public:
  // Whether that was the end already. Otherwise `told` is told of it. `node` may cancel it.
  virtual bool has_ended(ToldOfAnswer told, detail::CancelNode* node) noexcept = 0;
  // Whether nobody will come round any more.
  virtual bool give_up() noexcept = 0;
  // Gives the answer. Throws Cancelled, or what went wrong.
  virtual void fill(Context& context) = 0;
  virtual void request_ended() noexcept = 0;

 protected:
  ~AwaitedEnd() = default;
};

}  // namespace http

}  // namespace weft
