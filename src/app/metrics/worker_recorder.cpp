#include "app/metrics/worker_recorder.hpp"

#include <new>

#include "http/exchange.hpp"

namespace weft::app {

WorkerRecorder::~WorkerRecorder() {
  for (auto& one : routes_) delete one.load();
  for (auto& one : mounts_) delete one.load();
}

RouteFigures* WorkerRecorder::figures_of(const http::EndedAnswer& answer) noexcept {
  if (const std::string* const mount = answer.exchange->mount()) [[unlikely]]
    return figures_of_mount(*mount);
  const auto* const entry = static_cast<const RouteEntry*>(answer.exchange->route_object());
  const std::size_t number = entry == nullptr ? kUnrouted : kFirstRoute + entry->number;
  return figures_of_route(number < routes_.size() ? number : kOthers, entry);
}

RouteFigures* WorkerRecorder::figures_of_mount(const std::string& mount) noexcept {
  for (auto& one : mounts_) {
    RouteFigures* figures = one.load(std::memory_order_relaxed);
    if (figures != nullptr && figures->mount != &mount) continue;
    if (figures == nullptr) [[unlikely]] {
      figures = new (std::nothrow) RouteFigures(mount);
      one.store(figures, std::memory_order_release);
    }
    return figures;
  }
  return figures_of_route(kOthers, nullptr);
}

RouteFigures* WorkerRecorder::figures_of_route(std::size_t number,
                                               const RouteEntry* entry) noexcept {
  RouteFigures* figures = routes_[number].load(std::memory_order_relaxed);
  if (figures == nullptr) [[unlikely]] {
    figures = new (std::nothrow) RouteFigures(number == kOthers ? nullptr : entry);
    routes_[number].store(figures, std::memory_order_release);
  }
  return figures;
}

void WorkerRecorder::count(RouteFigures& figures, const http::EndedAnswer& answer) noexcept {
  const auto method = static_cast<std::size_t>(answer.exchange->head().head().method);
  const auto status = static_cast<unsigned>(answer.status == 0 ? kClientGone : answer.status);
  figures.requests[method][status / 100 % RouteFigures::kClasses].add(1);
  const std::int64_t took = (answer.ended - answer.began).count();
  const std::uint64_t ns = took > 0 ? static_cast<std::uint64_t>(took) : 0;
  figures.took_us.add((ns + 999) / 1000);
  figures.took_ns.add(ns);
  figures.answer_bytes.add(answer.body_bytes);
  figures.answer_bytes_sum.add(answer.body_bytes);
  if (answer.request_body_bytes == 0) [[likely]]
    return;
  figures.request_bytes.add(answer.request_body_bytes);
  figures.request_bytes_sum.add(answer.request_body_bytes);
}

void WorkerRecorder::answer_ended(const http::EndedAnswer& answer) noexcept {
  if (log_ != nullptr) log_->log(answer);
  if (routes_.empty()) return;
  if (answer.exchange == nullptr) {
    const auto code = static_cast<std::size_t>(answer.status - kLeastRefusal);
    if (code < kRefusals) refusals_[code].add(1);
    return;
  }
  ended_.add(1);
  if (RouteFigures* const figures = figures_of(answer)) count(*figures, answer);
}

}  // namespace weft::app
