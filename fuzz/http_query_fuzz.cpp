// Lazy queries: pairs lie inside the text, and every name that can be decoded is found.

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "http/query.hpp"
#include "http/uri.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace weft::http;
  // Finding every name takes quadratic time.
  const std::string_view text(reinterpret_cast<const char*>(data), size < 1000 ? size : 1000);
  const Query query(text);
  std::size_t bytes = 0;
  for (const QueryPair& pair : query) {
    bytes += pair.name.size() + pair.value.size();
    if (pair.name.find_first_of("&=") != std::string_view::npos) std::abort();
    if (pair.value.find('&') != std::string_view::npos) std::abort();
    const auto name = percent_decode(pair.name, UriPart::query);
    if (name && !query.find_raw(*name)) std::abort();
  }
  if (bytes > text.size()) std::abort();
  return 0;
}
