// WorkerRecorder: what one worker's requests leave behind: a line in the access log, and figures.
//
// The worker writes, on its own cache lines; any thread reads the figures. A route has figures of
// its own from its first request on, so that their number is bounded by that of the routes.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "app/log/access_log.hpp"
#include "app/route_entry.hpp"
#include "gvt/counter.hpp"
#include "http/answer_observer.hpp"
#include "http/method.hpp"

namespace weft::app {

// Buckets whose bounds are powers of two: the first is 2^First, each next one 2^Step times larger.
template <unsigned First, unsigned Step, std::size_t Bounds>
class PowerBuckets {
 public:
  static constexpr std::size_t kBounds = Bounds;
  static constexpr std::uint64_t bound(std::size_t i) noexcept {
    return std::uint64_t{1} << (First + Step * i);
  }

  void add(std::uint64_t value) noexcept {
    if (value <= bound(0)) return counts_[0].add(1);
    const std::size_t i =
        (static_cast<std::size_t>(std::bit_width(value - 1)) - First + Step - 1) / Step;
    counts_[i < Bounds ? i : Bounds].add(1);
  }
  std::uint64_t count(std::size_t i) const noexcept { return counts_[i].value(); }

 private:
  std::array<gvt::Counter, Bounds + 1> counts_;
};

struct RouteFigures {
  static constexpr std::size_t kClasses = 6;  // of statuses, by the first digit

  explicit RouteFigures(const RouteEntry* of) noexcept : entry(of) {}
  explicit RouteFigures(const std::string& of) noexcept : mount(&of) {}

  const RouteEntry* entry = nullptr;   // null: of requests without a route
  const std::string* mount = nullptr;  // what has answered them in front of the routes
  std::array<std::array<gvt::Counter, kClasses>, http::method_count + 1> requests;
  PowerBuckets<4, 1, 21> took_us;  // 16 µs to 16.8 s
  gvt::Counter took_ns;
  PowerBuckets<8, 2, 12> answer_bytes;  // 256 bytes to 1 GiB
  gvt::Counter answer_bytes_sum;
  PowerBuckets<8, 2, 12> request_bytes;  // of requests that had a body
  gvt::Counter request_bytes_sum;
};

class WorkerRecorder final : public http::AnswerObserver {
 public:
  // Routes beyond these, which were added while the server ran, share the figures of one.
  static constexpr std::size_t kLateRoutes = 4'096;
  // What answers in front of the routes is written down in a program, a folder of files say. More
  // of those share the same figures.
  static constexpr std::size_t kMounts = 64;
  static constexpr std::size_t kUnrouted = 0;
  static constexpr std::size_t kOthers = 1;
  static constexpr std::size_t kFirstRoute = 2;
  static constexpr int kLeastRefusal = 400;
  static constexpr std::size_t kRefusals = 200;

  // Without a log none is written, and without room for routes nothing is counted.
  WorkerRecorder(AccessLog* log, bool counts, std::size_t routes)
      : AnswerObserver(log != nullptr),
        log_(log),
        routes_(counts ? kFirstRoute + routes + kLateRoutes : 0) {}
  ~WorkerRecorder();
  WorkerRecorder(const WorkerRecorder&) = delete;
  WorkerRecorder& operator=(const WorkerRecorder&) = delete;

  void request_began() noexcept override { begun_.add(1); }
  void request_lost() noexcept override { ended_.add(1); }
  void answer_ended(const http::EndedAnswer& answer) noexcept override;

  // ---- Any thread
  std::size_t route_count() const noexcept { return routes_.size(); }
  // Null: nothing was asked of it.
  const RouteFigures* route(std::size_t number) const noexcept {
    return routes_[number].load(std::memory_order_acquire);
  }
  // The same of what answers in front of them, the first of which that is null is the last.
  const RouteFigures* mount(std::size_t number) const noexcept {
    return mounts_[number].load(std::memory_order_acquire);
  }
  std::uint64_t in_flight() const noexcept {
    const std::uint64_t ended = ended_.value();
    const std::uint64_t begun = begun_.value();
    return begun > ended ? begun - ended : 0;
  }
  // Of those that were answered with kLeastRefusal + `status` before their head was read.
  std::uint64_t refusals(std::size_t status) const noexcept { return refusals_[status].value(); }

 private:
  RouteFigures* figures_of(const http::EndedAnswer& answer) noexcept;
  RouteFigures* figures_of_mount(const std::string& mount) noexcept;
  RouteFigures* figures_of_route(std::size_t number, const RouteEntry* entry) noexcept;
  void count(RouteFigures& figures, const http::EndedAnswer& answer) noexcept;

  AccessLog* log_;
  alignas(64) gvt::Counter begun_;
  gvt::Counter ended_;
  std::array<gvt::Counter, kRefusals> refusals_;
  std::vector<std::atomic<RouteFigures*>> routes_;
  std::array<std::atomic<RouteFigures*>, kMounts> mounts_{};
};

}  // namespace weft::app
