// `weft serve`: serves the files of a folder until SIGTERM or SIGINT.
#include <cstdio>
#include <stdexcept>
#include <string>

#include <weft/app.hpp>
#include <weft/middleware/compress.hpp>
#include <weft/middleware/static_files.hpp>

#include "app/serve_flags.hpp"
#include "cli/command.hpp"
#include "http/header_text.hpp"
#include "http/served_path.hpp"

namespace weft::cli {
namespace {

int run_serve(Arguments arguments) {
  std::string folder;
  std::string index = "index.html";
  bool packed = false;
  StaticOptions options;
  app::ServeFlags flags("weft serve", kServeCommand.summary);
  flags.flags()
      .word({"DIR", "the folder whose files are served"}, folder)
      .text({"index", "the file that stands for its folder (index.html)"}, "NAME", index)
      .toggle({"listing", "show what is in a folder without such a file"}, options.listing)
      .text({"fallback", "the file for pages that are not there, as single-page applications want"},
            "FILE", options.fallback)
      .text({"cache-control", "the Cache-Control of all files, such as max-age=3600"}, "TEXT",
            options.cache_control)
      .toggle({"precompressed", "give FILE.br, FILE.zst or FILE.gz to clients that take them"},
              options.precompressed)
      .toggle({"compress", "pack what clients take packed"}, packed);
  if (const auto status = flags.parse(arguments, app::process_environment())) return *status;
  if (!http::is_ordinary(index) || index.find('/') != std::string::npos) {
    std::fprintf(stderr, "weft serve: --index must be the name of a file, not '%s'\n",
                 index.c_str());
    return kExitUsage;
  }
  if (!options.fallback.empty() && !http::is_ordinary(options.fallback)) {
    std::fprintf(stderr, "weft serve: --fallback must be a file beneath the folder, not '%s'\n",
                 options.fallback.c_str());
    return kExitUsage;
  }
  if (!http::is_field_value(options.cache_control)) {
    std::fprintf(stderr, "weft serve: --cache-control holds a control byte\n");
    return kExitUsage;
  }
  options.index = {index};

  App application;
  if (packed) application.use(compress());
  try {
    application.files("/", folder, options);
  } catch (const std::runtime_error& error) {
    std::fprintf(stderr, "weft serve: %s\n", error.what());
    return kExitFailed;
  }
  return application.run(flags.options());
}

}  // namespace

const Command kServeCommand{
    "serve",
    "Serves the files of a folder",
    run_serve,
};

}  // namespace weft::cli
