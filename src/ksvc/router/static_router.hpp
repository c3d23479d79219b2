// StaticRouter: the SyscallRouter whose table the compiler makes, for one release of Linux.
//
// For a program that is built for the kernel it runs on: a call with a constant number costs
// nothing, any other an array index. It believes its release; agrees_with() compares that with what
// the kernel says, and a program should ask once, at its start. Where the kernel lacks an operation
// its calls would fail on the ring, so such a router must not be used. Any thread.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ksvc/core/syscall_router.hpp"
#include "ksvc/router/kernel_features.hpp"
#include "ksvc/router/opcode_releases.hpp"
#include "ksvc/router/route_table.hpp"

namespace weft::ksvc {

// How a kernel differs from what a release is known to have.
struct ReleaseAgreement {
  std::vector<std::uint8_t> lacking;  // operations of the release that the kernel does not offer
  std::vector<std::uint8_t> beyond;   // operations the kernel offers and the release has not
  bool usable = true;                 // no system call depends on what is lacking
  std::string sentence;               // the same in words

  explicit operator bool() const noexcept { return lacking.empty() && beyond.empty(); }
};

ReleaseAgreement compare_with_release(const KernelFeatures& features, KernelRelease release);

template <KernelRelease Release>
class StaticRouter {
 public:
  static constexpr Tier tier(long nr) noexcept { return kRoutes.tier(nr); }
  static constexpr std::optional<std::uint8_t> opcode(long nr) noexcept {
    return kRoutes.opcode(nr);
  }
  static constexpr const char* name() noexcept { return kName.data(); }
  static ReleaseAgreement agrees_with(const KernelFeatures& features) {
    return compare_with_release(features, Release);
  }

 private:
  static constexpr RouteTable kRoutes{
      [](std::uint8_t opcode) { return release_has_opcode(Release, opcode); }};

  // "StaticRouter<6.8>"
  static constexpr auto kName = [] {
    std::array<char, 32> name{};
    std::size_t size = 0;
    const auto append_text = [&](std::string_view text) {
      for (const char letter : text) name[size++] = letter;
    };
    const auto append_number = [&](unsigned number) {
      unsigned divisor = 1;
      while (number / divisor >= 10) divisor *= 10;
      for (; divisor > 0; divisor /= 10)
        name[size++] = static_cast<char>('0' + number / divisor % 10);
    };
    append_text("StaticRouter<");
    append_number(Release.version);
    append_text(".");
    append_number(Release.patch_level);
    append_text(">");
    return name;
  }();
};

static_assert(SyscallRouter<StaticRouter<kKernel6_1>>);
static_assert(StaticRouter<kKernel6_1>::tier(SYS_read) == Tier::ring);
static_assert(StaticRouter<kKernel6_1>::tier(SYS_bind) == Tier::pool);
static_assert(StaticRouter<kKernel6_8>::tier(SYS_waitid) == Tier::ring);
static_assert(StaticRouter<kKernel6_8>::tier(SYS_ftruncate) == Tier::pool);
static_assert(StaticRouter<kKernel6_11>::opcode(SYS_bind) == uring_abi::kOpBind);
static_assert(StaticRouter<kKernel6_14>::tier(SYS_pipe2) == Tier::pool);
static_assert(StaticRouter<kKernel6_16>::opcode(SYS_pipe2) == uring_abi::kOpPipe);
static_assert(StaticRouter<kKernel6_18>::tier(SYS_getpid) == Tier::shared_page);
static_assert(StaticRouter<kKernel6_18>::tier(SYS_clone3) == Tier::refused);
static_assert(StaticRouter<kKernel6_18>::tier(-1) == Tier::pool);

}  // namespace weft::ksvc
