// choose_backend: which IoBackend a kernel can run, and a sentence that says why.
//
// A pure function of what it is given.
// A wish that cannot be met is an error, not a silent substitute. Safe from any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "ksvc/router/kernel_features.hpp"

namespace weft::ksvc {

enum class BackendKind : std::uint8_t { io_uring, epoll };

struct BackendChoice {
  BackendKind kind = BackendKind::epoll;
  bool possible = true;  // false: the wish cannot be met, and `reason` is the error message
  std::string reason;
  bool forced = false;  // it was asked for

  explicit operator bool() const noexcept { return possible; }
};

BackendChoice choose_backend(const KernelFeatures& features, std::optional<BackendKind> forced);
// What becomes of the choice of io_uring when setting up a ring failed all the same: asking tries
// small rings, and a limit may be too low for the ones that work. Epoll, unless io_uring was
// forced.
BackendChoice without_io_uring(const BackendChoice& choice, int os_errno);

constexpr const char* backend_name(BackendKind kind) noexcept {
  return kind == BackendKind::io_uring ? "io_uring" : "epoll";
}
// "io_uring" or "epoll"; anything else, "auto" included, is no kind.
std::optional<BackendKind> parse_backend_kind(std::string_view name) noexcept;
// What the environment variable WEFT_BACKEND asks for; nothing without it, or when it says "auto".
// Throws std::runtime_error when it makes no sense.
std::optional<BackendKind> wish_of_environment();

}  // namespace weft::ksvc
