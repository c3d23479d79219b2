// Result<T>: a value or an Error, for outcomes a caller is expected to meet.
//
// Expected outcomes (end of stream, reset, time out) are values here; exceptions are left to user
// handlers. A Result must be looked at ([[nodiscard]]); reading the value of a failed one is a
// programmer error and throws std::logic_error with the failure spelled out.
#pragma once

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <utility>
#include <variant>

namespace weft {

// What kind of failure it is, for programs to branch on.
enum class ErrorCode : std::uint8_t {
  system,            // os_errno says what
  end_of_stream,     // the peer has sent all it will send
  reset,             // the peer or the network cut the connection
  timed_out,         // a time limit or a deadline was over
  cancelled,         // the caller was, or what it waited at was closed
  invalid_argument,  // the call makes no sense
  not_found,         // no such host name
};

// Why there is no value.
struct Error {
  ErrorCode code = ErrorCode::system;  // to branch on
  int os_errno = 0;                    // what the system said; 0: it was not asked

  // Maps an errno to the code a caller would branch on, keeping the errno itself.
  static Error from_errno(int os_errno) noexcept;
  // A short sentence for a log line or an exception.
  std::string message() const;
};

template <class T>
class [[nodiscard]] Result {
 public:
  // Each makes one of its kind.
  Result(T value) : state_(std::move(value)) {}
  Result(Error error) : state_(error) {}

  // Each tells whether there is a value.
  bool ok() const noexcept { return state_.index() == 0; }
  explicit operator bool() const noexcept { return ok(); }

  // Throws std::logic_error, with the failure spelled out, when there is none.
  T& value() & {
    require_value();
    return *std::get_if<0>(&state_);
  }
  const T& value() const& {
    require_value();
    return *std::get_if<0>(&state_);
  }
  T&& value() && {
    require_value();
    return std::move(*std::get_if<0>(&state_));
  }
  // The value, or `fallback`.
  T value_or(T fallback) const { return ok() ? *std::get_if<0>(&state_) : std::move(fallback); }
  // Each is value(), written as with a pointer.
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  // Why there is no value; of one that has one, an Error without a meaning.
  Error error() const noexcept { return ok() ? Error{} : *std::get_if<1>(&state_); }

 private:
  void require_value() const {
    if (!ok()) throw std::logic_error("value of a failed Result: " + error().message());
  }

  std::variant<T, Error> state_;
};

// Of a call that gives nothing but may fail.
template <>
class [[nodiscard]] Result<void> {
 public:
  // Each makes one of its kind: a success, or a failure.
  Result() = default;
  Result(Error error) : error_(error), failed_(true) {}

  // Each tells whether it is a success.
  bool ok() const noexcept { return !failed_; }
  explicit operator bool() const noexcept { return ok(); }
  // Why not; of a success, an Error without a meaning.
  Error error() const noexcept { return error_; }

 private:
  Error error_{};
  bool failed_ = false;
};

inline Error Error::from_errno(int os_errno) noexcept {
  switch (os_errno) {
    case ECONNRESET:
    case EPIPE:
    case ECONNABORTED: return {ErrorCode::reset, os_errno};
    case ETIMEDOUT:
    case ETIME: return {ErrorCode::timed_out, os_errno};
    case ECANCELED: return {ErrorCode::cancelled, os_errno};
    case EINVAL: return {ErrorCode::invalid_argument, os_errno};
    default: return {ErrorCode::system, os_errno};
  }
}

inline std::string Error::message() const {
  if (code == ErrorCode::end_of_stream) return "end of stream";
  if (os_errno == 0 && code == ErrorCode::timed_out) return "timed out";
  if (os_errno == 0 && code == ErrorCode::cancelled) return "cancelled";
  if (code == ErrorCode::not_found) return "no such name";
  return std::strerror(os_errno);
}

}  // namespace weft
