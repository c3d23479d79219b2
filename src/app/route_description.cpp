#include "weft/route_description.hpp"

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <utility>
#include <variant>

#include "http/route_pattern.hpp"

namespace weft {

namespace {

using Source = detail::DescribedPart::Source;

void take_text(std::string& into, const std::string& text) {
  if (!text.empty()) into = text;
}

void append_new(std::vector<std::string>& to, const std::vector<std::string>& more) {
  for (const std::string& one : more) {
    if (std::find(to.begin(), to.end(), one) == to.end()) to.push_back(one);
  }
}

bool is_body(const detail::DescribedPart& part) {
  return part.source == Source::body || part.source == Source::json || part.source == Source::form;
}

std::string counted(std::size_t count) {
  return std::to_string(count) + (count == 1 ? " parameter" : " parameters");
}

[[noreturn]] void refuse(std::string_view method, std::string_view pattern,
                         const std::string& why) {
  throw std::invalid_argument("route " + std::string(method) + (method.empty() ? "" : " ") +
                              std::string(pattern) + ": " + why);
}

}  // namespace

RouteDescription::RouteDescription(RouteNotes notes) : notes_(std::move(notes)) {}

RouteDescription& RouteDescription::add(detail::DescribedAnswer answer) {
  if (answer.status < 100 || answer.status > 599) {
    throw std::invalid_argument("a route cannot answer with the status " +
                                std::to_string(answer.status) + ": say one from 100 to 599");
  }
  answers_.push_back(std::move(answer));
  return *this;
}

RouteDescription& RouteDescription::file(std::string_view field, FileNotes notes) {
  files_.push_back({std::string(field), std::move(notes)});
  return *this;
}

RouteDescription& RouteDescription::bytes_body(std::string_view type) {
  if (type.find('/') == std::string_view::npos) {
    throw std::invalid_argument("\"" + std::string(type) +
                                "\" is no media type: say one such as image/png");
  }
  bytes_type_ = type;
  return *this;
}

void RouteDescription::merge_route(const RouteDescription& route) {
  std::erase_if(answers_, [&](const detail::DescribedAnswer& mine) {
    return std::any_of(route.answers_.begin(), route.answers_.end(),
                       [&](const detail::DescribedAnswer& its) {
                         return its.status == mine.status && !its.meaning.empty();
                       });
  });
  merge(route);
}

void RouteDescription::merge(const RouteDescription& other) {
  take_text(notes_.summary, other.notes_.summary);
  take_text(notes_.description, other.notes_.description);
  take_text(notes_.id, other.notes_.id);
  append_new(notes_.tags, other.notes_.tags);
  append_new(notes_.security, other.notes_.security);
  notes_.open = notes_.open || other.notes_.open;
  notes_.deprecated = notes_.deprecated || other.notes_.deprecated;
  notes_.hidden = notes_.hidden || other.notes_.hidden;
  parts_.insert(parts_.end(), other.parts_.begin(), other.parts_.end());
  answers_.insert(answers_.end(), other.answers_.begin(), other.answers_.end());
  files_.insert(files_.end(), other.files_.begin(), other.files_.end());
  take_text(bytes_type_, other.bytes_type_);
  path_values_.insert(path_values_.end(), other.path_values_.begin(), other.path_values_.end());
}

void RouteDescription::require_fit(std::string_view method, std::string_view pattern) const {
  const auto parsed = http::parse_route_pattern(pattern);
  const auto* const known = std::get_if<http::RoutePattern>(&parsed);
  if (known == nullptr) return;  // which the router says better
  const std::vector<std::string> names = known->names();
  if (path_values_.size() > names.size() ||
      (!path_values_.empty() && path_values_.size() < names.size())) {
    refuse(method, pattern,
           "its handler takes " + counted(path_values_.size()) +
               " of the path, in their order, and the pattern has " + counted(names.size()));
  }
  const bool without_body = method == "GET" || method == "HEAD";
  if (without_body && (!files_.empty() || !bytes_type_.empty())) {
    refuse(method, pattern, "it is described with a body, and such requests have none");
  }
  if (without_body && std::any_of(parts_.begin(), parts_.end(), is_body)) {
    refuse(method, pattern,
           "its handler takes a struct out of the body, and such requests have none: take a "
           "weft::FromQuery of it");
  }
  for (const detail::DescribedPart& part : parts_) {
    if (part.source != Source::path) continue;
    const SchemaDescription schema = part.schema();
    if (schema.objects.empty()) continue;
    for (const FieldDescription& field : schema.objects[schema.root.object].fields) {
      if (field.required && std::find(names.begin(), names.end(), field.name) == names.end()) {
        refuse(method, pattern,
               "its handler takes a parameter \"" + field.name +
                   "\" of the path, which the "
                   "pattern has not");
      }
    }
  }
}

void RouteDescription::require_shared(const std::string& whose) const {
  const bool has_body =
      !files_.empty() || !bytes_type_.empty() || std::any_of(parts_.begin(), parts_.end(), is_body);
  if (!has_body && path_values_.empty()) return;
  throw std::invalid_argument(whose +
                              " is described with a body or a value of the path: say that before "
                              "the handlers of its routes");
}

void RouteDescription::add_to(detail::RouteParts& parts) const {
  if (!parts.description) parts.description = std::make_shared<RouteDescription>();
  parts.description->merge(*this);
}

}  // namespace weft
