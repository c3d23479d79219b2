#include "app/configuration.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <tuple>
#include <utility>

#include "app/flags.hpp"
#include "http/log_text.hpp"
#include "weft/detail/descriptor.hpp"

namespace weft::app {
namespace {

constexpr std::string_view kDefault = "default";

std::size_t index_of(const Setting& setting) {
  return static_cast<std::size_t>(&setting - settings().data());
}

std::string did_you_mean(std::string_view meant) {
  return meant.empty() ? std::string() : "; did you mean " + std::string(meant) + "?";
}

std::string unknown_section(std::string_view name) {
  const std::vector<std::string_view> known(sections().begin(), sections().end());
  const std::string_view meant = nearest(name, known);
  if (!meant.empty()) {
    return "there is no section [" + http::printable(name) + "]; did you mean [" +
           std::string(meant) + "]?";
  }
  std::string names;
  for (const std::string_view section : known) {
    names += (names.empty() ? "[" : ", [") + std::string(section) + "]";
  }
  return "there is no section [" + http::printable(name) + "]; there are " + names;
}

std::string unknown_key(std::string_view section, std::string_view key) {
  std::vector<std::string_view> here;
  std::vector<std::string_view> everywhere;
  for (const Setting& setting : settings()) {
    if (setting.key == key) {
      return std::string(key) + " belongs in the section [" + std::string(setting.section) + "]";
    }
    everywhere.push_back(setting.key);
    if (setting.section == section) here.push_back(setting.key);
  }
  std::string text = "there is no setting " + http::printable(key);
  if (!section.empty()) text += " in [" + std::string(section) + "]";
  if (const auto meant = nearest(key, here); !meant.empty()) return text + did_you_mean(meant);
  const std::string_view elsewhere = nearest(key, everywhere);
  for (const Setting& setting : settings()) {
    if (setting.key == elsewhere) {
      return text + "; did you mean " + std::string(elsewhere) + " in [" +
             std::string(setting.section) + "]?";
    }
  }
  return text;
}

// The setting of the application that has this shape; null for one of the server's.
OwnSetting* own_of(OwnSettings* own, const Setting& shape) {
  return own != nullptr && shape.section == kOwnSection ? own->find(shape.key) : nullptr;
}

std::string unknown_own_key(const OwnSettings& own, std::string_view key) {
  std::vector<std::string_view> known;
  for (const OwnSetting& one : own.all) known.push_back(one.key);
  for (const Setting& setting : settings()) {
    if (setting.key == key) {
      return std::string(key) + " belongs in the section [" + std::string(setting.section) + "]";
    }
  }
  return "there is no setting " + http::printable(key) + " in [" + std::string(kOwnSection) + "]" +
         did_you_mean(nearest(key, known));
}

// Numbers of TOML stand for what the same number means in text.
std::variant<Value, std::string> value_of(const Setting& setting, const TomlValue& given) {
  const std::string name = setting.name();
  const auto wrong = [&](const std::string& what) {
    return name + " must be " + expected(setting) + ", not " + what;
  };
  if (const auto* other = std::get_if<OtherValue>(&given.value)) {
    return wrong(std::string(other->kind));
  }
  const bool takes_text = setting.kind != Kind::number && setting.kind != Kind::toggle;
  if (const auto* text = std::get_if<std::string>(&given.value)) {
    if (takes_text) {
      if (auto value = parse_value(setting, *text)) return *value;
      return refusal(setting, name, *text);
    }
    const std::string unquoted =
        parse_value(setting, *text) ? "; write it without quotes" : suggestion(setting, *text);
    return wrong("the text '" + http::printable(*text) + "'") + unquoted;
  }
  if (const auto* on = std::get_if<bool>(&given.value)) {
    if (setting.kind == Kind::toggle) return Value(std::uint64_t{*on});
    return wrong(*on ? "true" : "false");
  }
  if (const auto* real = std::get_if<double>(&given.value)) {
    std::string what = "a number with a fraction";
    const double thousandths = *real * 1000;
    if (setting.kind == Kind::duration && thousandths >= 0 && thousandths < 1e12 &&
        thousandths == std::floor(thousandths)) {
      what += "; write \"" + std::to_string(static_cast<std::uint64_t>(thousandths)) + "ms\"";
    }
    return wrong(what);
  }
  const std::int64_t number = std::get<std::int64_t>(given.value);
  if (setting.kind == Kind::mode) {
    if (given.written_in_octal && number >= 0 &&
        in_range(setting, static_cast<std::uint64_t>(number))) {
      return Value(static_cast<std::uint64_t>(number));
    }
    return wrong(std::to_string(number)) + "; write it in quotes";
  }
  const bool counts = setting.kind == Kind::number || setting.kind == Kind::size ||
                      setting.kind == Kind::duration || setting.kind == Kind::descriptor;
  if (!counts) {
    return wrong("the number " + std::to_string(number)) +
           (setting.kind == Kind::text ? "; write it in quotes" : "");
  }
  if (auto value = parse_value(setting, std::to_string(number))) return *value;
  return wrong(std::to_string(number));
}

// Whether it says where to listen while something else says so.
bool unused(const Setting& setting, const Options& options) {
  return setting.listens_on == ListensOn::address && !(options.uds.empty() && options.fd.empty());
}

std::size_t characters_in(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](char byte) { return (static_cast<unsigned char>(byte) & 0xC0) != 0x80; }));
}

// With a comment that says where it is from.
void add_line(std::string line, const std::string& origin, std::string& text) {
  constexpr std::size_t kCommentColumn = 36;
  line.resize(std::max(kCommentColumn, line.size() + 2), ' ');
  text += line + "# " + http::printable(origin) + "\n";
}

}  // namespace

std::string to_text(const Mistake& mistake) {
  std::string text = mistake.where.empty() ? mistake.text : mistake.where + ": " + mistake.text;
  // A longer line is not somebody's configuration.
  constexpr std::size_t kLongestLine = 200;
  if (mistake.line.empty() || characters_in(mistake.line) > kLongestLine) return text + "\n";
  std::string line = mistake.line;
  // One character each, so that the mark below stays in place.
  for (char& byte : line) {
    const auto code = static_cast<unsigned char>(byte);
    if (code < 0x20 || code == 0x7f) byte = byte == '\t' ? ' ' : '?';
  }
  const std::size_t length = characters_in(line);
  const std::size_t column = std::min(std::max<std::size_t>(mistake.place.column, 1), length + 1);
  const std::size_t width =
      std::min(std::max<std::size_t>(mistake.place.width, 1), length + 2 - column);
  return text + "\n    " + line + "\n    " + std::string(column - 1, ' ') + "^" +
         std::string(width - 1, '~') + "\n";
}

Environment process_environment() {
  return [](const std::string& name) -> std::optional<std::string> {
    const char* const value = std::getenv(name.c_str());
    return value != nullptr ? std::optional<std::string>(value) : std::nullopt;
  };
}

Configuration::Configuration(Options defaults)
    : defaults_(std::move(defaults)),
      options_(defaults_),
      origins_(settings().size(), std::string(kDefault)) {}

const std::string& Configuration::origin(const Setting& setting) const {
  return origins_[index_of(setting)];
}

void Configuration::set(const Setting& setting, const Value& value, std::string origin) {
  if (OwnSetting* const own = own_of(own_, setting)) {
    own->write(value);
    own->origin = std::move(origin);
    return;
  }
  const auto* text = std::get_if<std::string>(&value);
  const bool names_a_place =
      setting.listens_on != ListensOn::nothing && (text == nullptr || !text->empty());
  if (names_a_place) {
    // What an earlier source says about another place to listen on holds no longer.
    for (const Setting& other : settings()) {
      if (other.listens_on != ListensOn::nothing && other.listens_on != setting.listens_on &&
          std::ranges::find(listens_, &other) == listens_.end()) {
        other.field.write(options_, other.field.read(defaults_));
        origins_[index_of(other)] = kDefault;
      }
    }
    listens_.push_back(&setting);
  }
  setting.field.write(options_, value);
  origins_[index_of(setting)] = std::move(origin);
}

void Configuration::end_source() {
  const auto other = std::ranges::find_if(listens_, [&](const Setting* setting) {
    return setting->listens_on != listens_.front()->listens_on;
  });
  if (other != listens_.end()) {
    const Setting& first = *listens_.front();
    const Setting& second = **other;
    mistakes_.push_back({"",
                         first.name() + " (" + origin(first) + ") and " + second.name() + " (" +
                             origin(second) +
                             ") are both given, and a server listens on one: "
                             "leave one of them out",
                         "",
                         {}});
  }
  listens_.clear();
}

void Configuration::read_file(const std::string& path) {
  options_.config = path;
  const auto failed = [&](int os_errno) {
    mistakes_.push_back(
        {path, std::string("cannot read the file: ") + std::strerror(os_errno), "", {}});
  };
  const detail::Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.fd() < 0) return failed(errno);
  // One byte more than is allowed, so that too long a file is seen to be.
  std::string text(kConfigBytes + 1, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const ssize_t got = ::read(file.fd(), text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed(errno);
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  text.resize(size);
  read_text(text, path);
}

void Configuration::read_text(std::string_view text, const std::string& name) {
  const TomlFile file = read_toml(text);
  for (const TomlMistake& mistake : file.mistakes) {
    add_mistake(name, text, mistake.place, mistake.text);
  }
  if (!file.meaningful) return;
  for (const TomlEntry& entry : file.entries) read_entry(entry, text, name);
  end_source();
  std::ranges::sort(mistakes_, {}, [](const Mistake& mistake) {
    return std::tuple(mistake.place.line, mistake.place.column);
  });
}

void Configuration::add_mistake(const std::string& name, std::string_view text, const Place& place,
                                std::string what) {
  if (mistakes_.size() >= kMostMistakes) return;
  mistakes_.push_back({name + ":" + std::to_string(place.line) + ":" + std::to_string(place.column),
                       std::move(what), std::string(line_of(text, place.line)), place});
}

void Configuration::read_own_entry(const TomlEntry& entry, std::string_view text,
                                   const std::string& name) {
  if (own_ == nullptr || entry.key.empty()) return;
  OwnSetting* const own = own_->find(entry.key);
  if (own == nullptr) {
    return add_mistake(name, text, entry.key_place, unknown_own_key(*own_, entry.key));
  }
  const auto value = value_of(own->shape, entry.value);
  if (const auto* refused = std::get_if<std::string>(&value)) {
    return add_mistake(name, text, entry.value_place, *refused);
  }
  set(own->shape, std::get<Value>(value), name + ":" + std::to_string(entry.key_place.line));
}

void Configuration::require_own() {
  if (own_ == nullptr) return;
  for (const OwnSetting& one : own_->all) {
    if (!one.required) continue;
    const Value value = one.read();
    const auto* const text = std::get_if<std::string>(&value);
    const bool is_given = one.origin != kDefault && (text == nullptr || !text->empty());
    if (is_given) continue;
    mistakes_.push_back({"",
                         one.shape.name() + " is not set: give it by --" + one.shape.flag +
                             ", by the variable " + one.shape.variable + ", or in a file",
                         "",
                         {}});
  }
}

void Configuration::read_entry(const TomlEntry& entry, std::string_view text,
                               const std::string& name) {
  if (entry.section == kOwnSection && (own_ != nullptr || own_may_pass_)) {
    return read_own_entry(entry, text, name);
  }
  const bool known_section = std::ranges::find(sections(), entry.section) != sections().end();
  if (entry.key.empty() && !entry.section.empty()) {
    if (!known_section) add_mistake(name, text, entry.key_place, unknown_section(entry.section));
    return;
  }
  // The section itself has been complained about.
  if (!entry.section.empty() && !known_section) return;
  const Setting* const setting = find_setting(entry.section, entry.key);
  if (setting == nullptr) {
    return add_mistake(name, text, entry.key_place, unknown_key(entry.section, entry.key));
  }
  const auto value = value_of(*setting, entry.value);
  if (const auto* refused = std::get_if<std::string>(&value)) {
    return add_mistake(name, text, entry.value_place, *refused);
  }
  set(*setting, std::get<Value>(value), name + ":" + std::to_string(entry.key_place.line));
}

void Configuration::read_environment(const Environment& environment) {
  for (const Setting& setting : settings()) {
    const auto text = environment(setting.variable);
    // Scripts leave variables empty when they mean that they are not set.
    if (!text || text->empty()) continue;
    if (const auto value = parse_value(setting, *text)) {
      set(setting, *value, "environment " + setting.variable);
    } else {
      mistakes_.push_back({"", refusal(setting, setting.variable, *text), "", {}});
    }
  }
  if (own_ != nullptr) {
    for (OwnSetting& one : own_->all) {
      const auto text = environment(one.shape.variable);
      if (!text || text->empty()) continue;
      if (const auto value = parse_value(one.shape, *text)) {
        set(one.shape, *value, "environment " + one.shape.variable);
      } else {
        mistakes_.push_back({"", refusal(one.shape, one.shape.variable, *text), "", {}});
      }
    }
  }
  end_source();
}

void Configuration::set_by_flag(const Setting& setting, const Value& value) {
  set(setting, value, "flag --" + setting.flag);
}

std::string to_toml(const Configuration& configuration) {
  std::string text;
  for (const std::string_view section : sections()) {
    if (!text.empty()) text += "\n";
    text += "[" + std::string(section) + "]\n";
    for (const Setting& setting : settings()) {
      if (setting.section != section) continue;
      // A file says one place to listen on.
      std::string line = unused(setting, configuration.options()) ? "# " : "";
      line += std::string(setting.key) + " = " +
              toml_of(setting, setting.field.read(configuration.options()));
      add_line(std::move(line), configuration.origin(setting), text);
    }
  }
  if (configuration.own() == nullptr || configuration.own()->all.empty()) return text;
  text += "\n[" + std::string(kOwnSection) + "]\n";
  for (const OwnSetting& one : configuration.own()->all) {
    std::string line = one.key + " = " + toml_of(one.shape, one.read());
    if (one.secret) line = "# " + one.key + " is a secret";
    add_line(std::move(line), one.origin, text);
  }
  return text;
}

}  // namespace weft::app
