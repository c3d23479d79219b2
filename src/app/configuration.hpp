// Configuration: the options of a server, put together from a program's defaults, a TOML file, the
// environment and flags; what comes later wins, and of every setting it is known where it is from.
//
// Mistakes are gathered, not thrown: when there are any, the options are not to be used. Belongs to
// one thread.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/own_settings.hpp"
#include "app/settings.hpp"
#include "app/toml_file.hpp"
#include "weft/app.hpp"

namespace weft::app {

struct Mistake {
  std::string where;  // "weft.toml:3:8", "WEFT_PORT", or empty: the text says it
  std::string text;
  // The line of the file and which part of it is meant, if it is one of a file.
  std::string line;
  Place place;
};

// A few lines for people: what is wrong, and below it the line with the place marked.
std::string to_text(const Mistake& mistake);

// The value of a variable, or nothing when it is not set.
using Environment = std::function<std::optional<std::string>(const std::string& name)>;
Environment process_environment();

class Configuration {
 public:
  explicit Configuration(Options defaults);

  // Before them: the application's settings, which are filled; or that there may be such in a file,
  // of which nothing is known.
  void take_own(OwnSettings& own) { own_ = &own; }
  void let_own_pass() { own_may_pass_ = true; }
  // In this order. `name` is what the file is called in messages.
  void read_file(const std::string& path);
  void read_text(std::string_view text, const std::string& name);
  void read_environment(const Environment& environment);
  void set_by_flag(const Setting& setting, const Value& value);
  // Behind each one: what does not go together is a mistake.
  void end_source();
  // Behind the last one: what an application must be given, and is not, is a mistake.
  void require_own();

  const Options& options() const noexcept { return options_; }
  const std::vector<Mistake>& mistakes() const noexcept { return mistakes_; }
  const OwnSettings* own() const noexcept { return own_; }
  // "default", "weft.toml:3", "environment WEFT_PORT" or "flag --port".
  const std::string& origin(const Setting& setting) const;

 private:
  void read_own_entry(const TomlEntry& entry, std::string_view text, const std::string& name);
  void set(const Setting& setting, const Value& value, std::string origin);
  void add_mistake(const std::string& name, std::string_view text, const Place& place,
                   std::string what);
  void read_entry(const TomlEntry& entry, std::string_view text, const std::string& name);

  Options defaults_;
  Options options_;
  std::vector<std::string> origins_;  // by the place in settings()
  std::vector<Mistake> mistakes_;
  OwnSettings* own_ = nullptr;
  bool own_may_pass_ = false;
  std::vector<const Setting*> listens_;  // what the present source says about where to listen
};

// All of it as TOML, with a comment on each line that says where it is from.
std::string to_toml(const Configuration& configuration);

}  // namespace weft::app
