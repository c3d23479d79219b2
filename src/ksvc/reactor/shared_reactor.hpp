// SharedReactor: one back end on a thread of its own, which carries out the operations of several
// workers.
//
// The other topology beside a back end per worker. make_backend() gives a worker its own end of it,
// a SharedReactorBackend, which is an IoBackend like any other; a worker is none the wiser. A turn
// of the reactor: take the requests that are there, enter the kernel once, sort the completions by
// worker, show each worker what is new and how far its requests have come, wake those who sleep.
// A receive that found no block free is tried again when blocks have come back meanwhile, and told
// of only when none have.
//
// The back ends keep the reactor; the last of them, or whoever started it and goes later, stops the
// thread and waits for it. start() and make_backend() may be called on any thread. When memory runs
// out on the reactor's thread the process ends.
#pragma once

#include <algorithm>
#include <bit>
#include <future>
#include <memory>
#include <optional>
#include <system_error>
#include <thread>

#include "ksvc/reactor/reactor_loop.hpp"
#include "ksvc/reactor/shared_reactor_backend.hpp"
#include "weft/result.hpp"

namespace weft::ksvc {

struct SharedReactorOptions {
  BackendOptions backend;
  // Powers of two. What does not fit waits, so these bound memory and not what can be in flight.
  std::size_t requests = 1024;
  std::size_t completions = 1024;  // for each worker
};

template <IoBackend Backend>
class SharedReactor : public std::enable_shared_from_this<SharedReactor<Backend>> {
 public:
  using BackendType = SharedReactorBackend<Backend>;

  // Returns when the reactor's back end is there, or with the reason why not.
  static Result<std::shared_ptr<SharedReactor>> start(const SharedReactorOptions& options = {});
  ~SharedReactor();
  SharedReactor(const SharedReactor&) = delete;
  SharedReactor& operator=(const SharedReactor&) = delete;

  // A worker's end, to be made, used and destroyed by the worker's thread. EUSERS when there are as
  // many as there may be.
  Result<std::unique_ptr<BackendType>> make_backend();

 private:
  explicit SharedReactor(const SharedReactorOptions& options)
      : door_(options.requests, options.completions), buffers_(options.backend.buffers) {}

  Result<void> run_thread(const BackendOptions& options);

  ReactorDoor door_;
  BufferOptions buffers_;  // as they came to be
  std::thread thread_;
};

template <IoBackend Backend>
Result<std::shared_ptr<SharedReactor<Backend>>> SharedReactor<Backend>::start(
    const SharedReactorOptions& options) {
  try {
    std::shared_ptr<SharedReactor> reactor(new SharedReactor(options));
    if (auto running = reactor->run_thread(options.backend); !running) return running.error();
    return reactor;
  } catch (const std::system_error& error) {
    return Error::from_errno(error.code().value());
  }
}

template <IoBackend Backend>
Result<void> SharedReactor<Backend>::run_thread(const BackendOptions& options) {
  std::promise<std::optional<Error>> made;
  auto outcome = made.get_future();
  thread_ = std::thread([this, &made, &options]() noexcept {
    auto backend = Backend::create(options);
    if (!backend) return made.set_value(backend.error());
    ReactorLoop<Backend> loop(door_, **backend);
    buffers_.block_bytes = (*backend)->buffers().block_bytes();
    made.set_value(std::nullopt);
    loop.run();
  });
  const std::optional<Error> error = outcome.get();
  if (!error) return {};
  thread_.join();
  return *error;
}

template <IoBackend Backend>
SharedReactor<Backend>::~SharedReactor() {
  if (!thread_.joinable()) return;
  ReactorRequest request;
  request.operation = StopReactor{};
  door_.push(request);
  door_.ring();
  thread_.join();
}

template <IoBackend Backend>
Result<std::unique_ptr<SharedReactorBackend<Backend>>> SharedReactor<Backend>::make_backend() {
  auto client = door_.admit();
  if (client == nullptr) return Error::from_errno(EUSERS);
  return std::make_unique<BackendType>(this->shared_from_this(), door_, std::move(client),
                                       buffers_);
}

template <IoBackend Backend>
Result<std::unique_ptr<SharedReactorBackend<Backend>>> SharedReactorBackend<Backend>::create(
    const BackendOptions& options) {
  SharedReactorOptions own{.backend = options};
  own.requests = std::min(own.requests, std::size_t{std::bit_ceil(options.submission_entries)});
  own.completions =
      std::min(own.completions, std::size_t{std::bit_ceil(options.completion_entries)});
  auto reactor = SharedReactor<Backend>::start(own);
  if (!reactor) return reactor.error();
  return (*reactor)->make_backend();
}

}  // namespace weft::ksvc
