// AccessLog::Memory: what one thread has formatted last: the second it is, and addresses.
//
// One thread at a time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "app/log/access_log.hpp"
#include "weft/endpoint.hpp"

namespace weft::app {

class AccessLog::Memory {
 public:
  // "[10/Oct/2000:13:55:36 -0700]", in the time zone of the process.
  std::string_view clf_time(std::int64_t second) {
    tell_time(second);
    return {clf_.data(), clf_size_};
  }
  // "2000-10-10T20:55:36", in UTC.
  std::string_view iso_time(std::int64_t second) {
    tell_time(second);
    return {iso_.data(), iso_size_};
  }
  // The address alone; "-" for none.
  std::string_view host(const std::optional<Endpoint>& peer);

 private:
  struct Host {
    Endpoint::Ipv6Bytes address{};
    std::uint32_t scope = 0;
    bool is_ipv6 = false;
    std::string text;  // empty: nobody yet
  };
  // Clients that are there at the same time and ask more than once; those who meet take turns.
  static constexpr std::size_t kHosts = 128;

  void tell_time(std::int64_t second) {
    if (second != second_) [[unlikely]]
      format_time(second);
  }
  void format_time(std::int64_t second);

  std::int64_t second_ = INT64_MIN;
  std::array<char, 48> clf_{};
  std::array<char, 32> iso_{};
  std::size_t clf_size_ = 0;
  std::size_t iso_size_ = 0;
  std::array<Host, kHosts> hosts_;
};

}  // namespace weft::app
