// The OpenAPI document of an application, made of its routes.
//
// openapi_text() is a function of what it is given: the same routes in the same order give the same
// bytes. A ServedDocument is guarded by whoever guards the routes.
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <string>
#include <string_view>

#include "app/route_entry.hpp"
#include "weft/error_format.hpp"
#include "weft/openapi.hpp"

namespace weft::app {

// An ETag for a text; not against an adversary: it tells versions of one document apart.
std::string tag_of(std::string_view text);

// `errors`: what answers to errors look like.
std::string openapi_text(const OpenApiOptions& options, const std::deque<RouteEntry>& routes,
                         ErrorFormat errors);

// Throw std::invalid_argument.
void require_sound(const OpenApiOptions& options);
void require_known_schemes(const OpenApiOptions& options, const RouteDescription& description,
                           std::string_view pattern);

// What is sent: the document as of a number of routes. Shared and never changed.
struct DocumentText {
  std::string text;
  std::string tag;  // an ETag
};

class ServedDocument {
 public:
  explicit ServedDocument(OpenApiOptions options) : options_(std::move(options)) {}

  const OpenApiOptions& options() const noexcept { return options_; }
  // Made anew when there are more routes than the last time; `errors` is the same each time.
  std::shared_ptr<const DocumentText> of(const std::deque<RouteEntry>& routes, ErrorFormat errors);

 private:
  OpenApiOptions options_;
  std::size_t made_of_ = 0;  // so many routes
  std::shared_ptr<const DocumentText> made_;
};

}  // namespace weft::app
