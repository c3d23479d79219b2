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
#include "weft/app.hpp"

namespace weft::app {

class ServeFlags {
 public:
  ServeFlags(std::string_view program, std::string_view summary, Options defaults = {});
  ServeFlags(const ServeFlags&) = delete;
  ServeFlags& operator=(const ServeFlags&) = delete;

  // To add the program's own to, before parse(); the help shows those first.
  Flags& flags() noexcept { return flags_; }
  // The exit status when the program is to end at once, or nothing: the configuration is complete.
  // Once.
  [[nodiscard]] std::optional<int> parse(Arguments arguments, const Environment& environment);
  const Configuration& configuration() const noexcept { return configuration_; }
  const Options& options() const noexcept { return configuration_.options(); }

 private:
  void add_settings();
  void add(const Setting& setting);

  std::string_view program_;
  std::string config_;
  std::vector<std::pair<const Setting*, Value>> given_;
  Configuration configuration_;
  Flags flags_;
};

// Fills `options`, whose values are the defaults; returns the exit status when the program is to
// end at once.
std::optional<int> parse_serve_flags(std::string_view program, std::string_view summary,
                                     Arguments arguments, Options& options);

}  // namespace weft::app
