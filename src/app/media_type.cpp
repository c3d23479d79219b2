#include "app/media_type.hpp"

#include "http/head_parser.hpp"
#include "http/header_text.hpp"
#include "http/parameters.hpp"

namespace weft::app {

bool MediaType::is(std::string_view name) const {
  return http::equals_ignoring_case(essence, name);
}

bool MediaType::is_json_dialect() const {
  constexpr std::string_view kType = "application/";
  constexpr std::string_view kSuffix = "+json";
  return essence.size() > kType.size() + kSuffix.size() &&
         http::equals_ignoring_case(essence.substr(0, kType.size()), kType) &&
         http::equals_ignoring_case(essence.substr(essence.size() - kSuffix.size()), kSuffix);
}

std::optional<std::string> MediaType::parameter(std::string_view name) const {
  http::Parameters all(parameters);
  std::optional<std::string> found;
  http::Parameter one;
  while (all.next(one)) {
    if (!http::equals_ignoring_case(one.name, name)) continue;
    if (found) return std::nullopt;
    found = std::move(one.value);
  }
  return all.is_malformed() ? std::nullopt : found;
}

MediaType media_type(std::string_view value) {
  const std::size_t semicolon = value.find(';');
  MediaType type;
  type.essence = http::trim_blanks(value.substr(0, semicolon));
  if (semicolon != std::string_view::npos) type.parameters = value.substr(semicolon);
  return type;
}

}  // namespace weft::app
