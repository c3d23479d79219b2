#include "app/log/access_memory.hpp"

#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <string>

namespace weft::app {

void AccessMemory::format_time(std::int64_t second) {
  const auto time = static_cast<time_t>(second);
  tm parts{};
  ::localtime_r(&time, &parts);
  // Months have names of their own here, whatever the locale.
  static constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const long zone = parts.tm_gmtoff / 60;
  const long minutes = zone < 0 ? -zone : zone;
  std::array<char, 96> text{};
  const int size =
      std::snprintf(text.data(), text.size(), "[%02d/%s/%04d:%02d:%02d:%02d %c%02ld%02ld]",
                    parts.tm_mday, kMonths[parts.tm_mon % 12], parts.tm_year + 1900, parts.tm_hour,
                    parts.tm_min, parts.tm_sec, zone < 0 ? '-' : '+', minutes / 60, minutes % 60);
  clf_size_ = std::min(static_cast<std::size_t>(size), clf_.size() - kSlack);
  std::memcpy(clf_.data(), text.data(), clf_size_);
  ::gmtime_r(&time, &parts);
  iso_size_ = ::strftime(iso_.data(), iso_.size() - kSlack, "%Y-%m-%dT%H:%M:%S", &parts);
  second_ = second;
}

std::string_view AccessMemory::host(const Endpoint& peer) {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  std::memcpy(&high, peer.bytes().data(), 8);
  std::memcpy(&low, peer.bytes().data() + 8, 8);
  const std::uint64_t mixed = (high ^ (low * 0x9E3779B97F4A7C15)) * 0x9E3779B97F4A7C15;
  Host& host = hosts_[mixed >> 57];
  static_assert(kHosts == 128);
  if (host.size == 0 || host.address != peer.bytes() || host.scope != peer.scope() ||
      host.is_ipv6 != peer.is_ipv6()) [[unlikely]] {
    const std::string text = peer.host();
    host = {peer.bytes(), peer.scope(), peer.is_ipv6(), 0, {}};
    host.size = text.copy(host.text.data(), host.text.size() - kSlack);
  }
  return {host.text.data(), host.size};
}

}  // namespace weft::app
