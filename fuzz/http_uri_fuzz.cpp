// Percent-decoding and authorities: the answers of related functions agree.

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "http/uri.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace weft::http;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const UriPart part : {UriPart::path, UriPart::query}) {
    const auto decoded = percent_decode(text, part);
    if (decoded.has_value() != has_valid_escapes(text)) std::abort();
    if (decoded && decoded->size() > text.size()) std::abort();
    if (is_plain(text, part) && decoded != text) std::abort();
    std::string in_place(text);
    const auto length = percent_decode(in_place, part, in_place.data());
    if (length.has_value() != decoded.has_value()) std::abort();
    if (length && in_place.substr(0, *length) != *decoded) std::abort();
  }
  if (is_authority_with_port(text) && !is_authority(text)) std::abort();
  return 0;
}
