// Paint: colours for a terminal, or the same text without them.
//
// Colour only ever repeats what the words say. Plain data; safe from any thread.
#pragma once

#include <string>
#include <string_view>

namespace weft::cli {

class Paint {
 public:
  // `wish` is auto, always or never; auto means a terminal that has not set NO_COLOR.
  static Paint for_stdout(std::string_view wish);
  explicit Paint(bool on) : on_(on) {}

  std::string good(std::string_view text) const { return wrap("32", text); }
  std::string bad(std::string_view text) const { return wrap("31", text); }
  std::string faint(std::string_view text) const { return wrap("2", text); }
  std::string strong(std::string_view text) const { return wrap("1", text); }

 private:
  std::string wrap(std::string_view code, std::string_view text) const;

  bool on_;
};

}  // namespace weft::cli
