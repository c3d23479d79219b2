// What is asked of OpenApiOptions, and of routes that refer to them.
#include <algorithm>
#include <set>
#include <stdexcept>
#include <string>

#include "app/openapi_document.hpp"
#include "weft/route_description.hpp"

namespace weft::app {

namespace {

bool is_known(const OpenApiOptions& options, const std::string& name) {
  const auto& schemes = options.security_schemes;
  return std::any_of(schemes.begin(), schemes.end(),
                     [&](const SecurityScheme& scheme) { return scheme.name == name; });
}

void require_path(const std::string& path, const char* what) {
  if (path.starts_with('/') && path.find_first_of("{}:*") == std::string::npos) return;
  throw std::invalid_argument(std::string("OpenApiOptions::") + what + " is \"" + path +
                              "\": say a path that begins with '/' and has no parameters");
}

void require_scheme(const SecurityScheme& scheme) {
  using Kind = SecurityScheme::Kind;
  const std::string where = "OpenApiOptions::security_schemes, \"" + scheme.name + "\": ";
  const auto is_odd = [](char c) {
    return !((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
             c == '_' || c == '-' || c == '.');
  };
  if (scheme.name.empty() || std::any_of(scheme.name.begin(), scheme.name.end(), is_odd)) {
    throw std::invalid_argument(where + "a name is of letters, digits, '.', '-' and '_'");
  }
  const bool has_key =
      scheme.kind == Kind::header || scheme.kind == Kind::query || scheme.kind == Kind::cookie;
  if (has_key && scheme.field.empty()) {
    throw std::invalid_argument(where +
                                "say in `field` what the key's header, query field or "
                                "cookie is called");
  }
  if (scheme.kind == Kind::open_id && scheme.url.empty()) {
    throw std::invalid_argument(where + "say in `url` where its configuration is");
  }
}

}  // namespace

void require_sound(const OpenApiOptions& options) {
  require_path(options.path, "path");
  if (!options.docs_path.empty()) require_path(options.docs_path, "docs_path");
  std::set<std::string> names;
  for (const SecurityScheme& scheme : options.security_schemes) {
    require_scheme(scheme);
    if (names.insert(scheme.name).second) continue;
    throw std::invalid_argument("OpenApiOptions::security_schemes has two of the name \"" +
                                scheme.name + "\"");
  }
  for (const std::string& name : options.security) {
    if (is_known(options, name)) continue;
    throw std::invalid_argument("OpenApiOptions::security names \"" + name +
                                "\", which is not among the security_schemes");
  }
}

void require_known_schemes(const OpenApiOptions& options, const RouteDescription& description,
                           std::string_view pattern) {
  for (const std::string& name : description.notes().security) {
    if (is_known(options, name)) continue;
    throw std::invalid_argument("route " + std::string(pattern) + " names the security scheme \"" +
                                name + "\", which OpenApiOptions::security_schemes has not");
  }
}

}  // namespace weft::app
