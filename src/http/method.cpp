#include "http/method.hpp"

#include <array>

namespace weft::http {

namespace {

constexpr std::array<std::string_view, method_count> names = {
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"};

}  // namespace

std::string_view name(Method method) {
  return method == Method::unknown ? "UNKNOWN" : names[static_cast<std::size_t>(method)];
}

Method method_from(std::string_view token) {
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i] == token) return static_cast<Method>(i);
  }
  return Method::unknown;
}

std::string MethodSet::allow_text() const {
  std::string text;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (!contains(static_cast<Method>(i))) continue;
    if (!text.empty()) text += ", ";
    text += names[i];
  }
  return text;
}

}  // namespace weft::http
