#include "http/content_type.hpp"
#include "http/letter_case.hpp"

#include <algorithm>
#include <array>
#include <iterator>

namespace weft::http {

namespace {

struct Row {
  std::string_view extension;
  std::string_view type;
};

// By extension. Text is taken to be UTF-8, as nearly all is.
constexpr Row kRows[] = {
    {"avif", "image/avif"},
    {"bin", "application/octet-stream"},
    {"bmp", "image/bmp"},
    {"css", "text/css; charset=utf-8"},
    {"csv", "text/csv; charset=utf-8"},
    {"flac", "audio/flac"},
    {"gif", "image/gif"},
    {"gz", "application/gzip"},
    {"htm", "text/html; charset=utf-8"},
    {"html", "text/html; charset=utf-8"},
    {"ico", "image/x-icon"},
    {"jpeg", "image/jpeg"},
    {"jpg", "image/jpeg"},
    {"js", "text/javascript; charset=utf-8"},
    {"json", "application/json"},
    {"map", "application/json"},
    {"md", "text/markdown; charset=utf-8"},
    {"mjs", "text/javascript; charset=utf-8"},
    {"mp3", "audio/mpeg"},
    {"mp4", "video/mp4"},
    {"ogg", "audio/ogg"},
    {"otf", "font/otf"},
    {"pdf", "application/pdf"},
    {"png", "image/png"},
    {"svg", "image/svg+xml"},
    {"tar", "application/x-tar"},
    {"ttf", "font/ttf"},
    {"txt", "text/plain; charset=utf-8"},
    {"wasm", "application/wasm"},
    {"wav", "audio/wav"},
    {"webm", "video/webm"},
    {"webmanifest", "application/manifest+json"},
    {"webp", "image/webp"},
    {"woff", "font/woff"},
    {"woff2", "font/woff2"},
    {"xml", "application/xml"},
    {"zip", "application/zip"},
    {"zst", "application/zstd"},
};
constexpr std::size_t kLongest = 11;
static_assert(std::ranges::is_sorted(kRows, {}, &Row::extension));
static_assert(std::ranges::all_of(kRows,
                                  [](const Row& row) { return row.extension.size() <= kLongest; }));

}  // namespace

std::string_view content_type_of(std::string_view file_name) {
  constexpr std::string_view kUnknown = "application/octet-stream";
  const std::size_t dot = file_name.find_last_of("./");
  if (dot == std::string_view::npos || file_name[dot] != '.') return kUnknown;
  const std::string_view given = file_name.substr(dot + 1);
  if (given.size() > kLongest) return kUnknown;
  std::array<char, kLongest> lower{};
  std::ranges::transform(given, lower.begin(), lower_case);
  const std::string_view extension(lower.data(), given.size());
  const auto* const row = std::ranges::lower_bound(kRows, extension, {}, &Row::extension);
  return row != std::end(kRows) && row->extension == extension ? row->type : kUnknown;
}

}  // namespace weft::http
