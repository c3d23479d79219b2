// Lazy cookies: names and values lie inside the text in order, and every name that is listed is
// found as its first one.

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "http/cookie.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace weft::http;
  // Finding every name takes quadratic time.
  const std::string_view text(reinterpret_cast<const char*>(data), size < 1000 ? size : 1000);
  const Cookies cookies(text);
  const char* seen = text.data();
  for (const Cookie& cookie : cookies) {
    const std::string_view name = cookie.name;
    const std::string_view value = cookie.value;
    if (name.empty() || name.data() < seen || value.data() <= name.data()) std::abort();
    seen = value.data() + value.size();
    if (seen > text.data() + text.size()) std::abort();
    if (name.find_first_of("=;") != name.npos || value.find(';') != value.npos) std::abort();
    for (const std::string_view part : {name, value}) {
      if (part.empty()) continue;
      const auto is_blank = [](char byte) { return byte == ' ' || byte == '\t'; };
      if (is_blank(part.front()) || is_blank(part.back())) std::abort();
    }
    const auto found = cookies.find(name);
    if (!found || found->data() > value.data()) std::abort();
  }
  return 0;
}
