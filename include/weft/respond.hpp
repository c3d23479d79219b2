// Respond: what a handler is given that answers by calling it, then or later.
//
//     app.get("/later", [](weft::Context&, weft::Respond respond) {
//       queue.push(std::move(respond));                      // and somewhere else, on any thread:
//       respond([](weft::Context& c) { c.text("done"); });   // runs on the request's worker
//     });
//
// The request goes on until it is called or dropped; one that is dropped without a call is answered
// 500. When the request has ended before (the server shuts down, say) a call does nothing. It may
// outlive the server. Any thread, one at a time.
#pragma once

#include <functional>
#include <utility>

namespace weft {

class Context;

namespace http {
class PendingAnswer;
}

class Respond {
 public:
  // Gives the Context its answer.
  using Fill = std::function<void(Context&)>;

  // Stands for no request.
  Respond() noexcept = default;
  // For the server.
  explicit Respond(http::PendingAnswer& answer) noexcept : answer_(&answer) {}
  Respond(Respond&& other) noexcept : answer_(std::exchange(other.answer_, nullptr)) {}
  Respond& operator=(Respond&& other) noexcept;
  ~Respond();

  // Once: sends what the Context has been given by then.
  void operator()();
  // Once: `fill` gives the Context its answer first, on the worker, as a handler would. It does not
  // run when the request has ended before.
  void operator()(Fill fill);
  // Whether it has still to be called.
  explicit operator bool() const noexcept { return answer_ != nullptr; }

 private:
  http::PendingAnswer* answer_ = nullptr;
};

}  // namespace weft
