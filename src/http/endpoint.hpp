// Endpoint: what a route calls: a function with its object, so that the http layer needs to know
// nothing of the application's types. All workers call it.
#pragma once

#include <cstdint>

namespace weft {

class Respond;
template <class T>
class Task;

namespace http {

class AwaitedEnd;
class Exchange;

// What has become of a request that an endpoint was given: it has been answered; or what ends it
// is still to come; or it is to be given again when it stands where it may wait.
struct HandedOver {
  AwaitedEnd* end = nullptr;
  bool waits_elsewhere = false;
};

struct Endpoint {
  // Whose return is the end of it; one that waits parks.
  using Call = void (*)(void* object, Exchange& exchange);
  // Gives a coroutine, whose end it is.
  using Begin = Task<void> (*)(void* object, Exchange& exchange);
  // Which has ended when it has returned and the token has been used or dropped.
  using Ask = void (*)(void* object, Exchange& exchange, Respond respond);

  // Which may run elsewhere than on the worker, and is to hold no stack meanwhile. `may_wait`:
  // whether the request stands where it may stay.
  using HandOver = HandedOver (*)(void* object, Exchange& exchange, bool may_wait);

  enum class Kind : std::uint8_t { call, begin, ask, hand_over };

  Endpoint(Call function, void* self = nullptr) noexcept
      : kind(Kind::call), call(function), object(self) {}
  Endpoint(Begin function, void* self = nullptr) noexcept
      : kind(Kind::begin), begin(function), object(self) {}
  Endpoint(Ask function, void* self = nullptr) noexcept
      : kind(Kind::ask), ask(function), object(self) {}
  Endpoint(HandOver function, void* self = nullptr) noexcept
      : kind(Kind::hand_over), hand_over(function), object(self) {}

  Kind kind;
  // Whether it can unpack an encoded body (Exchange::bodies()); others are not called with one.
  bool may_unpack = false;
  union {
    Call call;
    Begin begin;
    Ask ask;
    HandOver hand_over;
  };
  void* object;
};

}  // namespace http

}  // namespace weft
