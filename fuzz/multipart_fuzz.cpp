// Multipart forms: however the input is cut, the same comes out, and never more than went in.

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "http/multipart.hpp"

namespace {

using weft::http::MultipartParser;

std::string taken_apart(std::string_view text, std::size_t step) {
  MultipartParser parser("b", {.parts = 8, .part_header_bytes = 256});
  std::string said;
  std::size_t content = 0;
  for (std::size_t at = 0; at < text.size(); at += step) {
    std::string_view input = text.substr(at, step);
    for (;;) {
      const MultipartParser::Event event = parser.next(input);
      if (event == MultipartParser::Event::need_more) break;
      if (event == MultipartParser::Event::data) {
        if (parser.data().empty()) std::abort();
        content += parser.data().size();
        said += parser.data();
        continue;
      }
      said += '\0';
      said += static_cast<char>(event);
      if (event == MultipartParser::Event::part_begin) said += parser.part().name;
      if (event == MultipartParser::Event::malformed ||
          event == MultipartParser::Event::too_large) {
        return said;
      }
    }
    if (!input.empty()) std::abort();
  }
  if (content > text.size()) std::abort();
  return said;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::string whole = taken_apart(text, size + 1);
  for (const std::size_t step : {1, 2, 3, 7}) {
    if (taken_apart(text, step) != whole) std::abort();
  }
  return 0;
}
