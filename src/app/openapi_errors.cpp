#include "app/openapi_errors.hpp"

namespace weft::app {

namespace {

// What each error has; the words for what is required.
std::vector<std::string> write_common(JsonText& out, ErrorFormat errors) {
  const auto text = [&out](std::string_view name, std::string_view words) {
    out.key(name).begin_object().member("type", "string");
    out.member("description", words).end_object();
  };
  if (errors == ErrorFormat::json) {
    text("error", "What is wrong.");
    return {"error"};
  }
  if (errors == ErrorFormat::text) return {};
  text("type", "Always about:blank: the status says what kind of problem it is.");
  text("title", "What the status means.");
  out.key("status").begin_object().member("type", "integer").end_object();
  text("detail", "What is wrong.");
  return {"type", "status"};
}
void write_error(JsonText& out, ErrorFormat errors) {
  out.begin_object().member("type", "object").key("properties").begin_object();
  const std::vector<std::string> required = write_common(out, errors);
  out.end_object().strings("required", required).end_object();
}
void write_field_errors(JsonText& out, ErrorFormat errors) {
  out.begin_object().member("type", "object");
  out.member("description", "What is wrong with fields of the request.");
  out.key("properties").begin_object();
  std::vector<std::string> required = write_common(out, errors);
  required.emplace_back("errors");
  out.key("errors").begin_object();
  out.member("type", "array").key("items").begin_object().member("type", "object");
  out.key("properties").begin_object();
  for (const auto& [name, words] : {std::pair("field", "Its name."),
                                    std::pair("path", "Where it is, \"$.friends[2].age\" say."),
                                    std::pair("message", "What it must be.")}) {
    out.key(name).begin_object().member("type", "string");
    out.member("description", words).end_object();
  }
  out.end_object().strings("required", {"field", "path", "message"});
  out.end_object().end_object().end_object();
  out.strings("required", required).end_object();
}
void write_json_error(JsonText& out, ErrorFormat errors) {
  out.begin_object().member("type", "object");
  out.member("description", "Why the body is no JSON, and where.");
  out.key("properties").begin_object();
  std::vector<std::string> required = write_common(out, errors);
  if (errors == ErrorFormat::text) {
    required.emplace_back("error");
    out.key("error").begin_object().member("type", "string").end_object();
  }
  out.key("message").begin_object().member("type", "string").end_object();
  for (const char* name : {"line", "column", "offset"}) {
    out.key(name).begin_object().member("type", "integer").end_object();
  }
  for (const char* name : {"message", "line", "column", "offset"}) required.emplace_back(name);
  out.end_object().strings("required", required);
  out.end_object();
}

}  // namespace

std::string_view name_of_error(ErrorFormat format) {
  return format == ErrorFormat::problem ? "Problem" : "Error";
}

std::vector<std::string> names_of_errors(ErrorFormat format) {
  std::vector<std::string> names{std::string(kFieldErrors), std::string(kJsonError)};
  if (format != ErrorFormat::text) names.emplace_back(name_of_error(format));
  return names;
}

std::string_view type_of_error(ErrorFormat format, std::string_view component) {
  if (format == ErrorFormat::problem) return "application/problem+json";
  return format == ErrorFormat::text && component.empty() ? "text/plain" : "application/json";
}

SchemaComponents::Others error_schemas(const std::set<std::string_view>& used, ErrorFormat format) {
  SchemaComponents::Others schemas;
  const auto add = [&](std::string_view name, void (*write)(JsonText&, ErrorFormat)) {
    if (!used.contains(name)) return;
    schemas.emplace(name, [write, format](JsonText& out) { write(out, format); });
  };
  add(kFieldErrors, &write_field_errors);
  add(kJsonError, &write_json_error);
  add(name_of_error(format), &write_error);
  return schemas;
}

}  // namespace weft::app
