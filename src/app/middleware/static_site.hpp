// StaticSite: a folder of files, and how they are served.
//
// Made once and only read from then on. Any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/content_coding.hpp"
#include "weft/context.hpp"
#include "weft/file_root.hpp"
#include "weft/middleware/static_files.hpp"

namespace weft::app {

class StaticSite {
 public:
  // Throws std::invalid_argument and std::runtime_error.
  StaticSite(const std::string& folder, const StaticOptions& options);

  // Whether the request was answered; `path` beneath the folder, decoded, without a slash in front.
  bool serve(Context& context, const std::string& path) const;
  // The file for pages that are not there, where the request is for one.
  bool serve_fallback(Context& context) const;
  // The path beneath the folder, as it was sent; nothing when the prefix is another.
  std::optional<std::string_view> beneath_prefix(std::string_view path) const;

 private:
  enum class Outcome : unsigned char { answered, missing, folder };

  bool is_ours(std::string_view path) const;
  Outcome serve_file(Context& context, const std::string& path) const;
  Outcome serve_one(Context& context, const std::string& path, std::string_view ending,
                    std::string_view name, http::ContentCoding coding) const;
  bool serve_folder(Context& context, const std::string& path) const;
  bool list(Context& context, const std::string& path) const;
  std::string_view type_of(std::string_view path) const;
  void add_fields(Context& context, std::string_view path) const;

  FileRoot root_;
  StaticOptions options_;
};

// Whether the text fits a pattern in which `*` stands for any characters.
[[nodiscard]] bool fits_pattern(std::string_view text, std::string_view pattern);

}  // namespace weft::app
