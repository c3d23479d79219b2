// Exchange: one request and the response to it, as a handler sees them.
//
// Lives on the stack of the green thread that runs the handler. What it hands out (views of the
// head, parameters, the body) stays valid until the handler returns, also across parks.
#pragma once

#include <forward_list>
#include <string>
#include <string_view>

#include "http/head_parser.hpp"
#include "http/response.hpp"
#include "http/router.hpp"

namespace weft::http {

// Thrown through a handler when its request cannot be completed any more: the client went away, or
// its body was malformed, too large or too late. The connection answers `status`, or closes if 0.
struct RequestAborted {
  int status;
  std::string_view reason;
};

class BodySource {
 public:
  // The whole body; parks until it has arrived. Throws RequestAborted.
  virtual std::string_view read_body() = 0;

 protected:
  ~BodySource() = default;
};

class Exchange {
 public:
  Exchange(HeadView head, BodySource& body_source) noexcept
      : head_(head), body_source_(body_source) {}
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  const HeadView& head() const noexcept { return head_; }
  Response& response() noexcept { return response_; }
  Params& params() noexcept { return params_; }
  std::string_view read_body() { return body_source_.read_body(); }

  // Keeps text for as long as the exchange lives.
  std::string_view keep(std::string text) { return kept_.emplace_front(std::move(text)); }

 private:
  HeadView head_;
  BodySource& body_source_;
  Params params_;
  Response response_;
  std::forward_list<std::string> kept_;
};

// What a route calls: a plain function with its object, so that the http layer needs to know
// nothing of the application's types.
struct Endpoint {
  void (*call)(void* self, Exchange& exchange) = nullptr;
  void* self = nullptr;
};

}  // namespace weft::http
