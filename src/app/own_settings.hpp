// OwnSettings: the settings of an application, shaped as the server's are, each with the variable
// that it fills.
//
// Belongs to an AppSettings, and to its thread.
#pragma once

#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "app/settings.hpp"

namespace weft::app {

// Where they stand in a file.
inline constexpr std::string_view kOwnSection = "app";

struct OwnSetting {
  Setting shape;  // without a field of Options; its texts are those below
  std::string key;
  std::string help;
  std::string placeholder;
  std::vector<std::string> choices;
  bool required = false;
  bool secret = false;
  std::function<Value()> read;
  std::function<void(const Value& value)> write;
  std::string origin = "default";
};

struct OwnSettings {
  std::deque<OwnSetting> all;  // a deque: their shapes hold the addresses of their texts

  OwnSetting* find(std::string_view key);
};

}  // namespace weft::app
