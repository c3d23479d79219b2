// AppSettings: what an application is configured by beside the server's own settings, read from the
// same sources: a key in [app] of the configuration file, a variable, a flag.
//
//     std::string database = "notes.db";
//     std::chrono::milliseconds poll{500};
//     weft::AppSettings own;
//     own.add("database", database, "file that the notes are in").add("poll", poll, "how often");
//     return app.run(own.options(argc, argv));
//
// `database` is then what `--database FILE` says, or WEFT_APP_DATABASE, or `database = "…"` in
// [app], or what it was. --help lists all of it, and --print-config prints what is in force and
// where it comes from. Variables must outlive options(). For the main thread, before the start.
#pragma once

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "weft/app.hpp"

namespace weft {

namespace app {
struct OwnSettings;
}

// What else is said of a setting.
struct AppSettingNotes {
  std::string placeholder = {};  // of the value in the help: "FILE"; empty: by its type
  bool required = false;         // must be given by one of the sources, and not be empty
  bool secret = false;           // not shown by --help and --print-config
};

class AppSettings {
 public:
  AppSettings();
  ~AppSettings();
  AppSettings(const AppSettings&) = delete;
  AppSettings& operator=(const AppSettings&) = delete;

  // Each adds a setting that fills a variable, which has its default by then. A key is of small
  // letters, digits and underscores, and none of the server's; from it come the variable of the
  // environment and the flag: cache_size, WEFT_APP_CACHE_SIZE, --cache-size. Throws
  // std::invalid_argument for one that is not, or is there already.
  //
  // A text, in one line.
  AppSettings& add(std::string key, std::string& target, std::string help,
                   AppSettingNotes notes = {});
  // A text that is one of these.
  AppSettings& add(std::string key, std::string& target, std::vector<std::string> choices,
                   std::string help, AppSettingNotes notes = {});
  // A switch; as a flag also --key and --no-key.
  AppSettings& add(std::string key, bool& target, std::string help, AppSettingNotes notes = {});
  // A time: "250ms", "2m", or a number of seconds.
  AppSettings& add(std::string key, std::chrono::milliseconds& target, std::string help,
                   AppSettingNotes notes = {});
  // A whole number, from 0 to the most that its type holds.
  template <std::unsigned_integral Number>
    requires(!std::same_as<Number, bool>)
  AppSettings& add(std::string key, Number& target, std::string help, AppSettingNotes notes = {}) {
    return add_number(
        std::move(key), std::numeric_limits<Number>::max(), [&target] { return target; },
        [&target](std::uint64_t number) { target = static_cast<Number>(number); }, std::move(help),
        std::move(notes));
  }
  // A size: "64KiB", "8MiB", or a number of bytes.
  AppSettings& add_size(std::string key, std::size_t& target, std::string help,
                        AppSettingNotes notes = {});

  // Reads everything, as Options::from_arguments() does, and fills the variables: leaves the
  // process with status 2 and a message for each mistake when something makes no sense, and with 0
  // after --help and --print-config.
  Options options(int argc, char** argv, const Options& defaults = {});

 private:
  AppSettings& add_number(std::string key, std::uint64_t most, std::function<std::uint64_t()> read,
                          std::function<void(std::uint64_t)> write, std::string help,
                          AppSettingNotes notes);

  std::unique_ptr<app::OwnSettings> settings_;
};

}  // namespace weft
