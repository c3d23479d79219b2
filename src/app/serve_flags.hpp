// ServeFlags: what everything that serves is configured by: a TOML file, the environment, and a
// flag for every setting; beside flags of the program's own.
//
// For the main thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "app/configuration.hpp"
#include "app/flags.hpp"
#include "app/own_settings.hpp"
#include "weft/app.hpp"

namespace weft::app {

// What a program does, in its help.
inline constexpr std::string_view kServeSummary = "Serves HTTP until it gets SIGINT or SIGTERM";

class ServeFlags {
 public:
  // With the settings of the application, if it has any, which must outlive this.
  ServeFlags(std::string_view program, std::string_view summary, Options defaults = {},
             OwnSettings* own = nullptr);
  ServeFlags(const ServeFlags&) = delete;
  ServeFlags& operator=(const ServeFlags&) = delete;

  // To add the program's own to, before parse(); the help shows those first.
  Flags& flags() noexcept { return flags_; }
  // A file may have settings of an application, of which this program knows nothing.
  void let_own_pass() { configuration_.let_own_pass(); }
  // The exit status when the program is to end at once, or nothing: the configuration is complete.
  // Once.
  [[nodiscard]] std::optional<int> parse(Arguments arguments, const Environment& environment);
  const Configuration& configuration() const noexcept { return configuration_; }
  const Options& options() const noexcept { return configuration_.options(); }

 private:
  void add_settings();
  void add_own();
  void add(const Setting& setting, std::string help);

  std::string_view program_;
  std::string config_;
  OwnSettings* own_;
  bool print_ = false;  // what is in force, and no more
  std::vector<std::pair<const Setting*, Value>> given_;
  Configuration configuration_;
  Flags flags_;
};

// Fills `options`, whose values are the defaults; returns the exit status when the program is to
// end at once.
std::optional<int> parse_serve_flags(std::string_view program, std::string_view summary,
                                     Arguments arguments, Options& options);

}  // namespace weft::app
