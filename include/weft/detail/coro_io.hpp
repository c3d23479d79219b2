// Awaiting streams and listeners.
//
// Of one strand, which is of the worker the descriptor belongs to. The memory an operation works on
// is the kernel's until its final completion, and nothing goes on before that. Outside a worker
// nothing suspends, and the OS thread blocks.
#pragma once

#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "weft/detail/coro_promise.hpp"
#include "weft/net.hpp"

namespace weft::net {
class CoroCall;
}

namespace weft::detail {

// What is asked of a descriptor.
struct IoRequest {
  enum class Kind : std::uint8_t { receive, receive_all, send_all, accept, connect };

  Kind kind;
  Descriptor& descriptor;
  void* data;  // of the caller's; what is sent is only read
  std::size_t size;
  std::chrono::nanoseconds timeout;
};

// A request that is carried out, as a wait of a strand.
class IoTurn {
 public:
  explicit IoTurn(const IoRequest& request) noexcept : request_(request) {}
  IoTurn(const IoTurn&) = delete;
  IoTurn& operator=(const IoTurn&) = delete;

  bool await_ready() const noexcept { return false; }
  template <PromiseOfTask Promise>
  bool await_suspend(std::coroutine_handle<Promise> caller) noexcept {
    return suspend(*caller.promise().strand, caller);
  }
  // A count, a descriptor or 0; or a negative errno. Of receive_all: whether there was enough.
  std::int32_t await_resume();

 private:
  static constexpr std::size_t kCallBytes = 256;

  bool suspend(Strand& strand, std::coroutine_handle<> caller) noexcept;

  IoRequest request_;
  bool blocks_ = false;
  net::CoroCall* call_ = nullptr;
  alignas(void*) std::byte place_[kCallBytes];
};

struct StreamAccess {
  template <class Owner>
  static Descriptor& descriptor(Owner& owner) noexcept {
    return owner.descriptor_;
  }
  template <class Owner>
  static IoRequest request(IoRequest::Kind kind, Owner& owner, void* data, std::size_t size) {
    return {kind, owner.descriptor_, data, size, owner.timeout_};
  }
  template <class Made>
  static Made make(int fd) noexcept {
    return Made(fd);
  }
};

// What an answer below zero says.
inline Error io_error(std::int32_t answer) noexcept { return Error::from_errno(-answer); }

class ReadAwaiter : private IoTurn {
 public:
  ReadAwaiter(Stream& stream, std::span<char> into) noexcept
      : IoTurn(StreamAccess::request(IoRequest::Kind::receive, stream, into.data(), into.size())),
        has_room_(!into.empty()) {}

  // A count of 0 means the end of the stream, so there must be room for something else.
  bool await_ready() const noexcept { return !has_room_; }
  using IoTurn::await_suspend;
  Result<std::size_t> await_resume() {
    if (!has_room_) return Error{ErrorCode::invalid_argument, EINVAL};
    const std::int32_t answer = IoTurn::await_resume();
    if (answer < 0) return io_error(answer);
    return static_cast<std::size_t>(answer);
  }

 private:
  bool has_room_;
};

class ReadExactlyAwaiter : private IoTurn {
 public:
  ReadExactlyAwaiter(Stream& stream, std::span<char> into) noexcept
      : IoTurn(StreamAccess::request(IoRequest::Kind::receive_all, stream, into.data(),
                                     into.size())) {}

  using IoTurn::await_ready;
  using IoTurn::await_suspend;
  Result<void> await_resume() {
    const std::int32_t answer = IoTurn::await_resume();
    if (answer < 0) return io_error(answer);
    if (answer == 0) return Error{ErrorCode::end_of_stream, 0};
    return {};
  }
};

class WriteAwaiter : private IoTurn {
 public:
  WriteAwaiter(Stream& stream, std::string_view bytes) noexcept
      : IoTurn(StreamAccess::request(IoRequest::Kind::send_all, stream,
                                     const_cast<char*>(bytes.data()), bytes.size())) {}

  using IoTurn::await_ready;
  using IoTurn::await_suspend;
  Result<void> await_resume() {
    const std::int32_t answer = IoTurn::await_resume();
    if (answer < 0) return io_error(answer);
    return {};
  }
};

template <class Accepted>
class AcceptAwaiter : private IoTurn {
 public:
  template <class Listener>
  explicit AcceptAwaiter(Listener& listener) noexcept
      : IoTurn(StreamAccess::request(IoRequest::Kind::accept, listener, nullptr, 0)) {}

  using IoTurn::await_ready;
  using IoTurn::await_suspend;
  Result<Accepted> await_resume() {
    const std::int32_t answer = IoTurn::await_resume();
    if (answer < 0) return io_error(answer);
    return StreamAccess::make<Accepted>(answer);
  }
};

}  // namespace weft::detail
