#include "http/handler_strand.hpp"

#include "http/active_request.hpp"

namespace weft::http {

void HandlerStrand::drop_coroutine() noexcept {
  try {
    coroutine_.take();
  } catch (...) {
    failure_ = std::current_exception();
  }
  coroutine_.drop();
}

void HandlerStrand::ended() noexcept { request_.handler_has_ended(); }

}  // namespace weft::http
