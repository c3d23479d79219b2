// `weft serve`: serves the files of a folder until SIGTERM or SIGINT.
#include <array>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include <weft/app.hpp>
#include <weft/blocking.hpp>
#include <weft/context.hpp>
#include <weft/file_root.hpp>

#include "app/serve_flags.hpp"
#include "cli/command.hpp"
#include "cli/folder.hpp"
#include "http/served_path.hpp"

namespace weft::cli {
namespace {

// A page of more is of no use to people, and this one takes about a megabyte.
constexpr std::size_t kMostListed = 10'000;

std::string escaped_for_html(std::string_view text) {
  std::string result;
  for (const char byte : text) {
    switch (byte) {
      case '&': result += "&amp;"; break;
      case '<': result += "&lt;"; break;
      case '>': result += "&gt;"; break;
      case '"': result += "&quot;"; break;
      case '\'': result += "&#39;"; break;
      default: result += byte;
    }
  }
  return result;
}

std::string escaped_for_link(std::string_view name) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string result;
  for (const char byte : name) {
    const auto code = static_cast<unsigned char>(byte);
    const bool plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                       (byte >= '0' && byte <= '9') || byte == '-' || byte == '_' || byte == '.';
    if (plain) {
      result += byte;
    } else {
      result += {'%', kDigits[code >> 4], kDigits[code & 15]};
    }
  }
  return result;
}

std::string listing_page(std::string_view path, const std::vector<FolderEntry>& entries) {
  const std::string title = escaped_for_html(path);
  std::string page = "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>" +
                     title + "</title>\n<h1>" + title + "</h1>\n<ul>\n";
  if (path != "/") page += "<li><a href=\"../\">../</a>\n";
  for (const FolderEntry& entry : entries) {
    const std::string slash = entry.is_folder ? "/" : "";
    // The dot and slash keep a name with a colon from being a scheme.
    page += "<li><a href=\"./" + escaped_for_link(entry.name) + slash + "\">" +
            escaped_for_html(entry.name) + slash + "</a>\n";
  }
  return page + "</ul>\n</html>\n";
}

class FolderSite {
 public:
  FolderSite(const FileRoot& root, std::string index, bool listing)
      : root_(root), index_(std::move(index)), listing_(listing) {}

  // `path` beneath the root, without the slash in front.
  void answer(Context& c, const std::string& path) const {
    if (path.empty() || path.ends_with('/')) return answer_folder(c, path);
    if (c.file(root_, path)) return;
    // Links inside a page are relative to the folder only with the slash behind it.
    if (fit(c, path) && blocking([&] { return is_folder(root_.fd(), path); })) {
      c.status(301).set_header("Location", std::string(c.path()) + "/");
      c.text("it is a folder\n");
    }
  }

 private:
  static bool fit(Context& c, const std::string& path) {
    return !http::hides_something(c.path()) && http::is_ordinary(path);
  }

  void answer_folder(Context& c, const std::string& path) const {
    if (c.file(root_, path + index_) || !listing_) return;
    const std::string folder = path.substr(0, path.empty() ? 0 : path.size() - 1);
    if (!folder.empty() && !fit(c, folder)) return;
    const auto entries = blocking([&] { return list_folder(root_.fd(), folder, kMostListed); });
    if (!entries) return;
    for (const FolderEntry& entry : *entries) {
      // It is there, and has been refused.
      if (entry.name == index_ && !entry.is_folder) return;
    }
    c.status(200).set_header("Content-Security-Policy", "default-src 'none'");
    c.html(listing_page("/" + path, *entries));
  }

  const FileRoot& root_;
  std::string index_;
  bool listing_;
};

int run_serve(Arguments arguments) {
  std::string folder;
  std::string index = "index.html";
  bool listing = false;
  app::ServeFlags flags("weft serve", kServeCommand.summary);
  flags.flags()
      .word({"DIR", "the folder whose files are served"}, folder)
      .text({"index", "the file that stands for its folder (index.html)"}, "NAME", index)
      .toggle({"listing", "show what is in a folder without such a file"}, listing);
  if (const auto status = flags.parse(arguments, app::process_environment())) return *status;
  if (!http::is_ordinary(index) || index.find('/') != std::string::npos) {
    std::fprintf(stderr, "weft serve: --index must be the name of a file, not '%s'\n",
                 index.c_str());
    return kExitUsage;
  }
  const auto root = FileRoot::open(folder);
  if (!root) {
    std::fprintf(stderr, "weft serve: cannot open the folder %s: %s\n", folder.c_str(),
                 root.error().message().c_str());
    return kExitFailed;
  }

  App application;
  const FolderSite site(*root, index, listing);
  application.get("/", [&site](Context& c) { site.answer(c, {}); });
  application.get("/*path", [&site](Context& c) { site.answer(c, std::string(c.param("path"))); });
  return application.run(flags.options());
}

}  // namespace

const Command kServeCommand{
    "serve",
    "Serves the files of a folder",
    run_serve,
};

}  // namespace weft::cli
