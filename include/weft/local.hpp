// GreenLocal: a variable of which every green thread has its own, gone when its function ends.
//
// In a handler it lives for one request. Outside a worker it is the OS thread's. The object itself
// is what the values are found by: it must outlive the green threads that use it, so it is usually
// of static duration. Any thread; what get() gives is the caller's alone.
#pragma once

#include <functional>
#include <type_traits>
#include <utility>

#include "weft/detail/task_state.hpp"

namespace weft {

namespace detail {

struct LocalValue {
  using Destroy = void (*)(LocalValue& self) noexcept;

  LocalValue(const void* local, Destroy destroy_function) noexcept
      : key(local), destroy(destroy_function) {}

  const void* key;
  Destroy destroy;
  LocalValue* next = nullptr;
};

LocalValue* find_local(const void* key) noexcept;
void add_local(LocalValue& value) noexcept;

}  // namespace detail

template <class T>
class GreenLocal {
 public:
  // A green thread's value begins as `T()`.
  GreenLocal()
    requires std::is_default_constructible_v<T>
      : make_([] { return T(); }) {}
  // A green thread's value begins as what `make` returns.
  explicit GreenLocal(std::function<T()> make) : make_(std::move(make)) {}
  GreenLocal(const GreenLocal&) = delete;
  GreenLocal& operator=(const GreenLocal&) = delete;

  // The caller's value, made when it is first asked for.
  T& get() {
    detail::LocalValue* found = detail::find_local(this);
    if (found == nullptr) {
      found = new Value(this, make_());
      detail::add_local(*found);
    }
    return static_cast<Value*>(found)->value;
  }
  // Each is get(), written as with a pointer.
  T& operator*() { return get(); }
  T* operator->() { return &get(); }

 private:
  struct Value : detail::LocalValue {
    Value(const void* local, T&& first)
        : LocalValue(local, &Value::destroy_value), value(std::move(first)) {}

    static void destroy_value(detail::LocalValue& self) noexcept {
      delete static_cast<Value*>(&self);
    }

    T value;
  };

  std::function<T()> make_;
};

}  // namespace weft
