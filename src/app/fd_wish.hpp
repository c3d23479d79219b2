// Which inherited descriptor is to be listened on, as people write it in Options::fd.
//
// Pure; any thread.
#pragma once

#include <charconv>
#include <optional>
#include <string_view>

namespace weft::app {

struct FdWish {
  int number = -1;        // -1: what the service manager hands over
  std::string_view name;  // there: of one of several; empty: the only one
};

inline constexpr const char* kFdWishes = "the number of a descriptor, systemd or systemd:NAME";

inline std::optional<FdWish> parse_fd_wish(std::string_view text) {
  if (text == "systemd") return FdWish{};
  constexpr std::string_view kNamed = "systemd:";
  if (text.starts_with(kNamed)) {
    const std::string_view name = text.substr(kNamed.size());
    return name.empty() ? std::nullopt : std::optional(FdWish{-1, name});
  }
  // More descriptors than this no system allows.
  constexpr int kMost = 1 << 20;
  FdWish wish;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), wish.number);
  const bool whole = error == std::errc{} && end == text.data() + text.size();
  return whole && wish.number >= 0 && wish.number <= kMost ? std::optional(wish) : std::nullopt;
}

}  // namespace weft::app
