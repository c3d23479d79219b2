#include "weft/system_call.hpp"

#include <cerrno>

#include "gvt/blocking_io.hpp"
#include "gvt/services.hpp"
#include "ksvc/instance/direct_call.hpp"
#include "weft/blocking.hpp"

namespace weft::detail {

namespace {

// What is refused is so on every kernel.
constexpr ksvc::RouteTable kWithoutRing([](std::uint8_t) { return false; });

Result<std::int64_t> result_of(std::int64_t answer) {
  if (answer < 0) return Error::from_errno(static_cast<int>(-answer));
  return answer;
}

}  // namespace

Result<std::int64_t> system_call(long nr, const std::array<std::uint64_t, 6>& arguments) {
  const ksvc::Entry entry{.nr = nr, .arguments = arguments};
  gvt::BlockingIo* const io = gvt::current_io();
  gvt::Services* const services = io != nullptr ? io->services() : nullptr;
  if (services == nullptr) {
    if (kWithoutRing.tier(nr) == ksvc::Tier::refused) return Error::from_errno(EPERM);
    return result_of(ksvc::call_directly(entry));
  }
  const ksvc::ProbeRouter& router = services->router();
  switch (router.tier(nr)) {
    case ksvc::Tier::refused: return Error::from_errno(EPERM);
    case ksvc::Tier::ring: {
      const ksvc::SystemCall call{nr, router.opcode(nr).value(), arguments};
      if (io->performs(call)) return result_of(gvt::submit_and_park(*io, call));
      break;
    }
    // What the shared page knows is as quick to ask for here.
    case ksvc::Tier::shared_page:
    case ksvc::Tier::inline_only: return result_of(ksvc::call_directly(entry));
    case ksvc::Tier::pool: break;
  }
  if (const std::int32_t reason = gvt::cancelled_already(); reason != 0) return result_of(reason);
  return result_of(blocking([&entry] { return ksvc::call_directly(entry); }));
}

}  // namespace weft::detail
