// AccessMemory: what a log has formatted last: the second it is, and addresses.
//
// One thread at a time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "weft/endpoint.hpp"

namespace weft::app {

class AccessMemory {
 public:
  // What they give is followed by so many bytes that may be read, too.
  static constexpr std::size_t kSlack = 8;

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
  // The address alone.
  std::string_view host(const Endpoint& peer);

 private:
  struct Host {
    Endpoint::Ipv6Bytes address{};
    std::uint32_t scope = 0;
    bool is_ipv6 = false;
    std::size_t size = 0;  // 0: nobody yet
    std::array<char, 64 + kSlack> text;
  };
  // Clients that are there at the same time and ask more than once; those who meet take turns.
  static constexpr std::size_t kHosts = 128;

  void tell_time(std::int64_t second) {
    if (second != second_) [[unlikely]]
      format_time(second);
  }
  void format_time(std::int64_t second);

  std::int64_t second_ = INT64_MIN;
  std::array<char, 48 + kSlack> clf_{};
  std::array<char, 32 + kSlack> iso_{};
  std::size_t clf_size_ = 0;
  std::size_t iso_size_ = 0;
  std::array<Host, kHosts> hosts_;
};

}  // namespace weft::app
