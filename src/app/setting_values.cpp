// How the values of settings are written and read.
#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <limits>
#include <optional>

#include "app/fd_wish.hpp"
#include "app/flags.hpp"
#include "app/log/access_format.hpp"
#include "app/settings.hpp"
#include "http/letter_case.hpp"
#include "http/log_text.hpp"
#include "http/trusted_proxies.hpp"

namespace weft::app {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};
constexpr std::array<Unit, 5> kSizeUnits{
    {{"TiB", 1ULL << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}}};
constexpr std::array<Unit, 4> kTimeUnits{{{"h", 3'600'000}, {"m", 60'000}, {"s", 1000}, {"ms", 1}}};

// A plain number is one of bytes, but of seconds: nobody counts time in anything else.
constexpr std::uint64_t kSecond = 1000;
// Of a value that makes no sense so much is repeated.
constexpr std::size_t kShownBytes = 80;

std::span<const Unit> units_of(Kind kind) {
  if (kind == Kind::duration) return kTimeUnits;
  return kSizeUnits;
}

bool has_units(Kind kind) { return kind == Kind::size || kind == Kind::duration; }

// Whole numbers in decimal digits at the start of the text, which is shortened by them.
std::optional<std::uint64_t> take_number(std::string_view& text, int base = 10) {
  std::uint64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number, base);
  if (text.empty() || error != std::errc{}) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(stop - text.data()));
  return number;
}

std::optional<std::uint64_t> product(std::uint64_t number, std::uint64_t factor) {
  if (number > std::numeric_limits<std::uint64_t>::max() / factor) return std::nullopt;
  return number * factor;
}

std::optional<std::uint64_t> parse_with_unit(Kind kind, std::string_view text) {
  const auto number = take_number(text);
  if (!number) return std::nullopt;
  if (text.empty()) return product(*number, kind == Kind::duration ? kSecond : 1);
  const auto units = units_of(kind);
  const auto unit = std::ranges::find(units, text, &Unit::name);
  return unit == units.end() ? std::nullopt : product(*number, unit->factor);
}

std::optional<std::uint64_t> parse_whole(std::string_view text, int base) {
  const auto number = take_number(text, base);
  return text.empty() ? number : std::nullopt;
}

std::optional<std::uint64_t> parse_toggle(std::string_view text) {
  if (text == "true") return 1;
  if (text == "false") return 0;
  return std::nullopt;
}

std::string with_unit(Kind kind, std::uint64_t number) {
  for (const Unit& unit : units_of(kind)) {
    if (number % unit.factor != 0 || (number == 0 && unit.factor != 1)) continue;
    // Without a unit 0 is 0 of anything.
    const std::string_view name = number == 0 ? std::string_view() : unit.name;
    return std::to_string(number / unit.factor) + std::string(name);
  }
  return std::to_string(number);
}

std::string octal(std::uint64_t bits) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "0%03o", static_cast<unsigned>(bits));
  return text.data();
}

bool printable_text(std::string_view text) {
  return std::ranges::none_of(text, [](char byte) {
    const auto code = static_cast<unsigned char>(byte);
    return code < 0x20 || code == 0x7f;
  });
}

std::string joined(const std::vector<std::string_view>& words) {
  std::string text;
  for (const std::string_view word : words) {
    if (!text.empty()) text += ", ";
    text += word;
  }
  return text;
}

// "10 MB", "10mib" and the like, in the spelling that is taken.
std::optional<std::string> respelt(Kind kind, std::string_view text) {
  const auto number = take_number(text);
  if (!number) return std::nullopt;
  std::string letters;
  for (const char byte : text) {
    if (byte != ' ') letters += http::lower_case(byte);
  }
  if (letters.empty()) return std::nullopt;
  std::string_view unit;
  if (kind == Kind::size) {
    for (const Unit& known : kSizeUnits) {
      if (known.name.front() + 32 == letters.front()) unit = known.name;
    }
  } else if (letters.starts_with("ms") || letters.starts_with("mil")) {
    unit = "ms";
  } else {
    for (const Unit& known : kTimeUnits) {
      if (known.name.front() == letters.front() && known.name.size() == 1) unit = known.name;
    }
  }
  if (unit.empty()) return std::nullopt;
  return std::to_string(*number) + std::string(unit);
}

std::string in_quotes(std::string_view text) {
  std::string result = "\"";
  for (const char byte : text) {
    const auto code = static_cast<unsigned char>(byte);
    if (byte == '"' || byte == '\\') {
      result += '\\';
      result += byte;
    } else if (code < 0x20 || code == 0x7f) {
      std::array<char, 8> escape{};
      std::snprintf(escape.data(), escape.size(), "\\u%04X", code);
      result += escape.data();
    } else {
      result += byte;
    }
  }
  return result + "\"";
}

}  // namespace

std::string expected(const Setting& setting) {
  const auto [least, most] = setting.range;
  switch (setting.kind) {
    case Kind::text: return "text that can be printed";
    case Kind::number:
      return "a number from " + std::to_string(least) + " to " + std::to_string(most);
    case Kind::size:
      return "a size from " + with_unit(setting.kind, least) + " to " +
             with_unit(setting.kind, most) + ", such as 64KiB, 1MiB or a number of bytes";
    case Kind::duration:
      return "a time from " + with_unit(setting.kind, least) + " to " +
             with_unit(setting.kind, most) + ", such as 500ms, 10s, 5m or a number of seconds";
    case Kind::toggle: return "true or false";
    case Kind::choice: return "one of " + joined(setting.choices);
    case Kind::mode: return "permissions in octal digits from 0000 to 0777, such as 0660";
    case Kind::networks:
      return "addresses, networks such as 10.0.0.0/8, loopback, private or unix, with commas "
             "between them";
    case Kind::descriptor: return kFdWishes;
    case Kind::log_format:
      return "common, combined, json or a pattern such as %h %t \"%r\" %s %b %D";
  }
  return {};
}

bool in_range(const Setting& setting, std::uint64_t number) {
  if (setting.kind == Kind::toggle) return number <= 1;
  return number >= setting.range.least && number <= setting.range.most;
}

std::optional<Value> parse_value(const Setting& setting, std::string_view text) {
  std::optional<std::uint64_t> number;
  switch (setting.kind) {
    case Kind::text:
      if (!printable_text(text)) return std::nullopt;
      return std::string(text);
    case Kind::descriptor:
      if (!text.empty() && (!parse_fd_wish(text) || !printable_text(text))) return std::nullopt;
      return std::string(text);
    case Kind::networks:
      if (!printable_text(text) || http::TrustedProxies::parse(text).index() != 0) {
        return std::nullopt;
      }
      return std::string(text);
    case Kind::log_format:
      if (!access_format_mistake(text).empty()) return std::nullopt;
      return std::string(text);
    case Kind::choice:
      if (std::ranges::find(setting.choices, text) == setting.choices.end()) return std::nullopt;
      return std::string(text);
    case Kind::number: number = parse_whole(text, 10); break;
    case Kind::mode: number = text.empty() ? 0 : parse_whole(text, 8); break;
    case Kind::toggle: number = parse_toggle(text); break;
    case Kind::size:
    case Kind::duration: number = parse_with_unit(setting.kind, text); break;
  }
  if (!number || !in_range(setting, *number)) return std::nullopt;
  return *number;
}

std::string suggestion(const Setting& setting, std::string_view text) {
  std::string meant;
  // Which has its own, in the middle of a sentence.
  if (setting.kind == Kind::log_format) return ": " + access_format_mistake(text);
  if (setting.kind == Kind::choice) {
    meant = nearest(text, setting.choices);
  } else if (setting.kind == Kind::descriptor) {
    meant = nearest(text, {"systemd"});
  } else if (setting.kind == Kind::toggle) {
    const bool on = text == "on" || text == "yes" || text == "1" || text == "True";
    const bool off = text == "off" || text == "no" || text == "0" || text == "False";
    meant = on ? "true" : off ? "false" : nearest(text, {"true", "false"});
  } else if (has_units(setting.kind)) {
    meant = respelt(setting.kind, text).value_or("");
    if (!parse_value(setting, meant)) meant.clear();
  }
  return meant.empty() ? std::string() : "; did you mean " + meant + "?";
}

std::string refusal(const Setting& setting, std::string_view name, std::string_view text) {
  return std::string(name) + " must be " + expected(setting) + ", not '" +
         http::printable(text.substr(0, kShownBytes)) + "'" + suggestion(setting, text);
}

std::string text_of(const Setting& setting, const Value& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  const std::uint64_t number = std::get<std::uint64_t>(value);
  if (has_units(setting.kind)) return with_unit(setting.kind, number);
  if (setting.kind == Kind::toggle) return number != 0 ? "true" : "false";
  if (setting.kind == Kind::mode) return number == 0 ? std::string() : octal(number);
  return std::to_string(number);
}

std::string toml_of(const Setting& setting, const Value& value) {
  const std::string text = text_of(setting, value);
  const bool bare = setting.kind == Kind::number || setting.kind == Kind::toggle || text == "0";
  const bool is_text = setting.kind == Kind::descriptor || setting.kind == Kind::text ||
                       setting.kind == Kind::networks || setting.kind == Kind::log_format;
  return bare && !is_text ? text : in_quotes(text);
}

}  // namespace weft::app
