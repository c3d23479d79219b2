#include "app/serve_flags.hpp"

#include <cstdio>

namespace weft::app {
namespace {

std::string help_of(const Setting& setting, const Value& present) {
  std::string text(setting.help);
  for (std::size_t i = 0; i < setting.choices.size(); ++i) {
    const bool last = i + 1 == setting.choices.size();
    text += (i == 0 ? ": " : last ? " or " : ", ") + std::string(setting.choices[i]);
  }
  const std::string usual = text_of(setting, present);
  if (usual.empty()) return text;
  if (setting.kind != Kind::toggle) return text + " (" + usual + ")";
  return text + (usual == "true" ? " (yes; --no-" + setting.flag + ")" : "");
}

}  // namespace

ServeFlags::ServeFlags(std::string_view program, std::string_view summary, Options defaults,
                       OwnSettings* own)
    : program_(program), own_(own), configuration_(defaults), flags_(program, summary) {
  if (own_ != nullptr) configuration_.take_own(*own_);
}

void ServeFlags::add_own() {
  if (own_ == nullptr || own_->all.empty()) return;
  flags_.heading("its own");
  for (const OwnSetting& one : own_->all) {
    std::string help = one.secret ? std::string(one.help) : help_of(one.shape, one.read());
    if (one.required) help += ", which must be given";
    add(one.shape, std::move(help));
  }
}

void ServeFlags::add_settings() {
  add_own();
  for (const std::string_view section : sections()) {
    flags_.heading(std::string(section_help(section)));
    for (const Setting& setting : settings()) {
      if (setting.section != section) continue;
      add(setting, help_of(setting, setting.field.read(options())));
    }
  }
  flags_.heading("and");
  flags_.text({"config", "read this TOML file first; the environment and flags override it"},
              "FILE", config_);
  if (own_ == nullptr) return;
  flags_.toggle({"print-config", "print what is in force, and where it comes from"}, print_);
}

void ServeFlags::add(const Setting& setting, std::string help) {
  const FlagText text{setting.flag, std::move(help)};
  Flags::Take take = [this, &setting](std::string_view given) -> std::optional<std::string> {
    auto value = parse_value(setting, given);
    if (!value) return refusal(setting, "--" + setting.flag, given);
    given_.emplace_back(&setting, std::move(*value));
    return std::nullopt;
  };
  if (setting.kind == Kind::toggle) {
    flags_.on_or_off(text, std::move(take));
  } else {
    flags_.value(text, setting.placeholder, std::move(take));
  }
}

std::optional<int> ServeFlags::parse(Arguments arguments, const Environment& environment) {
  add_settings();
  if (const auto status = flags_.parse(arguments)) return status;
  if (config_.empty()) config_ = environment("WEFT_CONFIG").value_or("");
  if (!config_.empty()) configuration_.read_file(config_);
  configuration_.read_environment(environment);
  for (const auto& [setting, value] : given_) configuration_.set_by_flag(*setting, value);
  configuration_.end_source();
  configuration_.require_own();
  if (configuration_.mistakes().empty()) {
    if (!print_) return std::nullopt;
    std::fputs(to_toml(configuration_).c_str(), stdout);
    return kExitDone;
  }
  std::string text;
  for (const Mistake& mistake : configuration_.mistakes()) {
    text +=
        (mistake.where.empty() ? std::string(program_) + ": " : std::string()) + to_text(mistake);
  }
  text += "Run `" + std::string(program_) + " --help` for what it takes.\n";
  std::fputs(text.c_str(), stderr);
  return kExitUsage;
}

std::optional<int> parse_serve_flags(std::string_view program, std::string_view summary,
                                     Arguments arguments, Options& options) {
  ServeFlags flags(program, summary, options);
  const auto status = flags.parse(arguments, process_environment());
  if (!status) options = flags.options();
  return status;
}

}  // namespace weft::app
