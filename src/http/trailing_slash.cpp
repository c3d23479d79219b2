#include "http/trailing_slash.hpp"

namespace weft::http {

std::string with_other_slash(std::string_view path) {
  if (path.size() < 2 || path.front() != '/') return {};
  if (path.back() == '/') return std::string(path.substr(0, path.size() - 1));
  std::string longer(path);
  longer += '/';
  return longer;
}

bool stays_here(std::string_view path) {
  return path.size() < 2 || (path[1] != '/' && path[1] != '\\');
}

std::string location_of(std::string path, std::string_view query) {
  if (!query.empty()) {
    path += '?';
    path += query;
  }
  return path;
}

}  // namespace weft::http
