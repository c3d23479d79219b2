// InstanceParts: how the parts of an instance are made, where the type alone does not say it.
//
// Plain data, filled in before create(). A part that is made by a function is made on the owner's
// thread, by create().
#pragma once

#include <sys/syscall.h>

#include <concepts>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>

#include "ksvc/core/io_backend.hpp"
#include "ksvc/page/page_mapping.hpp"
#include "ksvc/router/kernel_features.hpp"
#include "weft/result.hpp"

namespace weft::ksvc {

template <class Traits>
struct InstanceParts {
  using Router = typename Traits::Router;
  using Pool = typename Traits::Pool;
  using Sink = typename Traits::Sink;
  using Clock = typename Traits::Clock;

  // Calls begun and not finished. What is beyond waits in the queue.
  std::size_t in_flight = 1024;
  // Calls submitted and not begun, a power of two. What is beyond is answered `full`.
  std::size_t queued = 1024;
  std::uint32_t worker = 0;  // whose counters of the page are this instance's
  BackendOptions backend;
  BufferOptions buffers;  // where they are not the back end's own
  // Files in a tmpfs: a page that is mapped from elsewhere would be written to the disk.
  SharedPageOptions page{.path = "/dev/shm"};
  Clock clock{};
  std::function<Router()> make_router = [] {
    if constexpr (std::constructible_from<Router, const KernelFeatures&>) {
      return Router(probe_kernel_features());
    } else {
      return Router();
    }
  };
  std::function<std::unique_ptr<Pool>()> make_pool = [] { return std::make_unique<Pool>(); };
  std::function<Result<std::unique_ptr<Sink>>()> make_sink = []() -> Result<std::unique_ptr<Sink>> {
    if constexpr (requires { Sink::create(); }) {
      return Sink::create();
    } else {
      return std::make_unique<Sink>();
    }
  };
};

// Where an instance's lent buffers come from: the back end's own provider when it is of that type,
// so that nothing is there twice, and else one that the instance has for itself.
template <class Buffers, class Backend>
class BufferSource {
 public:
  BufferSource(Backend& backend, const BufferOptions& options) {
    if constexpr (std::same_as<Buffers, typename Backend::Buffers>) {
      used_ = &backend.buffers();
    } else if constexpr (requires {
                           { backend.registered_buffers() } -> std::same_as<Buffers&>;
                         }) {
      used_ = &backend.registered_buffers();
    } else {
      used_ = &own_.emplace(options);
    }
  }
  BufferSource(const BufferSource&) = delete;
  BufferSource& operator=(const BufferSource&) = delete;

  Buffers& get() noexcept { return *used_; }

 private:
  std::optional<Buffers> own_;
  Buffers* used_ = nullptr;
};

// Whether the call reads into memory that its second and third argument describe.
constexpr bool can_lend_for(long nr) noexcept {
  return nr == SYS_read || nr == SYS_pread64 || nr == SYS_recvfrom;
}

}  // namespace weft::ksvc
