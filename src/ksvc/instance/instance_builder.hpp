// InstanceBuilder: names the parts of an instance one by one, from a set of defaults.
//
//     auto made = InstanceBuilder<DefaultTraits>().backend<Epoll>().in_flight(64).build();
//
// Each verb that names a type gives a builder of another type, so a combination that cannot work
// does not compile. build() is called on the thread that will own the instance.
#pragma once

#include <memory>
#include <tuple>
#include <utility>

#include "ksvc/instance/instance.hpp"

namespace weft::ksvc {

template <class Traits>
class InstanceBuilder {
 public:
  InstanceBuilder() = default;

  template <class T>
  auto router(T made) && {
    auto next = std::move(*this).template with<typename Traits::template WithRouter<T>>();
    next.parts_.make_router = [made] { return made; };
    return next;
  }
  template <class T>
  auto backend(const BackendOptions& options = {}) && {
    auto next = std::move(*this).template with<typename Traits::template WithBackend<T>>();
    next.parts_.backend = options;
    return next;
  }
  // The arguments are the pool's, and are copied.
  template <class T, class... Arguments>
  auto pool(Arguments... arguments) && {
    auto next = std::move(*this).template with<typename Traits::template WithPool<T>>();
    next.parts_.make_pool = [kept = std::make_tuple(std::move(arguments)...)] {
      return std::apply([](const auto&... values) { return std::make_unique<T>(values...); }, kept);
    };
    return next;
  }
  template <class T>
  auto notifier() && {
    return std::move(*this).template with<typename Traits::template WithNotifier<T>>();
  }
  // Likewise for the sink, or for its create() where it has one.
  template <class T, class... Arguments>
  auto sink(Arguments... arguments) && {
    auto next = std::move(*this).template with<typename Traits::template WithSink<T>>();
    next.parts_.make_sink =
        [kept = std::make_tuple(std::move(arguments)...)]() -> Result<std::unique_ptr<T>> {
      return std::apply(
          [](const auto&... values) -> Result<std::unique_ptr<T>> {
            if constexpr (requires { T::create(values...); }) {
              return T::create(values...);
            } else {
              return std::make_unique<T>(values...);
            }
          },
          kept);
    };
    return next;
  }
  template <class T>
  auto buffers(const BufferOptions& options = {}) && {
    auto next = std::move(*this).template with<typename Traits::template WithBuffers<T>>();
    next.parts_.buffers = options;
    return next;
  }
  template <class T>
  auto page(const SharedPageOptions& options) && {
    auto next = std::move(*this).template with<typename Traits::template WithPage<T>>();
    next.parts_.page = options;
    return next;
  }
  template <class T>
  auto clock(T made) && {
    auto next = std::move(*this).template with<typename Traits::template WithClock<T>>();
    next.parts_.clock = std::move(made);
    return next;
  }

  InstanceBuilder in_flight(std::size_t calls) && {
    parts_.in_flight = calls;
    return std::move(*this);
  }
  InstanceBuilder queued(std::size_t calls) && {
    parts_.queued = calls;
    return std::move(*this);
  }

  Result<std::unique_ptr<InstanceOf<Traits>>> build() const {
    return InstanceOf<Traits>::create(parts_);
  }

 private:
  template <class Other>
  friend class InstanceBuilder;

  // The same parts for other traits. What makes a part goes along where its type is the same.
  template <class Other>
  InstanceBuilder<Other> with() && {
    InstanceBuilder<Other> next;
    auto& to = next.parts_;
    to.in_flight = parts_.in_flight;
    to.queued = parts_.queued;
    to.worker = parts_.worker;
    to.backend = parts_.backend;
    to.buffers = parts_.buffers;
    to.page = parts_.page;
    if constexpr (std::same_as<typename Other::Clock, typename Traits::Clock>) {
      to.clock = std::move(parts_.clock);
    }
    if constexpr (std::same_as<typename Other::Router, typename Traits::Router>) {
      to.make_router = std::move(parts_.make_router);
    }
    if constexpr (std::same_as<typename Other::Pool, typename Traits::Pool>) {
      to.make_pool = std::move(parts_.make_pool);
    }
    if constexpr (std::same_as<typename Other::Sink, typename Traits::Sink>) {
      to.make_sink = std::move(parts_.make_sink);
    }
    return next;
  }

  InstanceParts<Traits> parts_;
};

}  // namespace weft::ksvc
