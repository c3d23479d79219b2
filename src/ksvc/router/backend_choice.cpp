#include "ksvc/router/backend_choice.hpp"

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <stdexcept>

namespace weft::ksvc {
namespace {

// Why the io_uring back end cannot run here; empty when it can.
std::string what_io_uring_lacks(const KernelFeatures& features) {
  if (!features.io_uring) {
    return features.io_uring_refusal.empty() ? "io_uring is not there" : features.io_uring_refusal;
  }
  struct Need {
    bool offered;
    const char* name;
  };
  const std::array<Need, 5> needs{{
      {features.setup.single_issuer, "single-issuer rings"},
      {features.setup.defer_taskrun, "deferred task work"},
      {features.provided_buffer_ring, "provided buffer rings"},
      {features.multishot_accept, "multishot accept"},
      {features.multishot_receive, "multishot receive"},
  }};
  std::string lacking;
  for (const Need& need : needs) {
    if (need.offered) continue;
    if (!lacking.empty()) lacking += ", ";
    lacking += need.name;
  }
  if (lacking.empty()) return {};
  if (!features.io_uring_shortage.empty()) return features.io_uring_shortage;
  return "io_uring on kernel " + features.release + " did not offer " + lacking +
         "; kernels from 6.1 do, unless a filter or a limit on descriptors stands in the way";
}

const char* remedy_for(int os_errno) {
  switch (os_errno) {
    case ENOMEM: return " (raise the memlock limit, ulimit -l)";
    case EMFILE:
    case ENFILE: return " (raise the open-files limit, ulimit -n)";
    default: return "";
  }
}

}  // namespace

BackendChoice choose_backend(const KernelFeatures& features, std::optional<BackendKind> forced) {
  if (forced == BackendKind::epoll) return {BackendKind::epoll, true, "epoll was asked for", true};
  const std::string lack = what_io_uring_lacks(features);
  if (forced == BackendKind::io_uring && !lack.empty()) {
    return {BackendKind::io_uring, false,
            "io_uring was asked for and cannot be used: " + lack + "; or ask for epoll", true};
  }
  if (forced == BackendKind::io_uring) {
    return {BackendKind::io_uring, true, "io_uring was asked for", true};
  }
  if (!lack.empty()) return {BackendKind::epoll, true, lack};
  return {BackendKind::io_uring, true, "kernel " + features.release + " offers all that it needs"};
}

BackendChoice without_io_uring(const BackendChoice& choice, int os_errno) {
  const std::string failure =
      std::string("could not be set up: ") + std::strerror(os_errno) + remedy_for(os_errno);
  if (!choice.forced) return {BackendKind::epoll, true, "io_uring " + failure};
  return {BackendKind::io_uring, false,
          "io_uring was asked for and " + failure + "; or ask for epoll", true};
}

std::optional<BackendKind> parse_backend_kind(std::string_view name) noexcept {
  if (name == "io_uring") return BackendKind::io_uring;
  if (name == "epoll") return BackendKind::epoll;
  return std::nullopt;
}

std::optional<BackendKind> wish_of_environment() {
  const char* const text = std::getenv("WEFT_BACKEND");
  const std::string_view wish = text != nullptr ? text : "";
  const auto kind = parse_backend_kind(wish);
  if (!kind && !wish.empty() && wish != "auto") {
    throw std::runtime_error("unknown back end \"" + std::string(wish) +
                             "\" in the environment variable WEFT_BACKEND: use auto, io_uring or "
                             "epoll");
  }
  return kind;
}

}  // namespace weft::ksvc
