// Endpoint: what a route calls: a function with its object, so that the http layer needs to know
// nothing of the application's types. All workers call it.
#pragma once

#include <cstdint>

namespace weft {

class Respond;
template <class T>
class Task;

namespace http {

class Exchange;

struct Endpoint {
  // Whose return is the end of it; one that waits parks.
  using Call = void (*)(void* object, Exchange& exchange);
  // Gives a coroutine, whose end it is.
  using Begin = Task<void> (*)(void* object, Exchange& exchange);
  // Which has ended when it has returned and the token has been used or dropped.
  using Ask = void (*)(void* object, Exchange& exchange, Respond respond);

  enum class Kind : std::uint8_t { call, begin, ask };

  Endpoint(Call function, void* self = nullptr) noexcept
      : kind(Kind::call), call(function), object(self) {}
  Endpoint(Begin function, void* self = nullptr) noexcept
      : kind(Kind::begin), begin(function), object(self) {}
  Endpoint(Ask function, void* self = nullptr) noexcept
      : kind(Kind::ask), ask(function), object(self) {}

  Kind kind;
  // Whether it can unpack an encoded body (Exchange::bodies()); others are not called with one.
  bool may_unpack = false;
  union {
    Call call;
    Begin begin;
    Ask ask;
  };
  void* object;
};

}  // namespace http

}  // namespace weft
