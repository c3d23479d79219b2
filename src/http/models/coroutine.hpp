// models::Coroutine: a request that waits is kept by the frame of its connection's coroutine.
//
// The coroutine begins when there are requests to serve and ends when there are none, so an idle
// connection has none. Its frame is from the worker's pool. Who ends the wait makes the connection
// run, which resumes it.
#pragma once

#include <coroutine>
#include <cstddef>
#include <exception>
#include <new>
#include <utility>

#include "gvt/frame_pool.hpp"
#include "http/active_request.hpp"
#include "http/models/model.hpp"

namespace weft::http::models {

struct Coroutine {
  static constexpr bool kOnStacks = false;

  template <class Connection>
  static void serve(Connection& connection) {
    std::exception_ptr thrown;
    serve_all(connection, thrown);
    if (thrown) [[unlikely]]
      std::rethrow_exception(std::move(thrown));
  }

  template <class Connection>
  static void resume(Connection&, void* kept_at) {
    std::exception_ptr thrown;
    const Handle coroutine = Handle::from_address(kept_at);
    coroutine.promise().thrown = &thrown;
    coroutine.resume();
    if (thrown) [[unlikely]]
      std::rethrow_exception(std::move(thrown));
  }

  template <class Connection>
  static void prepare_to_wait(Connection&) noexcept {}

 private:
  static constexpr std::size_t kNoteBytes = __STDCPP_DEFAULT_NEW_ALIGNMENT__;

  struct Promise;
  using Handle = std::coroutine_handle<Promise>;

  struct Serving {
    using promise_type = Promise;
  };

  // Runs at once, and is gone when it has ended.
  struct Promise {
    template <class Connection>
    Promise(Connection&, std::exception_ptr& where) noexcept : thrown(&where) {}

    // The frame's pool is noted in front of it: there is nowhere else to find it in the end.
    template <class Connection>
    static void* operator new(std::size_t bytes, Connection& connection, std::exception_ptr&) {
      gvt::FramePool& pool = connection.worker().frames();
      void* const block = pool.take(bytes + kNoteBytes);
      return static_cast<std::byte*>(static_cast<void*>(new (block) gvt::FramePool*(&pool))) +
             kNoteBytes;
    }
    static void operator delete(void* frame, std::size_t bytes) noexcept {
      void* const block = static_cast<std::byte*>(frame) - kNoteBytes;
      (*static_cast<gvt::FramePool**>(block))->give_back(block, bytes + kNoteBytes);
    }
    Serving get_return_object() const noexcept { return {}; }
    std::suspend_never initial_suspend() const noexcept { return {}; }
    std::suspend_never final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    void unhandled_exception() const noexcept { *thrown = std::current_exception(); }

    // Where who runs it now looks for what it threw.
    std::exception_ptr* thrown;
  };

  // The end of the request's handler.
  template <class Connection>
  struct End {
    bool await_ready() const noexcept { return false; }
    void await_suspend(Handle here) const noexcept { connection.wait_in(here.address(), request); }
    void await_resume() const { connection.settle(request); }

    Connection& connection;
    ActiveRequest& request;
  };

  template <class Connection>
  static Serving serve_all(Connection& connection, std::exception_ptr&) {
    while (connection.may_serve()) {
      HeadParser fresh(connection.limits());
      HeadParser* const parser = connection.parse(fresh);
      if (parser == nullptr) co_return;
      ActiveRequest request(*parser, connection.bytes_in_front(), connection.body_source());
      connection.begin(request);
      if (!connection.call_endpoint(request)) [[unlikely]] {
        co_await End<Connection>{connection, request};
      }
      connection.finish(request);
    }
  }
};

static_assert(IsConnectionModel<Coroutine>);

}  // namespace weft::http::models
