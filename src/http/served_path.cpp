#include "http/served_path.hpp"

#include <cstddef>

#include "http/head_parser.hpp"

namespace weft::http {

bool hides_something(std::string_view path) {
  for (std::size_t at = path.find('%'); at != std::string_view::npos; at = path.find('%', at + 1)) {
    const std::string_view code = path.substr(at + 1, 2);
    for (const std::string_view hidden : {"2e", "2f", "5c", "00"}) {
      if (equals_ignoring_case(code, hidden)) return true;
    }
  }
  return false;
}

bool is_ordinary(std::string_view path) {
  if (path.empty() || path.find_first_of(std::string_view("\\\0", 2)) != std::string_view::npos) {
    return false;
  }
  for (;;) {
    const std::size_t slash = path.find('/');
    const std::string_view name = path.substr(0, slash);
    if (name.empty() || name.front() == '.') return false;
    if (slash == std::string_view::npos) return true;
    path.remove_prefix(slash + 1);
  }
}

}  // namespace weft::http
