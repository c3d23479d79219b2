#include "weft/app_settings.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "app/own_settings.hpp"
#include "app/serve_flags.hpp"

namespace weft {

namespace {

// As long as a time can be said in this way: more than a century.
constexpr std::uint64_t kMostTime_ms = std::uint64_t{100} * 365 * 24 * 60 * 60 * 1000;
constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 60U;

bool is_key(std::string_view key) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  };
  return !key.empty() && key.front() >= 'a' && key.front() <= 'z' && key.back() != '_' &&
         key.find("__") == std::string_view::npos && std::all_of(key.begin(), key.end(), fits);
}

// Also what would be taken for another flag.
bool is_taken(std::string_view key, app::OwnSettings& own) {
  const auto is_it = [&](const app::Setting& setting) { return setting.key == key; };
  return key == "config" || key == "help" || key == "print_config" ||
         std::ranges::any_of(app::settings(), is_it) || own.find(key) != nullptr;
}

app::OwnSetting& add_to(app::OwnSettings& own, std::string key, app::Kind kind,
                        std::string_view placeholder, std::string help, AppSettingNotes notes) {
  if (!is_key(key)) {
    throw std::invalid_argument("\"" + key +
                                "\" is no key of a setting: write it in small letters, digits and "
                                "single underscores, cache_size say");
  }
  if (is_taken(key, own)) {
    throw std::invalid_argument("there is a setting " + key + " already: choose another key");
  }
  app::OwnSetting& made = own.all.emplace_back();
  made.key = std::move(key);
  made.help = std::move(help);
  made.placeholder = notes.placeholder.empty() ? std::string(placeholder) : notes.placeholder;
  made.required = notes.required;
  made.secret = notes.secret;
  app::Setting& shape = made.shape;
  shape.section = app::kOwnSection;
  shape.key = made.key;
  shape.kind = kind;
  shape.help = made.help;
  shape.placeholder = made.placeholder;
  shape.flag = made.key;
  std::ranges::replace(shape.flag, '_', '-');
  shape.variable = "WEFT_APP_";
  for (const char c : made.key) {
    shape.variable += c >= 'a' && c <= 'z' ? static_cast<char>(c - ('a' - 'A')) : c;
  }
  return made;
}

}  // namespace

app::OwnSetting* app::OwnSettings::find(std::string_view key) {
  const auto found =
      std::ranges::find_if(all, [&](const OwnSetting& one) { return one.key == key; });
  return found != all.end() ? &*found : nullptr;
}

AppSettings::AppSettings() : settings_(std::make_unique<app::OwnSettings>()) {}
AppSettings::~AppSettings() = default;

AppSettings& AppSettings::add(std::string key, std::string& target, std::string help,
                              AppSettingNotes notes) {
  app::OwnSetting& made = add_to(*settings_, std::move(key), app::Kind::text, "TEXT",
                                 std::move(help), std::move(notes));
  made.read = [&target] { return target; };
  made.write = [&target](const app::Value& value) { target = std::get<std::string>(value); };
  return *this;
}

AppSettings& AppSettings::add(std::string key, std::string& target,
                              std::vector<std::string> choices, std::string help,
                              AppSettingNotes notes) {
  if (std::ranges::find(choices, target) == choices.end()) {
    throw std::invalid_argument("the setting " + key + " is \"" + target +
                                "\" at first, which is none of its choices");
  }
  app::OwnSetting& made = add_to(*settings_, std::move(key), app::Kind::choice, "NAME",
                                 std::move(help), std::move(notes));
  made.choices = std::move(choices);
  made.shape.choices = {made.choices.begin(), made.choices.end()};
  made.read = [&target] { return target; };
  made.write = [&target](const app::Value& value) { target = std::get<std::string>(value); };
  return *this;
}

AppSettings& AppSettings::add(std::string key, bool& target, std::string help,
                              AppSettingNotes notes) {
  app::OwnSetting& made =
      add_to(*settings_, std::move(key), app::Kind::toggle, {}, std::move(help), std::move(notes));
  made.read = [&target] { return std::uint64_t{target}; };
  made.write = [&target](const app::Value& value) { target = std::get<std::uint64_t>(value) != 0; };
  return *this;
}

AppSettings& AppSettings::add(std::string key, std::chrono::milliseconds& target, std::string help,
                              AppSettingNotes notes) {
  app::OwnSetting& made = add_to(*settings_, std::move(key), app::Kind::duration, "TIME",
                                 std::move(help), std::move(notes));
  made.shape.range = {0, kMostTime_ms};
  made.read = [&target] {
    return static_cast<std::uint64_t>(std::max<std::chrono::milliseconds::rep>(0, target.count()));
  };
  made.write = [&target](const app::Value& value) {
    target = std::chrono::milliseconds(std::get<std::uint64_t>(value));
  };
  return *this;
}

AppSettings& AppSettings::add_size(std::string key, std::size_t& target, std::string help,
                                   AppSettingNotes notes) {
  app::OwnSetting& made = add_to(*settings_, std::move(key), app::Kind::size, "SIZE",
                                 std::move(help), std::move(notes));
  made.shape.range = {0, kMostBytes};
  made.read = [&target] { return std::uint64_t{target}; };
  made.write = [&target](const app::Value& value) {
    target = static_cast<std::size_t>(std::get<std::uint64_t>(value));
  };
  return *this;
}

AppSettings& AppSettings::add_number(std::string key, std::uint64_t most,
                                     std::function<std::uint64_t()> read,
                                     std::function<void(std::uint64_t)> write, std::string help,
                                     AppSettingNotes notes) {
  app::OwnSetting& made =
      add_to(*settings_, std::move(key), app::Kind::number, "N", std::move(help), std::move(notes));
  // What TOML can say.
  made.shape.range = {0, std::min<std::uint64_t>(most, INT64_MAX)};
  made.read = std::move(read);
  made.write = [write = std::move(write)](const app::Value& value) {
    write(std::get<std::uint64_t>(value));
  };
  return *this;
}

Options AppSettings::options(int argc, char** argv, const Options& defaults) {
  const std::vector<std::string_view> words(argv + (argc > 0 ? 1 : 0), argv + argc);
  std::string_view program = argc > 0 ? argv[0] : "server";
  program.remove_prefix(program.rfind('/') + 1);
  app::ServeFlags flags(program, app::kServeSummary, defaults, settings_.get());
  if (const auto status = flags.parse(words, app::process_environment())) std::exit(*status);
  return flags.options();
}

}  // namespace weft
