#include "openapi_rules.hpp"

#include <algorithm>
#include <initializer_list>
#include <regex>
#include <set>
#include <variant>

#include "weft/json_document.hpp"

namespace weft::app::test {

namespace {

using Kind = JsonNode::Kind;

// A field of an object: what it is, and whether it must be there.
struct Known {
  std::string_view name;
  Kind kind;
  bool required = false;
};

class Rules {
 public:
  explicit Rules(JsonNode root) : root_(root) {}

  std::vector<std::string> all() {
    fields("the document", root_,
           {{"openapi", Kind::string, true},
            {"info", Kind::object, true},
            {"servers", Kind::array},
            {"paths", Kind::object, true},
            {"components", Kind::object},
            {"security", Kind::array},
            {"tags", Kind::array}});
    const std::string version(root_["openapi"].as_string().value_or(""));
    require(std::regex_match(version, std::regex("3\\.1\\.[0-9]+")), "the version is " + version);
    fields("info", root_["info"],
           {{"title", Kind::string, true},
            {"version", Kind::string, true},
            {"description", Kind::string}});
    for (const JsonNode server : root_["servers"].elements()) {
      fields("a server", server, {{"url", Kind::string, true}, {"description", Kind::string}});
    }
    std::set<std::string> tags;
    for (const JsonNode tag : root_["tags"].elements()) {
      fields("a tag", tag, {{"name", Kind::string, true}, {"description", Kind::string}});
      const std::string name(tag["name"].as_string().value_or(""));
      require(tags.insert(name).second, "there are two tags " + name);
    }
    components(root_["components"]);
    security("the document", root_["security"]);
    std::set<std::string> shapes;
    for (const JsonNodeMember path : root_["paths"].members()) {
      const std::string name(path.name);
      require(name.starts_with('/'), "the path " + name + " has no slash in front");
      const std::string shape = std::regex_replace(name, std::regex("\\{[^}]*\\}"), "{}");
      require(shapes.insert(shape).second, "two paths are like " + name);
      path_item(name, path.value);
    }
    return std::move(broken_);
  }

 private:
  void require(bool holds, const std::string& text) {
    if (!holds) broken_.push_back(text);
  }
  void fields(const std::string& where, JsonNode object, std::initializer_list<Known> known) {
    require(object.kind() == Kind::object, where + " is no object");
    for (const JsonNodeMember member : object.members()) {
      const auto* const found = std::find_if(
          known.begin(), known.end(), [&](const Known& one) { return one.name == member.name; });
      if (member.name.starts_with("x-")) continue;
      const std::string what = where + "." + std::string(member.name);
      if (found == known.end()) {
        require(false, what + " is not known");
      } else if (found->kind != Kind::missing) {
        require(member.value.kind() == found->kind, what + " is of the wrong kind");
      }
    }
    for (const Known& one : known) {
      if (one.required) {
        require(object[one.name].exists(), where + " has no " + std::string(one.name));
      }
    }
  }

  void components(JsonNode components) {
    fields("components", components,
           {{"schemas", Kind::object}, {"securitySchemes", Kind::object}});
    const std::regex name("[A-Za-z0-9._-]+");
    for (const JsonNodeMember one : components["schemas"].members()) {
      require(std::regex_match(std::string(one.name), name), "odd name " + std::string(one.name));
      schema(std::string(one.name), one.value);
    }
    for (const JsonNodeMember one : components["securitySchemes"].members()) {
      scheme(std::string(one.name), one.value);
    }
  }
  void scheme(const std::string& where, JsonNode scheme) {
    fields(where, scheme,
           {{"type", Kind::string, true},
            {"description", Kind::string},
            {"name", Kind::string},
            {"in", Kind::string},
            {"scheme", Kind::string},
            {"bearerFormat", Kind::string},
            {"openIdConnectUrl", Kind::string}});
    const std::string_view type = scheme["type"].as_string().value_or("");
    if (type == "apiKey") {
      const std::string_view in = scheme["in"].as_string().value_or("");
      require(in == "query" || in == "header" || in == "cookie", where + " has its key nowhere");
      require(scheme["name"].exists(), where + " has no name");
    } else if (type == "http") {
      require(scheme["scheme"].exists(), where + " has no scheme");
    } else if (type == "openIdConnect") {
      require(scheme["openIdConnectUrl"].exists(), where + " has no URL");
    } else {
      require(false, where + " is of no type");
    }
  }
  void security(const std::string& where, JsonNode security) {
    for (const JsonNode one : security.elements()) {
      for (const JsonNodeMember scheme : one.members()) {
        require(root_["components"]["securitySchemes"][scheme.name].exists(),
                where + " needs an unknown scheme " + std::string(scheme.name));
        require(scheme.value.kind() == Kind::array, where + ": scopes are no array");
      }
    }
  }

  void path_item(const std::string& path, JsonNode item) {
    const std::set<std::string_view> methods{"get",     "put",  "post",  "delete",
                                             "options", "head", "patch", "trace"};
    for (const JsonNodeMember one : item.members()) {
      const std::string where = std::string(one.name) + " " + path;
      require(methods.contains(one.name), where + " is no operation");
      operation(where, path, one.value);
    }
  }
  void operation(const std::string& where, const std::string& path, JsonNode operation) {
    fields(where, operation,
           {{"tags", Kind::array},
            {"summary", Kind::string},
            {"description", Kind::string},
            {"operationId", Kind::string},
            {"parameters", Kind::array},
            {"requestBody", Kind::object},
            {"responses", Kind::object, true},
            {"deprecated", Kind::boolean},
            {"security", Kind::array}});
    const std::string id(operation["operationId"].as_string().value_or(""));
    require(ids_.insert(id).second, where + ": two operations are called " + id);
    parameters(where, path, operation["parameters"]);
    security(where, operation["security"]);
    if (const JsonNode body = operation["requestBody"]; body.exists()) {
      fields(where + " body", body,
             {{"content", Kind::object, true},
              {"required", Kind::boolean},
              {"description", Kind::string}});
      contents(where + " body", body["content"]);
    }
    const JsonNode responses = operation["responses"];
    require(responses.size() > 0, where + " has no answers");
    for (const JsonNodeMember one : responses.members()) {
      const std::string status(one.name);
      const std::string answer = where + " " + status;
      require(status == "default" || std::regex_match(status, std::regex("[1-5](XX|[0-9]{2})")),
              answer + " is no status");
      fields(answer, one.value,
             {{"description", Kind::string, true},
              {"content", Kind::object},
              {"headers", Kind::object}});
      contents(answer, one.value["content"]);
    }
  }
  void contents(const std::string& where, JsonNode content) {
    for (const JsonNodeMember type : content.members()) {
      require(type.name.find('/') != std::string_view::npos, where + " has no media type");
      fields(where, type.value, {{"schema", Kind::object, true}, {"encoding", Kind::object}});
      for (const JsonNodeMember part : type.value["encoding"].members()) {
        require(type.value["schema"]["properties"][part.name].exists(),
                where + ": there is no part " + std::string(part.name));
      }
      schema(where, type.value["schema"]);
    }
  }
  void parameters(const std::string& where, const std::string& path, JsonNode parameters) {
    std::set<std::string> seen;
    std::size_t of_path = 0;
    for (const JsonNode one : parameters.elements()) {
      fields(where + " parameter", one,
             {{"name", Kind::string, true},
              {"in", Kind::string, true},
              {"description", Kind::string},
              {"required", Kind::boolean},
              {"deprecated", Kind::boolean},
              {"schema", Kind::object, true}});
      const std::string name(one["name"].as_string().value_or(""));
      const std::string in(one["in"].as_string().value_or(""));
      require(in == "query" || in == "header" || in == "path" || in == "cookie",
              where + ": " + name + " is nowhere");
      require(seen.insert(in + " " + name).second, where + ": " + name + " is there twice");
      if (in == "path") {
        ++of_path;
        require(one["required"].as_bool().value_or(false), where + ": " + name + " may be absent");
        require(path.find("{" + name + "}") != std::string::npos,
                where + ": the path has no " + name);
      }
      schema(where + " " + name, one["schema"]);
    }
    const auto wanted = static_cast<std::size_t>(std::count(path.begin(), path.end(), '{'));
    require(of_path == wanted, where + ": not each parameter of the path is described");
  }

  // JSON Schema, draft 2020-12, the keywords that are used.
  void schema(const std::string& where, JsonNode schema) {
    fields(where, schema,
           {{"$ref", Kind::string},
            {"type", Kind::missing},
            {"description", Kind::string},
            {"format", Kind::string},
            {"enum", Kind::array},
            {"default", Kind::missing},
            {"anyOf", Kind::array},
            {"minimum", Kind::missing},
            {"maximum", Kind::missing},
            {"minLength", Kind::integer},
            {"maxLength", Kind::integer},
            {"minItems", Kind::integer},
            {"maxItems", Kind::integer},
            {"minProperties", Kind::integer},
            {"maxProperties", Kind::integer},
            {"pattern", Kind::string},
            {"contentMediaType", Kind::string},
            {"items", Kind::object},
            {"properties", Kind::object},
            {"required", Kind::array},
            {"additionalProperties", Kind::missing}});
    if (const auto reference = schema["$ref"].as_string()) {
      constexpr std::string_view kPrefix = "#/components/schemas/";
      require(reference->starts_with(kPrefix) &&
                  root_["components"]["schemas"][reference->substr(kPrefix.size())].exists(),
              where + " refers to " + std::string(*reference));
    }
    type(where, schema["type"]);
    for (const std::string_view name : {"minimum", "maximum"}) {
      require(!schema[name].exists() || schema[name].as_double(), where + ": no number");
    }
    for (const JsonNode one : schema["anyOf"].elements()) this->schema(where, one);
    if (schema["items"].exists()) this->schema(where + "[]", schema["items"]);
    if (const JsonNode rest = schema["additionalProperties"]; rest.kind() == Kind::object) {
      this->schema(where + ".*", rest);
    }
    for (const JsonNodeMember one : schema["properties"].members()) {
      this->schema(where + "." + std::string(one.name), one.value);
    }
    for (const JsonNode one : schema["required"].elements()) {
      require(schema["properties"][one.as_string().value_or("")].exists(),
              where + " requires what it has not");
    }
  }
  void type(const std::string& where, JsonNode type) {
    static const std::set<std::string_view> kTypes{"null",   "boolean", "object", "array",
                                                   "number", "string",  "integer"};
    if (type.kind() == Kind::array) {
      for (const JsonNode one : type.elements()) this->type(where, one);
    } else if (type.exists()) {
      require(kTypes.contains(type.as_string().value_or("")), where + " is of an unknown type");
    }
  }

  JsonNode root_;
  std::set<std::string> ids_;
  std::vector<std::string> broken_;
};

}  // namespace

std::vector<std::string> broken_rules(std::string_view document) {
  const auto parsed = JsonDocument::parse(document);
  if (const auto* const error = std::get_if<JsonError>(&parsed)) return {error->text()};
  return Rules(std::get<JsonDocument>(parsed).root()).all();
}

}  // namespace weft::app::test
