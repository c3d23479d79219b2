#include "app/openapi_document.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <map>
#include <optional>
#include <set>
#include <stdexcept>
#include <utility>
#include <variant>
#include <vector>

#include "app/json_text.hpp"
#include "app/openapi_errors.hpp"
#include "app/openapi_paths.hpp"
#include "app/openapi_schema.hpp"
#include "http/route_pattern.hpp"
#include "http/status.hpp"
#include "weft/route_description.hpp"

namespace weft::app {

namespace {

using Source = detail::DescribedPart::Source;

constexpr std::string_view kBytes = "application/octet-stream";

// ---- Names of operations

std::string id_of(std::string_view method, const DocumentPath& path) {
  std::string id(method);
  bool gap = true;
  for (const char c : path.shown) {
    const bool fits = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (!fits) {
      gap = true;
      continue;
    }
    if (std::exchange(gap, false)) id += '_';
    id += c;
  }
  return id;
}

// ---- The document

class Document {
 public:
  Document(const OpenApiOptions& options, const std::deque<RouteEntry>& routes, ErrorFormat errors)
      : options_(options), errors_(errors), components_(names_of_errors(errors)) {
    // In the order they were added in, so that names stay when more come.
    for (const RouteEntry& route : routes) add_schemas(route);
    paths_ = paths_of(routes);
    for (const auto& [shape, path] : paths_) {
      for (const auto& [method, operation] : path.operations) {
        const std::string& id = notes_of(*operation.route).id;
        if (!id.empty()) ids_.insert(id);
      }
    }
  }

  std::string text() {
    out_.begin_object().member("openapi", "3.1.0");
    write_info();
    write_servers();
    write_paths();
    write_components();
    if (!options_.security.empty()) write_security(options_.security);
    write_tags();
    out_.end_object();
    return out_.take() + "\n";
  }

 private:
  void add_schemas(const RouteEntry& route) {
    if (!route.description || notes_of(route).hidden) return;
    for (const auto& part : route.description->parts()) {
      // Others than bodies are written field by field; what occurs in these are plain types.
      if (is_body(part.source)) components_.add(part.schema());
    }
    for (const auto& answer : route.description->answers()) {
      if (answer.schema != nullptr) components_.add(answer.schema());
    }
  }
  static bool is_body(Source source) {
    return source == Source::body || source == Source::json || source == Source::form;
  }

  void write_info() {
    out_.key("info").begin_object().member("title", options_.title);
    out_.member_if_any("description", options_.description);
    out_.member("version", options_.version).end_object();
  }
  void write_servers() {
    if (options_.servers.empty()) return;
    out_.key("servers").begin_array();
    for (const OpenApiServer& server : options_.servers) {
      out_.begin_object().member("url", server.url);
      out_.member_if_any("description", server.description).end_object();
    }
    out_.end_array();
  }
  void write_security(const std::vector<std::string>& names) {
    out_.key("security").begin_array();
    for (const std::string& name : names) {
      out_.begin_object().key(name).begin_array().end_array().end_object();
    }
    out_.end_array();
  }
  // Those with words first, in their order; then the rest, sorted.
  void write_tags() {
    std::set<std::string> used;
    for (const auto& [shape, path] : paths_) {
      for (const auto& [method, operation] : path.operations) {
        const auto& tags = notes_of(*operation.route).tags;
        used.insert(tags.begin(), tags.end());
      }
    }
    if (used.empty() && options_.tags.empty()) return;
    out_.key("tags").begin_array();
    for (const OpenApiTag& tag : options_.tags) {
      out_.begin_object().member("name", tag.name);
      out_.member_if_any("description", tag.description).end_object();
      used.erase(tag.name);
    }
    for (const std::string& name : used) out_.begin_object().member("name", name).end_object();
    out_.end_array();
  }

  void write_paths() {
    out_.key("paths").begin_object();
    for (const auto& [shape, path] : paths_) {
      out_.key(path.shown).begin_object();
      for (const auto& [method, operation] : path.operations) {
        out_.key(item_name(method));
        write_operation(path, item_name(method), operation);
      }
      out_.end_object();
    }
    out_.end_object();
  }

  void write_operation(const DocumentPath& path, std::string_view method,
                       const DocumentOperation& operation) {
    const RouteNotes& notes = notes_of(*operation.route);
    out_.begin_object();
    if (!notes.tags.empty()) out_.strings("tags", notes.tags);
    out_.member_if_any("summary", notes.summary);
    std::string description = notes.description;
    for (const auto& [route, pattern] : operation.others) {
      description += (description.empty() ? "" : "\n\n") + ("`" + pattern.text + "`");
      description += " is answered by a route of its own";
      const std::string& summary = notes_of(*route).summary;
      description += summary.empty() ? "." : ": " + summary;
    }
    out_.member_if_any("description", description);
    out_.member("operationId", unique_id(notes.id, method, path));
    write_parameters(path, operation);
    write_body(*operation.route);
    write_answers(*operation.route);
    if (notes.deprecated) out_.member("deprecated", true);
    if (notes.open) {
      out_.key("security").begin_array().end_array();
    } else if (!notes.security.empty()) {
      write_security(notes.security);
    }
    out_.end_object();
  }
  // One that a route has chosen is its own; the first to say it keeps it.
  std::string unique_id(const std::string& chosen, std::string_view method,
                        const DocumentPath& path) {
    if (!chosen.empty() && given_.insert(chosen).second) return chosen;
    const std::string wish = id_of(method, path);
    std::string id = wish;
    for (int next = 2; ids_.contains(id) || given_.contains(id); ++next) {
      id = wish + "_" + std::to_string(next);
    }
    given_.insert(id);
    return id;
  }

  // ---- Parameters

  void write_parameters(const DocumentPath& path, const DocumentOperation& operation) {
    const RouteDescription* const description = operation.route->description.get();
    bool any = !path.names.empty();
    if (description != nullptr) {
      for (const auto& part : description->parts()) {
        any = any || part.source == Source::query || part.source == Source::header;
      }
    }
    if (!any) return;
    out_.key("parameters").begin_array();
    for (std::size_t i = 0; i < path.names.size(); ++i) write_path_parameter(path, operation, i);
    if (description != nullptr) {
      for (const auto& part : description->parts()) {
        if (part.source == Source::query) write_fields(part, "query");
        if (part.source == Source::header) write_fields(part, "header");
      }
    }
    out_.end_array();
  }
  // The parameter at a place of a pattern.
  static const http::PatternPiece& parameter_of(const http::RoutePattern& pattern,
                                                std::size_t place) {
    for (const http::PatternPiece& piece : pattern.pieces) {
      if (piece.kind != http::PatternPiece::Kind::text && place-- == 0) return piece;
    }
    return pattern.pieces.back();
  }
  void write_path_parameter(const DocumentPath& path, const DocumentOperation& operation,
                            std::size_t place) {
    const http::PatternPiece& piece = parameter_of(operation.pattern, place);
    out_.begin_object().member("name", path.names[place]).member("in", "path");
    if (piece.kind == http::PatternPiece::Kind::wildcard) {
      out_.member("description", "The rest of the path, slashes and all; may be empty.");
    }
    out_.member("required", true);
    // No keyword says that slashes stay as they are.
    if (piece.kind == http::PatternPiece::Kind::wildcard) out_.member("x-rest-of-path", true);
    out_.key("schema");
    if (operation.others.empty()) {
      write_path_schema(*operation.route, piece, place);
    } else {
      out_.begin_object().key("anyOf").begin_array();
      write_path_schema(*operation.route, piece, place);
      for (const auto& [route, pattern] : operation.others) {
        write_path_schema(*route, parameter_of(pattern, place), place);
      }
      out_.end_array().end_object();
    }
    out_.end_object();
  }
  // What the handler takes says more than the pattern, but for texts.
  void write_path_schema(const RouteEntry& route, const http::PatternPiece& piece,
                         std::size_t place) {
    if (route.description) {
      const auto& values = route.description->path_values();
      if (place < values.size()) {
        const SchemaDescription schema = values[place]();
        if (schema.root.kind != TypeDescription::Kind::string || !piece.type) {
          return components_.write(out_, schema);
        }
      }
      for (const auto& part : route.description->parts()) {
        if (part.source != Source::path) continue;
        const SchemaDescription schema = part.schema();
        for (const FieldDescription& field : schema.objects.at(schema.root.object).fields) {
          const bool is_any_text =
              field.type.kind == TypeDescription::Kind::string && field.constraints.empty();
          if (field.name == piece.text && !(is_any_text && piece.type)) {
            return components_.write(out_, schema, field.type, &field);
          }
        }
      }
    }
    write_pattern_schema(piece);
  }
  void write_pattern_schema(const http::PatternPiece& piece) {
    out_.begin_object();
    if (!piece.type) {
      out_.member("type", "string");
      if (piece.kind == http::PatternPiece::Kind::param) out_.member("minLength", 1);
      out_.end_object();
      return;
    }
    switch (*piece.type) {
      case http::ParamType::uint:
        out_.member("type", "integer").member("format", "uint64").member("minimum", 0);
        break;
      case http::ParamType::int_: out_.member("type", "integer").member("format", "int64"); break;
      case http::ParamType::uuid: out_.member("type", "string").member("format", "uuid"); break;
      case http::ParamType::hex:
        out_.member("type", "string").member("pattern", "^[0-9A-Fa-f]+$");
        break;
      case http::ParamType::alpha:
        out_.member("type", "string").member("pattern", "^[A-Za-z]+$");
        break;
    }
    out_.end_object();
  }
  // A struct's fields as parameters.
  void write_fields(const detail::DescribedPart& part, std::string_view where) {
    const SchemaDescription schema = part.schema();
    if (schema.objects.empty()) return;
    for (const FieldDescription& field : schema.objects[schema.root.object].fields) {
      // An absent list is an empty one there.
      const bool required = field.required && field.type.kind != TypeDescription::Kind::array;
      out_.begin_object().member("name", field.name).member("in", where);
      if (required) out_.member("required", true);
      out_.key("schema");
      components_.write(out_, schema, field.type, &field);
      out_.end_object();
    }
  }

  // ---- Bodies

  // Whether bind() takes it from a form, too.
  static bool is_flat(const SchemaDescription& schema) {
    using Kind = TypeDescription::Kind;
    if (schema.root.kind != Kind::object) return false;
    const auto is_nested = [](const TypeDescription& type) {
      return type.kind == Kind::object || type.kind == Kind::map;
    };
    for (const FieldDescription& field : schema.objects[schema.root.object].fields) {
      const TypeDescription& type = field.type;
      if (is_nested(type)) return false;
      if (type.kind == Kind::array) {
        const TypeDescription& element = type.element.at(0);
        if (type.nullable || element.nullable || is_nested(element) ||
            element.kind == Kind::array) {
          return false;
        }
      }
    }
    return true;
  }
  static std::vector<std::string> body_types(Source source, const SchemaDescription& schema) {
    std::vector<std::string> types;
    if (source != Source::form) types.emplace_back("application/json");
    if (source == Source::form || (source == Source::body && is_flat(schema))) {
      types.emplace_back("application/x-www-form-urlencoded");
      types.emplace_back("multipart/form-data");
    }
    return types;
  }
  // A form with files: its fields stand beside them, so they are not a struct of their own here.
  void write_form_with_files(const RouteDescription& description) {
    out_.key("multipart/form-data").begin_object().key("schema").begin_object();
    out_.member("type", "object").key("properties").begin_object();
    std::vector<std::string> required;
    for (const auto& part : description.parts()) {
      if (part.source != Source::form) continue;
      const SchemaDescription schema = part.schema();
      for (const FieldDescription& field : schema.objects.at(schema.root.object).fields) {
        out_.key(field.name);
        components_.write(out_, schema, field.type, &field);
        const bool is_list = field.type.kind == TypeDescription::Kind::array;
        if (field.required && !is_list) required.push_back(field.name);
      }
    }
    for (const auto& [name, notes] : description.files()) {
      out_.key(name).begin_object();
      if (notes.several) out_.member("type", "array");
      out_.member_if_any("description", notes.about);
      if (notes.several) out_.key("items").begin_object();
      out_.member("contentMediaType", notes.type.empty() ? kBytes : std::string_view(notes.type));
      if (notes.several) out_.end_object();
      out_.end_object();
      if (notes.required) required.push_back(name);
    }
    out_.end_object();
    if (!required.empty()) out_.strings("required", required);
    out_.end_object();
    write_encodings(description);
    out_.end_object();
  }
  void write_encodings(const RouteDescription& description) {
    const auto& files = description.files();
    const auto has_type = [](const auto& file) { return !file.notes.type.empty(); };
    if (std::none_of(files.begin(), files.end(), has_type)) return;
    out_.key("encoding").begin_object();
    for (const auto& [name, notes] : files) {
      if (notes.type.empty()) continue;
      out_.key(name).begin_object().member("contentType", notes.type).end_object();
    }
    out_.end_object();
  }
  void write_body(const RouteEntry& route) {
    if (!route.description) return;
    const RouteDescription& description = *route.description;
    if (!description.bytes_type().empty() || !description.files().empty()) {
      out_.key("requestBody").begin_object().key("content").begin_object();
      if (!description.files().empty()) write_form_with_files(description);
      if (!description.bytes_type().empty()) {
        out_.key(description.bytes_type()).begin_object().key("schema").begin_object();
        out_.member("contentMediaType", description.bytes_type()).end_object().end_object();
      }
      out_.end_object().member("required", true).end_object();
      return;
    }
    for (const auto& part : route.description->parts()) {
      if (!is_body(part.source)) continue;
      const SchemaDescription schema = part.schema();
      out_.key("requestBody").begin_object().key("content").begin_object();
      for (const std::string& type : body_types(part.source, schema)) {
        out_.key(type).begin_object().key("schema");
        components_.write(out_, schema);
        out_.end_object();
      }
      out_.end_object().member("required", true).end_object();
      return;
    }
  }

  // ---- Answers

  struct Answer {
    std::string meaning;
    // By type of the body: a struct's Schema, or the name of one of the errors; neither: a text.
    struct Content {
      detail::SchemaOf schema = nullptr;
      std::string_view error = {};

      bool operator==(const Content&) const = default;
    };
    std::map<std::string, std::vector<Content>> contents;
  };
  using Answers = std::map<int, Answer>;

  static void add_answer(Answers& answers, int status, std::string_view meaning,
                         std::string_view type, Answer::Content content) {
    Answer& answer = answers[status];
    if (answer.meaning.empty()) {
      answer.meaning = meaning;
    } else if (!meaning.empty() && answer.meaning != meaning) {
      answer.meaning.append("; ").append(meaning);
    }
    if (type.empty()) return;
    auto& contents = answer.contents[std::string(type)];
    if (std::find(contents.begin(), contents.end(), content) == contents.end()) {
      contents.push_back(content);
    }
  }
  static bool may_misfit(detail::SchemaOf schema) {
    return schema().root.kind != TypeDescription::Kind::string;
  }
  // One of weft's own; `error` is the name of what says more than a text, or empty.
  void add_error(Answers& answers, int status, std::string_view meaning,
                 std::string_view error = {}) const {
    const std::string_view type = type_of_error(errors_, error);
    if (error.empty() && errors_ != ErrorFormat::text) error = name_of_error(errors_);
    add_answer(answers, status, meaning, type, {nullptr, error});
  }
  Answers answers_of(const RouteEntry& route) const {
    Answers answers;
    if (!route.description) return answers;
    const RouteDescription& description = *route.description;
    for (const auto& answer : description.answers()) {
      if (answer.is_error) {
        add_error(answers, answer.status, answer.meaning);
      } else {
        add_answer(answers, answer.status, answer.meaning, answer.type, {answer.schema, {}});
      }
    }
    if (std::any_of(description.path_values().begin(), description.path_values().end(),
                    &may_misfit)) {
      add_error(answers, 400, "A parameter of the path does not fit");
    }
    if (!description.parts().empty()) {
      add_error(answers, 422, "Something is wrong with fields", kFieldErrors);
    }
    for (const auto& part : description.parts()) {
      if (!is_body(part.source)) continue;
      if (part.source != Source::form) {
        add_error(answers, 400, "The body is no JSON", kJsonError);
      }
      if (part.source == Source::form) add_error(answers, 400, "The form is malformed");
      add_error(answers, 415, "The body has a Content-Type that is not taken");
    }
    if (!description.files().empty()) {
      add_error(answers, 400, "The form is malformed");
      add_error(answers, 415, "The body has a Content-Type that is not taken");
    }
    return answers;
  }
  void write_answers(const RouteEntry& route) {
    const Answers answers = answers_of(route);
    out_.key("responses").begin_object();
    // At least one is asked for.
    if (answers.empty() || answers.begin()->first >= 400) {
      out_.key("default").begin_object().member("description", "The answer").end_object();
    }
    for (const auto& [status, answer] : answers) {
      out_.key(std::to_string(status)).begin_object();
      const std::string_view usual = http::reason_phrase(status);
      out_.member("description", answer.meaning.empty()
                                     ? (usual.empty() ? std::string_view("The answer") : usual)
                                     : std::string_view(answer.meaning));
      if (!answer.contents.empty()) write_contents(answer);
      out_.end_object();
    }
    out_.end_object();
  }
  void write_contents(const Answer& answer) {
    out_.key("content").begin_object();
    for (const auto& [type, contents] : answer.contents) {
      out_.key(type).begin_object().key("schema");
      if (contents.size() == 1) {
        write_content(contents.front());
      } else {
        out_.begin_object().key("anyOf").begin_array();
        for (const Answer::Content& content : contents) write_content(content);
        out_.end_array().end_object();
      }
      out_.end_object();
    }
    out_.end_object();
  }
  void write_content(const Answer::Content& content) {
    if (content.schema != nullptr) return components_.write(out_, content.schema());
    if (content.error.empty()) {
      out_.begin_object().member("type", "string").end_object();
      return;
    }
    used_errors_.insert(content.error);
    out_.begin_object();
    out_.member("$ref", "#/components/schemas/" + std::string(content.error)).end_object();
  }

  // ---- Components

  void write_components() {
    const SchemaComponents::Others errors = error_schemas(used_errors_, errors_);
    out_.key("components").begin_object().key("schemas").begin_object();
    components_.write_all(out_, errors);
    out_.end_object();
    if (!options_.security_schemes.empty()) {
      out_.key("securitySchemes").begin_object();
      for (const SecurityScheme& scheme : options_.security_schemes) write_scheme(scheme);
      out_.end_object();
    }
    out_.end_object();
  }
  void write_scheme(const SecurityScheme& scheme) {
    using Kind = SecurityScheme::Kind;
    out_.key(scheme.name).begin_object();
    switch (scheme.kind) {
      case Kind::basic: out_.member("type", "http").member("scheme", "basic"); break;
      case Kind::bearer:
        out_.member("type", "http").member("scheme", "bearer");
        out_.member_if_any("bearerFormat", scheme.format);
        break;
      case Kind::header:
      case Kind::query:
      case Kind::cookie:
        out_.member("type", "apiKey").member("name", scheme.field);
        out_.member("in", scheme.kind == Kind::header  ? "header"
                          : scheme.kind == Kind::query ? "query"
                                                       : "cookie");
        break;
      case Kind::open_id:
        out_.member("type", "openIdConnect").member("openIdConnectUrl", scheme.url);
        break;
    }
    out_.member_if_any("description", scheme.description).end_object();
  }

  const OpenApiOptions& options_;
  ErrorFormat errors_;
  SchemaComponents components_;
  DocumentPaths paths_;
  JsonText out_;
  std::set<std::string> ids_;    // that routes have chosen
  std::set<std::string> given_;  // that the document has by now
  std::set<std::string_view> used_errors_;
};

}  // namespace

std::string tag_of(std::string_view text) {
  std::uint64_t hash = 14695981039346656037U;  // FNV-1a
  for (const char c : text) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211U;
  }
  std::array<char, 24> tag{};
  std::snprintf(tag.data(), tag.size(), "\"%016llx\"", static_cast<unsigned long long>(hash));
  return tag.data();
}

std::string openapi_text(const OpenApiOptions& options, const std::deque<RouteEntry>& routes,
                         ErrorFormat errors) {
  return Document(options, routes, errors).text();
}

std::shared_ptr<const DocumentText> ServedDocument::of(const std::deque<RouteEntry>& routes,
                                                       ErrorFormat errors) {
  if (!made_ || made_of_ != routes.size()) {
    DocumentText made;
    made.text = openapi_text(options_, routes, errors);
    made.tag = tag_of(made.text);
    made_ = std::make_shared<const DocumentText>(std::move(made));
    made_of_ = routes.size();
  }
  return made_;
}

}  // namespace weft::app
